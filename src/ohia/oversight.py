"""What the author of a middleware forgot, told outside production."""

import asyncio
import inspect
from collections.abc import Coroutine
from types import CoroutineType, FunctionType
from typing import Any, Protocol

from ohia.signature import middleware_name

__all__ = ["check_awaited", "close_unstarted", "note_value"]


class Layer(Protocol):
    """A middleware by its name, and how its author waits for something: a key of `CALLS`."""

    name: str
    verb: str


class Given(Protocol):
    """The `next` that it got, and the coroutine that this gave away."""

    coroutine: "CoroutineType[Any, Any, Any] | None"


# Types of values that look as if their middleware meant them for the client, or as if it was
# never called to make one.
LIKE_ANSWERS = (str, bytes, dict, list, tuple, FunctionType)


def note_value(ctx: Any, name: str, value: object) -> None:  # noqa: ANN401 - whatever was composed for
    """Keep in ctx that the last layer returned `value`, to be told if nobody answers."""
    if not isinstance(value, LIKE_ANSWERS) or not isinstance(getattr(ctx, "_returned", None), str):
        return
    advice = "write `ctx.body = ...`"
    if isinstance(value, FunctionType):
        advice = f"if it is what makes the middleware, use `{name}(...)`"
    who = "a lambda" if name == "-" else name
    kind = type(value).__name__  # pyright: ignore[reportUnknownArgumentType] - of whatever
    ctx._returned = f"{who} returned a {kind}, which is no answer: {advice}"  # noqa: SLF001 - the core's


# What to write, by the verb of a layer: to go downstream, and to return what is to be waited for.
CALLS = {"await": "await next()", "yield": "yield next", "return": "return next()"}
RETURNS = {"await": "return await {}", "yield": "return (yield {})", "return": "return {}"}


def check_awaited(layer: Layer, downstream: Given, result: object) -> None:
    """Raise RuntimeError if the middleware left something to wait for behind."""
    coroutine = downstream.coroutine
    if coroutine is not None and coroutine.cr_frame is not None:  # it has not ended
        raise RuntimeError(f"{layer.name} {_oversight(layer, coroutine, result)}")
    if result is None:
        return
    if result is downstream or close_unstarted(result):
        called = "next()" if result is downstream else f"{middleware_name(result)}()"
        raise RuntimeError(f"{layer.name} {_returned(layer, called)}")


def _oversight(layer: Layer, coroutine: Coroutine[Any, Any, Any], result: object) -> str:
    """Return what the middleware did with the `coroutine` of its next(), and what to write."""
    if not close_unstarted(coroutine):
        return "returned before what its next() began had ended: await it"
    if result is coroutine:
        return _returned(layer, "next()")
    return f"called next() without awaiting it: write `{CALLS[layer.verb]}`"


def _returned(layer: Layer, called: str) -> str:
    return f"returned {called} without awaiting it: write `{RETURNS[layer.verb].format(called)}`"


def close_unstarted(awaited: object) -> bool:
    """Say whether nobody ever awaited a coroutine or drove a generator, and close it then.

    So Python warns of it no more. What a task is about to begin is not meant.
    """
    if inspect.isgenerator(awaited):
        unstarted = inspect.getgeneratorstate(awaited) == inspect.GEN_CREATED
    elif inspect.iscoroutine(awaited):
        unstarted = inspect.getcoroutinestate(awaited) == inspect.CORO_CREATED
    else:
        return False
    if not unstarted or awaited in _coroutines_of_tasks():
        return False
    awaited.close()
    return True


def _coroutines_of_tasks() -> list[object]:
    """Return what the running loop's tasks run, those that have not begun among them."""
    try:
        return [task.get_coro() for task in asyncio.all_tasks()]
    except RuntimeError:  # driven by hand, without a loop
        return []
