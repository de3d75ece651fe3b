"""ASGI applications of others in the chain, and a chain around one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Unpack

from ohia import Context, Middleware, Next, Ohia
from ohia.foreign import AsgiApp, enter_lifespan, serve
from ohia.upgrade import UpgradeOptions

__all__ = ["around", "asgi"]


def asgi(application: AsgiApp, **upgrade: Unpack[UpgradeOptions]) -> Middleware:
    """Answer every request by the ASGI 3 application `application`.

    Under a path by `mount("/path", asgi(application))`. Its lifespan runs with this app's.
    `upgrade` are options of `ctx.upgrade()` for the WebSockets that it accepts; `subprotocols`
    it chooses itself.
    """
    if not callable(application):
        raise TypeError(f"asgi() takes an ASGI application, got {application!r}")
    state: dict[str, Any] = {}

    async def asgi(ctx: Context[Any], next: Next) -> None:  # noqa: ARG001 - it answers
        await serve(ctx, application, state=state, upgrade_options=upgrade)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncGenerator[None]:
        async with enter_lifespan(application, state):
            yield

    asgi.lifespan = lifespan  # type: ignore[attr-defined]
    return asgi


def around(application: AsgiApp, /, *middleware: Middleware, **settings: Any) -> Ohia:  # noqa: ANN401 - those of Ohia
    """Return an ohia application that has `middleware` around the ASGI 3 application.

    `settings` are those of `Ohia`. It is ASGI middleware as others want it: Starlette takes
    `Middleware(around, cors(), compress())`.
    """
    app: Ohia = Ohia(**settings)
    app.use(*middleware, asgi(application))
    return app
