"""An application inside another: its chain runs around the same ctx, which is its own meanwhile.

One request has one ctx, so that whatever is set inside is there upstream. While the inner chain
runs, that ctx is of the inner application's class, reads its settings, signs with its keys. What
was registered outside (`before_send` and its kin) runs as it would outside, and the other way;
so is a body in pieces made by whom it was set.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false
# ruff: noqa: SLF001

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from ohia.lifespan import LifespanFunction
from ohia.response import UNSET, is_path, is_stream
from ohia.side import Side, cross, current_in

if TYPE_CHECKING:
    from ohia.application import Ohia
    from ohia.context import Context

__all__ = ["Inside"]


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
        cross(ctx, outer, inner)
        try:
            with current_in(app, ctx):
                return await self._run(ctx, inner, outer, next)
        finally:
            cross(ctx, inner, outer)
            inner.passing = None  # its traceback leads back to ctx

    async def _run(
        self, ctx: "Context[Any]", inner: "Side", outer: "Side", next: Callable[[], Awaitable[Any]]
    ) -> Any:  # noqa: ANN401 - as downstream
        """Run the chain, and tell of its errors."""
        try:
            result = await self.app._chain()(ctx, lambda: _go_on(ctx, inner, outer, next))
            _encode(ctx, inner)
        except BaseException as error:
            if error is not inner.passing:
                self.app._tell_inside(error, ctx)
            raise
        ctx._set_by = inner.whose(ctx._set_by, ctx._body)
        return result


async def _go_on(
    ctx: "Context[Any]", inner: "Side", outer: "Side", next: Callable[[], Awaitable[Any]]
) -> Any:  # noqa: ANN401 - as downstream
    """Run what is behind the application as outside."""
    cross(ctx, inner, outer)
    try:
        return await next()
    except BaseException as error:
        inner.passing = error
        raise
    finally:
        inner.found = ctx._body
        cross(ctx, outer, inner)


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
