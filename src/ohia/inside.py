"""An application inside another: its chain runs around the same ctx, which is its own meanwhile.

One request has one ctx, so that whatever is set inside is there upstream. While the inner chain
runs, that ctx is of the inner application's class, reads its settings, signs with its keys. What
was registered outside (`before_send` and its kin) runs as it would outside, and the other way.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false
# ruff: noqa: SLF001

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ohia.lifespan import LifespanFunction
from ohia.response import UNSET, is_path, is_stream
from ohia.state import State
from ohia.view import View

if TYPE_CHECKING:
    from ohia.application import Ohia
    from ohia.context import Context

__all__ = ["Inside"]

OWN = ("app", "_cookies", "_request_view", "_response_view", "_state", "_ip", "_trusted_hop")
"""The slots of a context that depend on the settings of its application."""

HOOKS = ("_before_send", "_on_detach", "_on_finished")


class Inside:
    """A middleware that runs the whole of an application: `app.as_middleware()`."""

    def __init__(self, app: "Ohia[Any]") -> None:
        self.app = app
        self._name = app.name or "application"

    @property
    def lifespan(self) -> LifespanFunction | None:
        """What enters the application's own lifespan; None if there is nothing to enter."""
        if not self.app._lifespan.functions:
            return None
        return lambda _outer: self.app.lifespan_context()

    async def __call__(self, ctx: "Context[Any]", next: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Run the chain around `ctx`; what is behind it runs as outside."""
        app = self.app
        app._begin_inside(ctx.app)
        outer = _Side.of(ctx)
        inner = _Side.of_inner(app, ctx)

        async def downstream() -> Any:  # noqa: ANN401 - see Step
            _cross(ctx, inner, outer)
            try:
                return await next()
            finally:
                _cross(ctx, outer, inner)

        _cross(ctx, outer, inner)
        current = [ctx]  # emptied in the end: a task that outlives the request must not hold it
        before = app._current.set(current)
        try:
            result = await app._chain()(ctx, downstream)
            _encode(ctx, outer)
        except BaseException as error:
            app._tell_inside(error, ctx)
            raise
        finally:
            app._current.reset(before)
            current.clear()
            _cross(ctx, inner, outer)
        return result


class _Side:
    """A context as one of two applications knows it."""

    __slots__ = ("kind", "values")

    def __init__(self, kind: type[Any], values: list[Any]) -> None:
        self.kind = kind
        self.values = values

    @classmethod
    def of(cls, ctx: "Context[Any]") -> "_Side":
        return cls(type(ctx), [getattr(ctx, name) for name in OWN])

    @classmethod
    def of_inner(cls, app: "Ohia[Any]", ctx: "Context[Any]") -> "_Side":
        """Return the side of `app`: a state that begins with what the outer one has now."""
        state = State(app.lifespan_state)
        for name in ctx.state:
            state[name] = ctx.state[name]
        request = _view(app.request, ctx, ctx._request_view)
        response = _view(app.response, ctx, ctx._response_view)
        return cls(app.context, [app, None, request, response, state, None, None])

    def show(self, ctx: Any) -> None:  # noqa: ANN401 - it changes its class
        ctx.__class__ = self.kind
        for name, value in zip(OWN, self.values, strict=True):
            setattr(ctx, name, value)

    def keep(self, ctx: "Context[Any]") -> None:
        """Remember what has been made of `ctx` meanwhile."""
        self.values = [getattr(ctx, name) for name in OWN]


def _view(kind: type[View], ctx: "Context[Any]", outer: View | None) -> View | None:
    """Return a view of `kind` with what was set on the `outer` one, such as `request.body`."""
    if outer is None:
        return None
    view = kind(ctx)
    object.__setattr__(view, "__dict__", outer.__dict__)  # one and the same, both ways
    return view


class _Hook:
    """A hook that runs as on the side where it was registered."""

    def __init__(self, hook: Callable[..., object], side: _Side) -> None:
        self.hook = hook
        self.side = side

    def __call__(self, *arguments: Any) -> object:  # noqa: ANN401 - a hook's, of which ctx is last
        ctx: Context[Any] = arguments[-1]
        return self.hook(*arguments) if ctx.app is self.side.values[0] else self._run(arguments)

    async def _run(self, arguments: tuple[Any, ...]) -> None:
        ctx = arguments[-1]
        here = _Side.of(ctx)
        self.side.show(ctx)
        try:
            result = self.hook(*arguments)
            if inspect.isawaitable(result):
                await result
        finally:
            self.side.keep(ctx)
            here.show(ctx)


def _cross(ctx: "Context[Any]", left: _Side, entered: _Side) -> None:
    for name in HOOKS:
        hooks = getattr(ctx, name)
        if hooks:
            bound = [each if isinstance(each, _Hook) else _Hook(each, left) for each in hooks]
            setattr(ctx, name, bound)
    left.keep(ctx)
    entered.show(ctx)


def _encode(ctx: "Context[Any]", outer: _Side) -> None:
    """Write a JSON body by the settings of this side, if those of the other would differ."""
    body, app, host = ctx._body, ctx.app, outer.values[0]
    if app.json_spaces == host.json_spaces and app.json_default is host.json_default:
        return
    if ctx._payload is not None or body is None or body is UNSET or ctx._response_headers.sent:
        return
    if not is_path(body) and not is_stream(body):
        ctx._payload = ctx._encoded()
