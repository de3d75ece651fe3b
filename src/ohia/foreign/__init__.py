"""ASGI applications and middleware of others, run on a ctx: `serve`, `serve_through`.

What `ohia.adapters.asgi` is for a server below, this is for an application inside: ctx plays
the server. The middleware `asgi`, `asgi_middleware` and `wsgi` are made of it.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import asyncio
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from ohia.context import Context
from ohia.errors import ClientDisconnect, HTTPError
from ohia.foreign.carried import Carried, carrying, unpacking
from ohia.foreign.host import AsgiApp, Host, OneSide
from ohia.foreign.inner import Inner
from ohia.foreign.lifespan import enter_lifespan
from ohia.foreign.scope import make_scope
from ohia.side import Side, shown
from ohia.types import Next, Receive, Scope, Send
from ohia.upgrade import UpgradeOptions

__all__ = ["AsgiApp", "carrying", "enter_lifespan", "rest_of_chain", "serve", "serve_through"]

NOTHING: Mapping[str, Any] = MappingProxyType({})
INNER = "ohia.inner"  # where a scope names the chain that its request runs in


async def serve(
    ctx: Context[Any],
    app: AsgiApp,
    *,
    state: Mapping[str, Any] = NOTHING,
    sockets: bool = True,
    upgrade_options: UpgradeOptions | None = None,
) -> None:
    """Let the ASGI application `app` answer `ctx`; return when its response is known.

    What it does after its response (background tasks) goes on, held by `ctx.app`, whose end
    waits for it; an error in that is reported. An error before is raised. `state` is what the
    lifespan of `app` set. Without `sockets` a handshake is offered as the GET that it is.
    """
    kind = "websocket" if sockets and ctx.upgradable else "http"
    host = Host(ctx, kind, OneSide(upgrade_options or {}))
    task = asyncio.create_task(_run(host, app, make_scope(ctx, kind, state)))
    try:
        await host.answered.wait()
    except BaseException:
        task.cancel()
        try:
            await asyncio.wait([task])
        finally:  # cancelled again, it is not waited for
            _let_go(ctx, task)
        raise
    if not host.is_complete:
        try:
            with unpacking():
                await task
        finally:
            del task  # its error has this frame in its traceback: a cycle
        return
    _let_go(ctx, task)
    host.apply()


async def serve_through(
    ctx: Context[Any], next: Next, app: AsgiApp, *, state: Mapping[str, Any] = NOTHING
) -> None:
    """Let the ASGI application `app` answer `ctx`; below it, `rest_of_chain` runs `next`.

    All in this task. An error after the response, which ASGI middleware raises for the server's
    log, is reported; any other is raised, and every HTTPError.
    """
    kind = "websocket" if ctx.upgradable else "http"
    inner = Inner(ctx, next)
    host = Host(ctx, kind, inner)
    scope = make_scope(ctx, kind, state)
    inner.begin(scope)
    scope[INNER] = inner
    try:
        with unpacking():
            await host.run(app, scope)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if not host.is_complete or isinstance(error, HTTPError):
            raise
        ctx.app.report(error, ctx)
    host.apply()


async def rest_of_chain(scope: Scope, receive: Receive, send: Send) -> None:
    """Be the ASGI application below `serve_through`: the rest of that request's chain."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    await scope[INNER](scope, receive, send)


async def _run(host: Host, app: AsgiApp, scope: Scope) -> None:
    with carrying():
        await host.run(app, scope)


def _let_go(ctx: Context[Any], task: "asyncio.Task[None]") -> None:
    """Leave the rest of `task` to the app."""
    if task.done():
        _tell(ctx, ctx._side, task)
    else:
        ctx.app.hold(task)
        task.add_done_callback(partial(_tell, ctx, ctx._side))


def _tell(ctx: Context[Any], side: Side | None, task: "asyncio.Task[None]") -> None:
    """Report what `task` raised when nobody waited, unless that is only the client's going."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, Carried):
        error = error.error
    if error is not None and not isinstance(error, ClientDisconnect):
        with shown(ctx, side):
            ctx.app.report(error, ctx)
