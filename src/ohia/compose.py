"""Many middleware in, one out: the onion.

Each middleware becomes a step `(ctx, outer) -> coroutine` that is linked to the following step
once, when `compose` is called. Per request a step makes one `Downstream` and calls its middleware
with it, so `await next()` goes straight into the next coroutine: no task, no wrapper, no look-up.
"""

import inspect
import os
from collections.abc import Callable, Coroutine, Generator, Iterator
from types import AsyncGeneratorType, CoroutineType
from typing import Any, cast

from ohia.co import drive, is_generator, to_awaitable
from ohia.errors import NextCalledTwice
from ohia.lifespan import LifespanFunction, join_lifespans
from ohia.oversight import check_awaited, close_unstarted, note_value
from ohia.signature import check_middleware, function_of, middleware_name, places
from ohia.types import Middleware

__all__ = ["Composed", "Downstream", "compose"]

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
        takes_next = places(fn) >= 2
        call = fn if takes_next else _without_next(fn)
        kind = _verb(fn)
        self.name = middleware_name(fn)
        self.verb = _verb(inspect.unwrap(fn)) if kind == "return" else kind
        self.is_last = kind == "await" and not takes_next
        self.generate = call if kind == "yield" else None
        self.run = RUN[kind](call)


def _verb(fn: Any) -> str:  # noqa: ANN401 - any callable
    """Return how `fn` goes downstream: "await", "yield", or "return" where only a call tells."""
    function = function_of(fn)
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
            close_unstarted(downstream.coroutine)
            raise
        check_awaited(layer, downstream, result)
        if result is not None and downstream.step is following:
            note_value(ctx, layer.name, result)
        return result

    return step
