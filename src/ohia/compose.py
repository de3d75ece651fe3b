"""Many middleware in, one out: the onion.

Each middleware becomes a step `(ctx, outer) -> coroutine` that is linked to the following step
once, when `compose` is called. Per request a step makes one `Downstream` and calls its middleware
with it, so `await next()` goes straight into the next coroutine: no task, no wrapper, no look-up.
"""

import asyncio
import functools
import inspect
import os
import reprlib
from collections.abc import Callable, Coroutine, Generator, Iterator
from types import AsyncGeneratorType, CoroutineType, FunctionType, ModuleType
from typing import Any, TypeGuard, cast

from ohia.co import drive, is_generator, to_awaitable
from ohia.errors import NextCalledTwice
from ohia.lifespan import LifespanFunction, join_lifespans
from ohia.types import Middleware

__all__ = ["Composed", "Downstream", "check_middleware", "compose", "middleware_name"]

# The context is whatever the caller composes for, and any value may go upstream.
Step = Callable[..., Coroutine[Any, Any, Any]]


class Downstream:
    """The `next` of one middleware: `await next()`, `await next`, `yield next`, `yield from next`.

    The second call raises NextCalledTwice at once. It has no `__init__`, which would double its
    cost: whoever makes one sets all four.
    """

    __slots__ = ("ctx", "name", "outer", "result", "step")

    ctx: Any
    outer: Any
    step: Step | None
    name: str
    result: object
    """What `items` met at the end."""

    def __call__(self) -> Coroutine[Any, Any, Any]:
        """Start what is downstream; its value is what downstream returns."""
        step = self.step
        if step is None:
            raise NextCalledTwice(f"next() called multiple times, by {self.name}")
        self.step = None
        return step(self.ctx, self.outer)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self().__await__()

    def __iter__(self) -> Generator["Downstream", Any, Any]:  # noqa: PYI058 - it has a value
        return (yield self)

    def items(self, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Yield what `generator` yields, and keep what it returns: a `for` would lose that."""
        self.result = yield from generator
        return self.result


class Composed:
    """A middleware made of others: `await composed(ctx)`, or `composed(ctx, next)` in a chain."""

    def __init__(self, middleware: tuple[Middleware, ...], first: Step) -> None:
        self.middleware = middleware
        self.first = first
        """What a call runs; for whoever calls it once a request."""
        self._name = "composed"

    @property
    def lifespan(self) -> LifespanFunction | None:
        """What enters the lifespans that the middleware carries; None if there are none."""
        return join_lifespans(self.middleware)

    def __call__(self, ctx: Any, next: Any = None) -> Coroutine[Any, Any, Any]:  # noqa: ANN401
        """Run the chain around `ctx`; `next` is what its last `next()` meets."""
        return self.first(ctx, next)


def compose(*middleware: Any, checked: bool | None = None) -> Composed:  # noqa: ANN401 - lists too
    """Return one middleware that runs `middleware`, lists of them too, each around the next.

    `next` of the last one does nothing, or goes to the `next` given to the result: a callable,
    an awaitable or a generator. With `checked` a forgotten `await` is a RuntimeError that names
    who forgot it; None means unless OHIA_ENV is "production" now.

    TypeError for what could never run.
    """
    members = tuple(_flatten(middleware))
    for each in members:
        check_middleware(each)
    if checked is None:
        checked = os.environ.get("OHIA_ENV") != "production"
    link = _link_checked if checked else _link
    step: Step = _end
    for each in reversed(members):
        step = link(_Layer(each), step)
    return Composed(members, step)


def _flatten(middleware: Any) -> Iterator[Any]:  # noqa: ANN401 - lists in lists
    for each in middleware:
        if isinstance(each, (list, tuple)):
            yield from _flatten(each)
        else:
            yield each


# --- names and checks ------------------------------------------------------------------------


def middleware_name(fn: object) -> str:
    """Return what `fn` is called in logs and errors.

    Its `_name`, else its own name, else its class's; "-" for a lambda.

    >>> middleware_name(middleware_name), middleware_name(lambda ctx: None)
    ('middleware_name', '-')
    """
    for attribute in ("_name", "__name__"):
        name = getattr(fn, attribute, None)
        if isinstance(name, str) and name:
            return "-" if name == "<lambda>" else name
    if isinstance(fn, functools.partial):
        return middleware_name(fn.func)
    return type(fn).__name__


def check_middleware(fn: object) -> None:
    """Raise TypeError for what could never run as middleware, and say what to write."""
    if inspect.iscoroutine(fn) or inspect.isgenerator(fn) or inspect.isasyncgen(fn):
        name = fn.__name__
        raise TypeError(
            f"middleware must be a function, got the result of {name}(): you called "
            "it, pass the function itself"
        )
    if isinstance(fn, ModuleType):
        name = fn.__name__.rpartition(".")[2]
        raise TypeError(
            f"middleware must be a function, got a module: from {fn.__name__} import {name}"
        )
    if not callable(fn):
        raise TypeError(f"middleware must be a function, got {reprlib.repr(fn)}")
    if isinstance(fn, type):
        raise TypeError(
            f"middleware must be a function, got the class {fn.__name__}: pass an "
            f"instance of it, {fn.__name__}(...)"
        )
    if inspect.isasyncgenfunction(_function_of(fn)):
        raise TypeError(
            f"the middleware {middleware_name(fn)} is an async generator: write "
            "`await next()` in an `async def`, or `yield next` in a `def`"
        )
    if _is_bundled_factory(fn):
        raise TypeError(
            f"{fn.__name__} is no middleware by itself, it makes one: call it, {fn.__name__}(...)"
        )
    _check_parameters(fn)


def _is_bundled_factory(fn: Any) -> TypeGuard[FunctionType]:  # noqa: ANN401 - any callable
    """Say whether `fn` is a function of `ohia.middleware` itself: what they make is inside them."""
    module = fn.__module__ if isinstance(fn, FunctionType) else ""
    return (module or "").startswith("ohia.middleware.") and "." not in fn.__qualname__


def _check_parameters(fn: Callable[..., Any]) -> None:
    """Refuse a callable that cannot be called with (ctx, next) or (ctx)."""
    name = middleware_name(fn)
    needed = [each for each in _parameters(fn) if each.default is each.empty]
    positional = [each.name for each in needed if each.kind in POSITIONAL]
    keywords = [each.name for each in needed if each.kind is inspect.Parameter.KEYWORD_ONLY]
    if positional == ["scope", "receive", "send"]:
        raise TypeError(
            f"{name} is an ASGI application, no middleware: mount it, "
            '`app.use(mount("/path", asgi(application)))`, one of ohia without `asgi()`'
        )
    if len(positional) > 2:
        raise TypeError(
            f"middleware takes (ctx, next), but {name} needs {', '.join(positional)}: "
            "fix the others by functools.partial, or pass a method bound to its object"
        )
    if keywords:
        raise TypeError(
            f"middleware takes (ctx, next), but {name} needs the keyword "
            f"{', '.join(keywords)}: give it a default, or use functools.partial"
        )
    if not _places(fn):
        raise TypeError(f"middleware takes (ctx, next) or (ctx), but {name} takes no argument")


POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _parameters(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return what `fn` takes, as if (*args) where that cannot be known.

    A wrapper that passes on `*args` takes what the function it wraps takes.
    """
    try:
        signature = inspect.signature(fn, follow_wrapped=False)
    except (TypeError, ValueError):  # some built-ins do not tell
        return [inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL)]
    parameters = list(signature.parameters.values())
    wrapped = getattr(fn, "__wrapped__", None)
    passes_on = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    if passes_on and len(parameters) <= 2 and callable(wrapped):
        return _parameters(wrapped)
    return [each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD]


def _places(fn: Callable[..., Any]) -> int:
    """Return how many arguments `fn` can take by position, 2 for any number."""
    parameters = _parameters(fn)
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return 2
    return sum(each.kind in POSITIONAL for each in parameters)


def _function_of(fn: Any) -> Any:  # noqa: ANN401 - any callable
    """Return the function that runs when `fn` is called, to ask of which kind it is."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    if inspect.isroutine(fn):
        return fn
    return type(fn).__call__


# --- layers ----------------------------------------------------------------------------------


class _Layer:
    """One middleware, and how it is run: decided here once, by its kind and by what it takes."""

    run: Callable[..., Coroutine[Any, Any, Any]]
    name: str
    verb: str
    """How its author waits for something."""
    is_last: bool
    """Whether it is run without a `next`, so that nothing can be downstream."""
    generate: Callable[..., Generator[Any, Any, Any]] | None
    """The middleware itself, if it is a generator function."""

    def __init__(self, fn: Any) -> None:  # noqa: ANN401 - checked by then
        takes_next = _places(fn) >= 2
        call = fn if takes_next else _without_next(fn)
        kind = _verb(fn)
        self.name = middleware_name(fn)
        self.verb = _verb(inspect.unwrap(fn)) if kind == "return" else kind
        self.is_last = kind == "await" and not takes_next
        self.generate = call if kind == "yield" else None
        self.run = RUN[kind](call)


def _verb(fn: Any) -> str:  # noqa: ANN401 - any callable
    """Return how `fn` goes downstream: "await", "yield", or "return" where only a call tells."""
    function = _function_of(fn)
    if inspect.iscoroutinefunction(function) or isinstance(fn, Composed):
        return "await"
    if inspect.isgeneratorfunction(function) and not _is_awaitable_generator(function):
        return "yield"
    return "return"


def _is_awaitable_generator(function: Any) -> bool:  # noqa: ANN401 - a function of any sort
    """Say whether `function` is decorated by `types.coroutine`: then its result is awaited."""
    return bool(function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE)


def _without_next(fn: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def call(ctx: Any, _next: Any = None) -> Any:  # noqa: ANN401 - see Step
        return fn(ctx)

    return call


def _driven(call: Callable[[Any, Any], Any]) -> Step:
    def driven(ctx: Any, next: Any) -> Coroutine[Any, Any, Any]:  # noqa: ANN401 - see Step
        return drive(call(ctx, next), next)

    return driven


def _answered(call: Callable[[Any, Any], Any]) -> Step:
    async def answered(ctx: Any, next: Any) -> Any:  # noqa: ANN401 - see Step
        return await _finish(call(ctx, next), next)

    return answered


# What runs a call of each kind.
RUN: dict[str, Callable[[Callable[..., Any]], Step]] = {
    "await": lambda call: call,
    "yield": _driven,
    "return": _answered,
}


async def _finish(result: Any, *next: Any) -> Any:  # noqa: ANN401 - whatever a plain function gave
    """Return the value that `result` comes to: awaited, driven, or as it is."""
    if inspect.isawaitable(result):
        return await result
    if is_generator(result):
        return await drive(result, *next)
    if isinstance(result, AsyncGeneratorType):
        raise TypeError(
            "middleware returned an async generator, which nothing runs: write "
            "`await next()` in an `async def`, or `yield next` in a `def`"
        )
    return result


async def _end(_ctx: Any, outer: Any = None) -> Any:  # noqa: ANN401 - see Step
    """Stand behind the last middleware: nothing, or the `next` that the whole was given."""
    if outer is not None:
        return await _finish(outer() if callable(outer) else outer)
    return None


def _link(layer: _Layer, following: Step) -> Step:
    run, name = layer.run, layer.name
    if layer.is_last:
        return run
    if layer.generate is not None:
        return _link_generator(layer.generate, name, following)

    def step(ctx: Any, outer: Any = None) -> Coroutine[Any, Any, Any]:  # noqa: ANN401 - see Step
        downstream = Downstream()
        downstream.ctx = ctx
        downstream.outer = outer
        downstream.step = following
        downstream.name = name
        return run(ctx, downstream)

    return step


def _link_generator(
    generate: Callable[..., Generator[Any, Any, Any]], name: str, following: Step
) -> Step:
    """Link by `drive`, but for its usual case: `yield next`, once, and None comes back.

    A `for` resumes a generator with None and hears of its end without StopIteration, which costs
    more than all the rest.
    """

    async def step(ctx: Any, outer: Any = None) -> Any:  # noqa: ANN401 - see Step
        downstream = Downstream()
        downstream.ctx = ctx
        downstream.outer = outer
        downstream.step = following
        downstream.name = name
        failure = None
        items = downstream.items(generate(ctx, downstream))
        for item in items:
            try:
                if item is downstream and downstream.step is following:
                    downstream.step = None
                    value = await following(ctx, outer)
                else:
                    value = await to_awaitable(item)
            except BaseException as error:  # noqa: BLE001 - the generator decides
                value, failure = None, error
                break
            if value is not None:
                break
        else:
            return downstream.result
        rest = drive(items, downstream, value, failure)
        failure = None  # it would make a cycle with this frame
        return await rest

    return step


# --- outside production ----------------------------------------------------------------------


class _CheckedDownstream(Downstream):
    """A `next` that remembers the coroutine it gave away."""

    __slots__ = ("coroutine",)

    coroutine: "CoroutineType[Any, Any, Any] | None"

    def __call__(self) -> Coroutine[Any, Any, Any]:
        coroutine = super().__call__()
        self.coroutine = cast("CoroutineType[Any, Any, Any]", coroutine)
        return coroutine


def _link_checked(layer: _Layer, following: Step) -> Step:
    async def step(ctx: Any, outer: Any = None) -> Any:  # noqa: ANN401 - see Step
        downstream = _CheckedDownstream()
        downstream.ctx = ctx
        downstream.outer = outer
        downstream.step = following
        downstream.name = layer.name
        downstream.coroutine = None
        try:
            result = await layer.run(ctx, downstream)
        except BaseException:
            _close_unstarted(downstream.coroutine)
            raise
        _check_awaited(layer, downstream, result)
        if result is not None and downstream.step is following:
            _note_value(ctx, layer.name, result)
        return result

    return step


# Types of values that look as if their middleware meant them for the client, or as if it was
# never called to make one.
LIKE_ANSWERS = (str, bytes, dict, list, tuple, FunctionType)


def _note_value(ctx: Any, name: str, value: object) -> None:  # noqa: ANN401 - see Step
    """Keep what the last layer did, if ctx cares, to be told if nobody answers."""
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


def _check_awaited(layer: _Layer, downstream: _CheckedDownstream, result: object) -> None:
    """Raise RuntimeError if the middleware left something to wait for behind."""
    coroutine = downstream.coroutine
    if coroutine is not None and coroutine.cr_frame is not None:  # it has not ended
        raise RuntimeError(f"{layer.name} {_oversight(layer, coroutine, result)}")
    if result is None:
        return
    if result is downstream or _close_unstarted(result):
        called = "next()" if result is downstream else f"{middleware_name(result)}()"
        raise RuntimeError(f"{layer.name} {_returned(layer, called)}")


def _oversight(layer: _Layer, coroutine: Coroutine[Any, Any, Any], result: object) -> str:
    """Return what the middleware did with the `coroutine` of its next(), and what to write."""
    if not _close_unstarted(coroutine):
        return "returned before what its next() began had ended: await it"
    if result is coroutine:
        return _returned(layer, "next()")
    return f"called next() without awaiting it: write `{CALLS[layer.verb]}`"


def _returned(layer: _Layer, called: str) -> str:
    return f"returned {called} without awaiting it: write `{RETURNS[layer.verb].format(called)}`"


def _close_unstarted(awaited: object) -> bool:
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
