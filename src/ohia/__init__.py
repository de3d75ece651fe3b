"""Koa for Python: one onion of middleware for requests, streams and WebSockets."""

from ohia.application import Ohia
from ohia.context import Context
from ohia.cookies import Cookies
from ohia.errors import ClientDisconnect, HTTPError, WebSocketClosed
from ohia.keygrip import Keygrip
from ohia.request import Request
from ohia.response import Response
from ohia.server.run import run
from ohia.server.server import Server
from ohia.types import Middleware, Next
from ohia.websocket import WebSocket

# These names equal their module: imported last, so that the function is what `ohia.co` means.
from ohia.co import co, thunk  # isort: skip
from ohia.compose import compose  # isort: skip
from ohia.debug import debug  # isort: skip
from ohia.upgrade import upgrade  # isort: skip

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
