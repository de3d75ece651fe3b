"""ASGI: an application under any server, or mounted in any framework, that speaks it.

`serve` makes an exchange of each request and lets the application answer it, `serve_lifespan`
tells it when the server starts and stops. What a server cannot do shows in `docs/servers.md`.
"""

import traceback
from collections.abc import Awaitable, Callable

from ohia import late
from ohia.adapters.asgi.http import HttpExchange
from ohia.adapters.asgi.websocket import WebSocketExchange
from ohia.exchange import Handler
from ohia.types import Receive, Scope, Send

__all__ = ["ResponseAborted", "serve", "serve_lifespan"]

late.load()

EXCHANGES: dict[str, type[HttpExchange | WebSocketExchange]] = {
    "http": HttpExchange,
    "websocket": WebSocketExchange,
}


class ResponseAborted(RuntimeError):
    """Raised to the server: a response is not whole, so the connection must be cut.

    An ASGI application has no other way to say so. Its cause has been reported before.
    """


async def serve(handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of type `http` or `websocket`; raise ValueError for any other.

    Raises ResponseAborted when the application left the response unfinished and the client is
    still there.
    """
    exchange = _exchange(scope, receive, send)
    await handler.handle(exchange)
    if exchange.must_be_cut:
        raise ResponseAborted("the response is not whole; the server shall cut the connection")


async def serve_lifespan(
    handler: Handler,
    scope: Scope,  # noqa: ARG001 - the signature is ASGI's
    receive: Receive,
    send: Send,
) -> None:
    """Start and stop the application when the server says so, both in this one task.

    A failure is told to the server with its traceback, which is what servers log. An
    application that was started is stopped even when the server gives up half-way.
    """
    await receive()  # lifespan.startup
    if not await _attempt(handler.startup, "startup", send):
        return
    try:
        await receive()  # lifespan.shutdown
    except BaseException:
        await handler.shutdown()
        raise
    await _attempt(handler.shutdown, "shutdown", send)


def _exchange(scope: Scope, receive: Receive, send: Send) -> HttpExchange | WebSocketExchange:
    kind = scope["type"]
    if kind not in EXCHANGES:
        raise ValueError(f"ohia serves the ASGI scopes http, websocket and lifespan, got {kind!r}")
    return EXCHANGES[kind](scope, receive, send)


async def _attempt(action: Callable[[], Awaitable[None]], name: str, send: Send) -> bool:
    try:
        await action()
    except Exception as error:  # noqa: BLE001 - whatever it is, the server shall hear of it
        message = "".join(traceback.format_exception(error))
        await send({"type": f"lifespan.{name}.failed", "message": message})
        return False
    await send({"type": f"lifespan.{name}.complete"})
    return True
