"""Koa for Python: one onion of middleware for requests, streams and WebSockets."""

from typing import TYPE_CHECKING

from ohia.application import Ohia
from ohia.context import Context
from ohia.cookies import Cookies
from ohia.errors import ClientDisconnect, HTTPError, WebSocketClosed
from ohia.keygrip import Keygrip
from ohia.request import Request
from ohia.response import Response
from ohia.types import Middleware, Next
from ohia.websocket import WebSocket

# These names equal their module: imported last, so that the function is what `ohia.co` means.
from ohia.co import co, thunk  # isort: skip
from ohia.compose import compose  # isort: skip
from ohia.debug import debug  # isort: skip
from ohia.upgrade import upgrade  # isort: skip

if TYPE_CHECKING:
    from ohia.server.run import run
    from ohia.server.server import Server
else:

    def __getattr__(name: str) -> object:
        """Load the server when it is first asked for: tests and ASGI applications never do."""
        if name == "Server":
            from ohia.server.server import Server  # noqa: PLC0415 - see ohia.late

            return Server
        if name == "run":
            from ohia.server.run import run  # noqa: PLC0415 - see ohia.late

            return run
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ClientDisconnect",
    "Context",
    "Cookies",
    "HTTPError",
    "Keygrip",
    "Middleware",
    "Next",
    "Ohia",
    "Request",
    "Response",
    "Server",
    "WebSocket",
    "WebSocketClosed",
    "co",
    "compose",
    "debug",
    "run",
    "thunk",
    "upgrade",
]
