"""The rest of a chain as an ASGI application, and the two sides that its ctx has meanwhile.

Downstream answers to the ASGI middleware around it, upstream to the server. So ctx has an
exchange and a response for each, and changes from one to the other where the middleware is
entered and left. What is about the request alone, and what users put on ctx, is the same on
both sides.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

from collections.abc import Awaitable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from ohia.adapters.asgi.exchange import AsgiExchange
from ohia.adapters.asgi.http import HttpExchange
from ohia.adapters.asgi.socket import AsgiSocket
from ohia.adapters.asgi.websocket import WebSocketExchange
from ohia.context import Context
from ohia.exchange import Exchange, SocketOptions
from ohia.foreign.answer import Head, set_head
from ohia.foreign.carried import carrying
from ohia.http.headers import Headers
from ohia.respond import respond
from ohia.response import UNSET
from ohia.side import shown
from ohia.types import Next, Receive, Scope, Send
from ohia.upgrade import UpgradeOptions

__all__ = ["Inner"]

WHOLE = ("_body", "_body_is_null", "_has_status", "_message", "_payload", "_status")
RESPONSE = (
    *WHOLE,
    *("_before_send", "_cookies", "_filters", "_flushed", "_is_plain", "_late_warned"),
    *("_respond", "_response_headers", "_socket", "_stream"),
)
REQUEST = (
    *(
        "_accept",
        "_exchange",
        "_ip",
        "_mount_path",
        "_parsed_query",
        "_parsed_url",
        "_request_body",
    ),
    *("_request_headers", "_trusted_hop", "_url", "method"),
)
SIDE = RESPONSE + REQUEST

# What of a scope says where a request goes, and the slots that have read it.
PLACE = ("path", "query_string", "raw_path", "root_path")
READ_FROM_PLACE = ("_mount_path", "_parsed_query", "_parsed_url", "_url")

Slots = Mapping[str, Any]  # a value for each slot


class Inner:
    """What an ASGI middleware is wrapped around: `next` of one ctx, once.

    It is also the `Upstream` of that middleware's host.
    """

    def __init__(self, ctx: Context[Any], next: Next) -> None:
        self._ctx = ctx
        self._next = next
        self._side = ctx._side  # of the application that the middleware is in
        self._given: dict[str, Any] = {}
        self._outer: Slots | None = None  # while downstream runs
        self._was_called = False
        self._sent: tuple[Head, bytes, Slots] | None = None
        self.anew: bool = False
        self.is_cut: bool = False
        self.upgrade_options: UpgradeOptions = {}

    def begin(self, scope: dict[str, Any]) -> None:
        """Remember `scope` as the middleware gets it; its changes are found by that."""
        body = self._ctx._request_body
        is_decoded = body is not None and body.is_filtered  # and its headers differ already
        self._given = {**scope, "headers": None if is_decoded else list(scope["headers"])}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the rest of the chain, and answer to `send`."""
        if self._was_called:
            raise RuntimeError("an ASGI middleware can run the rest of the chain once")
        self._was_called = True
        ctx = self._ctx
        made = RELAYED[scope["type"]](scope, receive, send)
        made.inner = self
        made.outer = ctx._exchange
        made.is_moved = any(scope.get(key) != self._given.get(key) for key in PLACE)
        self._outer = _take(ctx)
        try:
            self._enter(made)
            with carrying():
                await self._next()
                await _finish(ctx)
        except Exception:
            await self._fail(made)
            raise
        finally:
            outer, self._outer = self._outer, None
            made.close()
            _put(ctx, outer)

    async def _fail(self, made: "RelayedHttp | RelayedWebSocket") -> None:
        if isinstance(made, RelayedHttp):
            self.is_cut = self._ctx._response_headers.sent and made.must_be_cut
        elif made.socket is not None:
            await made.socket.drain()  # whoever closes does not know of this socket

    @contextmanager
    def outside(self) -> Generator[None]:
        """Turn ctx to upstream for a block."""
        if self._outer is None:
            yield
            return
        ctx = self._ctx
        with shown(ctx, self._side):
            inner = _take(ctx)
            _put(ctx, self._outer)
            try:
                yield
            finally:
                self._outer = _take(ctx)
                _put(ctx, inner)

    def _enter(self, exchange: "RelayedHttp | RelayedWebSocket") -> None:
        """Give ctx an exchange with the middleware, and a response that nobody upstream has."""
        ctx = self._ctx
        scope = exchange.scope
        ctx._exchange = cast("Exchange", exchange)
        ctx.method = exchange.method
        ctx._request_body = None
        if exchange.is_moved:
            for name in READ_FROM_PLACE:
                setattr(ctx, name, None)
        if list(scope.get("headers") or ()) != self._given["headers"]:
            ctx._accept = ctx._request_headers = ctx._trusted_hop = None
        if scope.get("client") != self._given["client"]:
            ctx._ip = None
        ctx._response_headers = ctx._response_headers.copy()
        ctx._cookies = ctx._before_send = ctx._filters = None
        ctx._is_plain = False

    def note_response(self, status: int, headers: Headers, body: bytes) -> None:
        """Remember what downstream sends whole, to know it again when it comes back."""
        self.anew = True
        if self._ctx._filters is None:
            sent = Head(status, {name: headers.get_all(name) for name in headers})
            self._sent = (sent, body, {name: getattr(self._ctx, name) for name in WHOLE})

    def restore(self, head: Head, body: bytes) -> bool:
        """Set the body as downstream did, if it came through as it was sent; say so.

        So what is a value, or nothing at all, is not just bytes for upstream.
        """
        if self._sent is None:
            return False
        sent, sent_body, side = self._sent
        if (head.status, body) != (sent.status, sent_body):
            return False
        ctx = self._ctx
        set_head(ctx, head, anew=True)
        _put(ctx, side)
        if ctx._body is UNSET:  # what stands for it says more than was set
            for name in ("content-type", "content-length"):
                if head.fields.get(name) == sent.fields.get(name):
                    ctx.response.headers.remove(name)
        return True


class Relayed(AsgiExchange):
    """An exchange with the ASGI middleware around; what it left alone is the server's."""

    __slots__ = ()  # of several bases one may have some

    if TYPE_CHECKING:
        inner: Inner
        outer: Exchange
        is_moved: bool
        """Whether the middleware changed the path or the query."""

    @property
    def target(self) -> str:
        """The whole request target."""
        return super().target if self.is_moved else self.outer.target

    @property
    def mount_path(self) -> str:
        """The part of the target's path that a host has routed on."""
        return super().mount_path if self.is_moved else self.outer.mount_path

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio's transports
        """Return what is known of the connection."""
        return self.outer.get_extra_info(name)

    def failed(self, error: BaseException) -> None:
        """Hear of an error that was reported."""
        self.outer.failed(error)

    def send_response(
        self, status: int, reason: str | None, headers: Headers, body: bytes
    ) -> Awaitable[None] | None:
        """Send head and body at once; it refuses a handshake."""
        self.inner.note_response(status, headers, body)
        return super().send_response(status, reason, headers, body)

    def send_head(
        self, status: int, reason: str | None, headers: Headers
    ) -> Awaitable[None] | None:
        """Send the head alone, or keep it until the refusal of a handshake is whole."""
        self.inner.anew = True
        return super().send_head(status, reason, headers)


class RelayedHttp(Relayed, HttpExchange):
    """That of a request."""

    __slots__ = ("inner", "is_moved", "outer")


class RelayedWebSocket(Relayed, WebSocketExchange):
    """That of a handshake."""

    __slots__ = ("inner", "is_moved", "outer")

    async def upgrade(
        self, headers: Headers, subprotocol: str | None, options: SocketOptions
    ) -> AsgiSocket:
        """Accept the handshake by the middleware; who may was decided downstream."""
        self.inner.anew = True
        self.inner.upgrade_options = cast("UpgradeOptions", {**asdict(options), "origins": "*"})
        return await super().upgrade(headers, subprotocol, options)


RELAYED: dict[str, type[RelayedHttp | RelayedWebSocket]] = {
    "http": RelayedHttp,
    "websocket": RelayedWebSocket,
}


def _take(ctx: Context[Any]) -> Slots:
    return {name: getattr(ctx, name) for name in SIDE}


def _put(ctx: Context[Any], side: Slots) -> None:
    for name, value in side.items():
        setattr(ctx, name, value)


async def _finish(ctx: Context[Any]) -> None:
    """Send what ctx holds at the end of its chain, as `Ohia.handle` does."""
    if ctx._socket is None and ctx._stream is None and ctx._respond:
        waiting = respond(ctx)
        if waiting is not None:
            await waiting
    else:
        await ctx.app._finish_long(ctx)
