"""An application inside another: its chain runs around the same ctx, which is its own meanwhile.

One request has one ctx, so that whatever is set inside is there upstream. While the inner chain
runs, that ctx is of the inner application's class, reads its settings, signs with its keys. What
was registered outside (`before_send` and its kin) runs as it would outside, and the other way;
so is a body in pieces made by whom it was set.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false
# ruff: noqa: SLF001

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from ohia.file_body import FileBody
from ohia.lifespan import LifespanFunction
from ohia.response import UNSET, is_path, is_stream
from ohia.state import State
from ohia.view import View

if TYPE_CHECKING:
    from ohia.application import Ohia
    from ohia.context import Context

__all__ = ["Inside", "Side"]

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


class Inside:
    """A middleware that runs the whole of an application: `app.as_middleware()`."""

    def __init__(self, app: "Ohia[Any]") -> None:
        self.app = app
        self._name = app.name or "application"
        self._is_asked = False

    @property
    def lifespan(self) -> LifespanFunction | None:
        """What enters the application's own lifespan; None if there is nothing to enter.

        ValueError, when the outer one starts, for an application that is inside of itself.
        """
        if self._is_asked:
            raise ValueError(f"an application cannot be inside of itself: {self._name}")
        self._is_asked = True
        try:
            if not self.app._lifespan.functions:
                return None
        finally:
            self._is_asked = False
        return lambda _outer: self.app.lifespan_context()

    async def __call__(self, ctx: "Context[Any]", next: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Run the chain around `ctx`; what is behind it runs as outside."""
        app = self.app
        app._begin_inside(ctx.app)
        outer = ctx._side or Side.of(ctx)
        inner = Side.of_inner(app, ctx, outer)
        _cross(ctx, outer, inner)
        current = [ctx]  # emptied in the end: a task that outlives the request must not hold it
        before = app._current.set(current)
        try:
            result = await app._chain()(ctx, lambda: _go_on(ctx, inner, outer, next))
            _encode(ctx, inner)
            outer.body = inner.own_body(ctx._body)
        except BaseException as error:
            if error is not inner.passing:
                app._tell_inside(error, ctx)
            raise
        finally:
            app._current.reset(before)
            current.clear()
            _cross(ctx, inner, outer)
            inner.passing = None  # its traceback leads back to ctx
        return result


async def _go_on(
    ctx: "Context[Any]", inner: "Side", outer: "Side", next: Callable[[], Awaitable[Any]]
) -> Any:  # noqa: ANN401 - as downstream
    """Run what is behind the application as outside."""
    _cross(ctx, inner, outer)
    try:
        return await next()
    except BaseException as error:
        inner.passing = error
        raise
    finally:
        inner.found = ctx._body
        _cross(ctx, outer, inner)


class Side:
    """A context as one of several applications knows it; `outer` is the one around it.

    `passing` is an error that only passes through this application, because it comes from
    outside of it; `found` is the body that was there before what its own middleware set; `body`
    is one that an application inside has set, and whose.
    """

    __slots__ = ("body", "found", "kind", "outer", "passing", "values")

    def __init__(self, kind: type[Any], values: list[Any], outer: "Side | None" = None) -> None:
        self.kind: type[Any] = kind
        self.values: list[Any] = values
        self.outer: Side | None = outer
        self.passing: BaseException | None = None
        self.found: object = None
        self.body: tuple[object, Side] | None = None

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

    def own_body(self, body: object) -> "tuple[object, Side] | None":
        """Return `body` and whose it is: of this side, of one inside of it, or None of outside."""
        if self.body is not None and self.body[0] is body:
            return self.body
        return None if body is self.found else (body, self)

    def pieces(
        self, ctx: "Context[Any]", body: object, pieces: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Return the `pieces` of `body`, made as on the side that has set it; a file's as is."""
        if isinstance(pieces, FileBody) or self.body is None or self.body[0] is not body:
            return pieces
        return _Pieces(ctx, self.body[1], pieces)

    def fail(self, error: BaseException, ctx: "Context[Any]", here: "Side") -> None:
        """Tell of `error` in a hook of this side, which ran while `here` was shown.

        It passes through the applications between; to those outside of this one it goes up as
        any other.
        """
        between: list[Side] = []
        side: Side | None = here
        while side is not None and side is not self:
            between.append(side)
            side = side.outer
        if side is None:
            self.values[0]._tell_inside(error, ctx)
            return
        for each in between:
            each.passing = error


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
        here = cast("Side", ctx._side)  # it is bound, so the context has crossed
        _cross(ctx, here, self.side)
        try:
            result = self.hook(*arguments)
            if inspect.isawaitable(result):
                await result
        except BaseException as error:
            self.side.fail(error, ctx, here)
            raise
        finally:
            _cross(ctx, self.side, here)


class _Pieces:
    """The pieces of a body that was set inside, each made while ctx is as it was there."""

    def __init__(self, ctx: "Context[Any]", side: Side, pieces: AsyncIterator[bytes]) -> None:
        self._ctx = ctx
        self._side = side
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        ctx, side = self._ctx, self._side
        here = cast("Side", ctx._side)
        current: ContextVar[Any] = side.values[0]._current
        before = current.set([ctx])
        _cross(ctx, here, side)
        try:
            return await anext(self._pieces)
        except Exception as error:
            if not isinstance(error, StopAsyncIteration):
                side.fail(error, ctx, here)
            raise
        finally:
            _cross(ctx, side, here)
            current.reset(before)


def _cross(ctx: "Context[Any]", left: Side, entered: Side) -> None:
    """Show `entered` instead of `left`, whose hooks are those that nobody has bound so far."""
    for name in HOOKS:
        hooks = getattr(ctx, name)
        if hooks:
            bound = [each if isinstance(each, _Hook) else _Hook(each, left) for each in hooks]
            setattr(ctx, name, bound)
    left.keep(ctx)
    entered.show(ctx)


def _encode(ctx: "Context[Any]", inner: Side) -> None:
    """Write a JSON body that was set inside by the settings there, if those outside differ."""
    body, app, host = ctx._body, ctx.app, cast("Side", inner.outer).values[0]
    if app.json_spaces == host.json_spaces and app.json_default is host.json_default:
        return
    if body is inner.found or body is None or body is UNSET:
        return
    if ctx._payload is not None or ctx._response_headers.sent:
        return
    if not is_path(body) and not is_stream(body):
        ctx._payload = ctx._encoded()
