"""The sides of a context: what it is to each of the applications that are inside one another.

Only one is shown at a time. A hook, a body in pieces and its closing run as on the side where
they come from.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false
# ruff: noqa: SLF001

import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ohia.file_body import FileBody
from ohia.sources import close_source
from ohia.state import State
from ohia.view import View

if TYPE_CHECKING:
    from ohia.application import Ohia
    from ohia.context import Context

__all__ = ["SetBy", "Side", "close_body", "cross", "current_in", "shown"]

OWN = (
    "app",
    "_cookies",
    "_request_view",
    "_response_view",
    "_state",
    "_ip",
    "_trusted_hop",
    "_parsed_url",
)
"""The slots of a context that depend on the settings of its application."""

HOOKS = ("_before_send", "_on_detach", "_on_finished")


SetBy: TypeAlias = "tuple[object, Side] | None"
"""A body that was set inside of an application, and on which side."""


class Side:
    """A context as one of several applications knows it; `outer` is the one around it.

    `passing` is an error that only passes through this application, because it comes from
    outside of it; `found` is the body that was there before what its own middleware set.
    """

    __slots__ = ("found", "kind", "outer", "passing", "values")

    def __init__(self, kind: type[Any], values: list[Any], outer: "Side | None" = None) -> None:
        self.kind: type[Any] = kind
        self.values: list[Any] = values
        self.outer: Side | None = outer
        self.passing: BaseException | None = None
        self.found: object = None

    @classmethod
    def of(cls, ctx: "Context[Any]") -> "Side":
        """Return `ctx` as the outermost application knows it."""
        return cls(type(ctx), [getattr(ctx, name) for name in OWN])

    @classmethod
    def of_inner(cls, app: "Ohia[Any]", ctx: "Context[Any]", outer: "Side") -> "Side":
        """Return the side of `app`: a state that begins with what the outer one has now.

        What the lifespan of `app` yielded is its own, whatever the outer one calls so.
        """
        state = State({**vars(ctx.state), **app.lifespan_state})
        request, response = _view(app.request, ctx.request), _view(app.response, ctx.response)
        side = cls(app.context, [app, None, request, response, state, None, None, None], outer)
        side.found = ctx._body
        return side

    def show(self, ctx: Any) -> None:  # noqa: ANN401 - it changes its class
        """Make `ctx` what it is on this side."""
        ctx.__class__ = self.kind
        ctx._side = self
        for name, value in zip(OWN, self.values, strict=True):
            setattr(ctx, name, value)

    def keep(self, ctx: "Context[Any]") -> None:
        """Remember what has been made of `ctx` meanwhile."""
        self.values = [getattr(ctx, name) for name in OWN]

    def whose(self, known: SetBy, body: object) -> SetBy:
        """Return whose `body` is at the end of this side, if not of one outside of it."""
        if known is not None and known[0] is body:
            return known
        return None if body is self.found else (body, self)

    def fail(self, error: BaseException, ctx: "Context[Any]", here: "Side") -> None:
        """Tell of `error` in a hook of this side, which ran while `here` was shown.

        What is around both hears of it by itself; what is only around `here` lets it pass.
        """
        around = list(self.upwards())
        common = next(each for each in here.upwards() if each in around)
        for each in here.upwards(common):
            each.passing = error
        for each in self.upwards(common):
            each.tell(error, ctx)

    def report(self, error: BaseException, ctx: "Context[Any]") -> None:
        """Tell of `error` here and outwards; the outermost application reports it."""
        for each in self.upwards():
            if each.outer is not None:
                each.tell(error, ctx)
            else:
                with shown(ctx, each):
                    ctx.app.report(error, ctx)

    def tell(self, error: BaseException, ctx: "Context[Any]") -> None:
        """Tell the listeners of this side, as which they find `ctx`."""
        with shown(ctx, self):
            ctx.app._tell_inside(error, ctx)

    def upwards(self, end: "Side | None" = None) -> "Iterator[Side]":
        """Yield this side and those around it, up to `end`, which is not meant."""
        side: Side | None = self
        while side is not None and side is not end:
            yield side
            side = side.outer

    @staticmethod
    def pieces(
        ctx: "Context[Any]", body: object, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Return the `pieces` of `body`, made as on the side that has set it; a file's as is."""
        known = ctx._set_by
        if isinstance(pieces, FileBody) or known is None or known[0] is not body:
            return pieces
        return _Pieces(ctx, known[1], pieces)


def _view(kind: type[View], outer: View) -> View:
    """Return a view of `kind` with what was set on the `outer` one, such as `request.body`."""
    view = kind(outer.ctx)
    object.__setattr__(view, "__dict__", outer.__dict__)  # one and the same, both ways
    return view


class _Hook:
    """A hook that runs as on the side where it was registered."""

    def __init__(self, hook: Callable[..., object], side: Side) -> None:
        self.hook = hook
        self.side = side

    def __call__(self, *arguments: Any) -> object:  # noqa: ANN401 - a hook's, of which ctx is last
        ctx: Context[Any] = arguments[-1]
        return self.hook(*arguments) if ctx._side is self.side else self._run(ctx, arguments)

    async def _run(self, ctx: "Context[Any]", arguments: tuple[Any, ...]) -> None:
        with _entered(ctx, self.side):
            result = self.hook(*arguments)
            if inspect.isawaitable(result):
                await result


class _Pieces:
    """The pieces of a body that was set inside, each made while ctx is as it was there."""

    def __init__(self, ctx: "Context[Any]", side: Side, pieces: AsyncIterator[bytes]) -> None:
        self._ctx = ctx
        self._side = side
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with _entered(self._ctx, self._side):
            piece = await anext(self._pieces, None)
        if piece is None:
            raise StopAsyncIteration
        return piece


async def close_body(ctx: "Context[Any]", body: object) -> None:
    """Close what was a `body`, as on the side that has set it."""
    known = ctx._set_by
    with nullcontext() if known is None or known[0] is not body else _entered(ctx, known[1]):
        await close_source(body)


@contextmanager
def _entered(ctx: "Context[Any]", side: Side) -> Generator[None]:
    """Show `ctx` as on `side` for a block, whose errors are of that application."""
    here = cast("Side", ctx._side)  # something is bound, so the context has crossed
    with shown(ctx, side):
        try:
            yield
        except BaseException as error:
            side.fail(error, ctx, here)
            raise


@contextmanager
def shown(ctx: "Context[Any]", side: Side | None) -> Generator[None]:
    """Show `ctx` as on `side` for a block; None is the outermost one."""
    here = ctx._side
    if here is None:  # there is only one
        yield
        return
    wanted = side or list(here.upwards())[-1]
    with current_in(wanted.values[0], ctx):
        cross(ctx, here, wanted)
        try:
            yield
        finally:
            cross(ctx, wanted, here)


@contextmanager
def current_in(app: "Ohia[Any]", ctx: "Context[Any]") -> Generator[None]:
    """Make `ctx` the `current_context` of `app` for a block."""
    current = [ctx]  # emptied in the end: a task that outlives the request must not hold it
    before = app._current.set(current)
    try:
        yield
    finally:
        app._current.reset(before)
        current.clear()


def cross(ctx: "Context[Any]", left: Side, entered: Side) -> None:
    """Show `entered` instead of `left`, whose hooks are those that nobody has bound so far."""
    for name in HOOKS:
        hooks = getattr(ctx, name)
        if hooks:
            bound = [each if isinstance(each, _Hook) else _Hook(each, left) for each in hooks]
            setattr(ctx, name, bound)
    left.keep(ctx)
    entered.show(ctx)
