"""Functions of users that are asked where nothing can wait for an answer."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["plain"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def plain(
    name: str, function: Callable[Arguments, Result], *, futures: bool = False
) -> Callable[Arguments, Result]:
    """Return `function` so that it cannot answer by something that nobody awaits.

    An async function is TypeError now, an awaitable TypeError at the call: it would be true for
    whoever asks yes or no. `futures` lets those pass, and tasks: they go on by themselves.
    """
    if not callable(function):
        raise TypeError(f"{name} is a function, got {function!r}")
    if _is_async(function):
        raise TypeError(f"{name} is a plain function, got the async {function!r}")

    @functools.wraps(function)
    def call(*args: Arguments.args, **named: Arguments.kwargs) -> Result:
        result = function(*args, **named)
        if inspect.isawaitable(result) and not (futures and isinstance(result, asyncio.Future)):
            if inspect.iscoroutine(result):
                result.close()  # or Python warns of it a second time
            raise TypeError(f"{name} is a plain function, got an awaitable from {function!r}")
        return result

    return call


def _is_async(function: Any) -> bool:  # noqa: ANN401 - whatever users give
    call = getattr(function, "__call__", None)  # noqa: B004 - an object's own
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
