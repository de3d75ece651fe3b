"""One WebSocket handshake over ASGI, as an exchange: answered like any request, or upgraded.

A refusal is sent as a whole, since that is what all servers with the extension
`websocket.http.response` can do; without it they can only answer 403 and nothing else.
"""

from collections.abc import Awaitable

from ohia.adapters.asgi.exchange import AsgiExchange
from ohia.adapters.asgi.outgoing import FRAMING, RawHeaders, raw_headers, warn_once
from ohia.adapters.asgi.socket import AsgiSocket
from ohia.errors import ClientDisconnect
from ohia.exchange import SocketOptions, fit_length
from ohia.http.headers import Headers
from ohia.http.status import has_body
from ohia.types import Receive, Scope, Send

__all__ = ["WebSocketExchange"]

MAX_REFUSAL = 16 * 1024 * 1024  # bytes; a refusal is held in memory until it is whole

HANDSHAKE = frozenset(
    {
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
    }
)
NOT_IN_ACCEPT = FRAMING | HANDSHAKE | {"content-length"}
NOT_IN_REFUSAL = FRAMING | {"sec-websocket-accept"}

ONLY_403 = (
    "this server cannot answer a WebSocket handshake with a response: "
    "the client gets 403, without the status, headers and body that were set"
)
NO_ACCEPT_HEADERS = (
    "this server loses the headers of an accepted WebSocket: cookies set before ctx.upgrade() "
    "do not arrive"
)
ONE_COOKIE = (
    "this server cannot refuse a WebSocket with two cookies: only the first Set-Cookie is sent"
)


class WebSocketExchange(AsgiExchange):
    """An exchange over an ASGI scope of type `websocket`."""

    __slots__ = ("_body", "_head", "_is_complete", "_is_connected", "size", "socket")

    is_websocket = True

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._is_connected = False
        self._head: tuple[int, Headers] | None = None
        self._body: list[bytes] = []
        self.size: int = 0
        self._is_complete = False
        self.socket: AsgiSocket | None = None

    @property
    def must_be_cut(self) -> bool:
        """Whether the server still waits for an answer that will not come."""
        is_answered = self._is_complete or self.socket is not None
        return not (is_answered or self._is_gone)

    async def read(self) -> bytes:
        """Return nothing: a handshake has no body."""
        return b""

    def send_response(
        self,
        status: int,
        reason: str | None,  # noqa: ARG002 - ASGI has no place for it
        headers: Headers,
        body: bytes,
    ) -> Awaitable[None] | None:
        """Refuse the handshake with this response."""
        if has_body(self.method, status):
            fit_length(headers, body)
        self._begin(status, headers)
        self.size = len(body)
        self._body.append(body)
        return self._refuse()

    def send_head(
        self,
        status: int,
        reason: str | None,  # noqa: ARG002 - ASGI has no place for it
        headers: Headers,
    ) -> Awaitable[None] | None:
        """Keep the head until the response is whole."""
        self._begin(status, headers)
        return None

    def send_piece(self, piece: bytes) -> Awaitable[None] | None:
        """Keep a piece until the response is whole; raise ValueError when it gets too long."""
        self._check_open()
        self.size += len(piece)
        if self.size > MAX_REFUSAL:
            raise ValueError("too long for an answer to a WebSocket handshake over ASGI")
        self._body.append(piece)
        return None

    def end(self) -> Awaitable[None] | None:
        """Send all that was kept."""
        self._check_open()
        return self._refuse()

    async def upgrade(
        self, headers: Headers, subprotocol: str | None, options: SocketOptions
    ) -> AsgiSocket:
        """Accept the handshake; the server adds the fields of the handshake itself."""
        self._check_open()
        await self._connect()
        if self._loses_headers and "set-cookie" in headers:
            warn_once(NO_ACCEPT_HEADERS)
        await self._deliver(
            {
                "type": "websocket.accept",
                "subprotocol": subprotocol,
                "headers": raw_headers(headers, NOT_IN_ACCEPT),
            },
        )
        self.socket = AsgiSocket(self._reader(), self._send, subprotocol, options)
        return self.socket

    def close(self) -> None:
        """Stop watching; a socket that is still open is cut by the server."""
        if self.socket is not None:
            self.socket.lose()
        self._stop()

    @property
    def _loses_headers(self) -> bool:
        """Whether this is granian or its kin, known by an extension out of place.

        They lose the headers of an accept, and crash on a refusal with two equal names.
        """
        return "http.response.pathsend" in self._extensions

    @property
    def _extensions(self) -> dict[str, object]:
        return self.scope.get("extensions") or {}

    def _read_headers(self) -> Headers:
        """Read the fields, and those of the handshake that a server or HTTP/2 removed."""
        headers = super()._read_headers()
        offered = [
            each.strip()
            for item in self.scope.get("subprotocols") or ()
            for each in item.split(",")  # some servers leave the list unsplit
        ]
        hidden = {"Connection": "Upgrade", "Upgrade": "websocket"}
        if offered:
            hidden["Sec-WebSocket-Protocol"] = ", ".join(offered)
        for name, value in hidden.items():
            if name not in headers:
                headers.put(name, value)
        return headers

    def _begin(self, status: int, headers: Headers) -> None:
        self._check_open()
        if self._head is not None:
            raise RuntimeError("the response has begun already")
        self._head = (status, headers.copy())

    def _check_open(self) -> None:
        if self._is_complete or self._is_over or self.socket is not None:
            raise RuntimeError("the handshake has been answered")
        self._check_here()

    async def _connect(self) -> None:
        """Take `websocket.connect`, before which a server may not be answered."""
        if self._is_connected:
            return
        self._is_connected = True
        message = await self._reader().next()
        if message["type"] != "websocket.connect":
            raise ClientDisconnect("the client went before its handshake was answered")

    async def _refuse(self) -> None:
        if self._head is None:
            raise RuntimeError("the response has no head yet")
        status, headers = self._head
        await self._connect()
        self._stop()
        messages = self._refusal(status, headers, b"".join(self._body))
        await self._deliver(*messages)
        self._is_complete = True

    def _refusal(self, status: int, headers: Headers, body: bytes) -> list[dict[str, object]]:
        if "websocket.http.response" not in self._extensions:
            warn_once(ONLY_403)
            return [{"type": "websocket.close", "code": 1000, "reason": ""}]
        if "content-length" not in headers and status not in (204, 304):
            headers.put("Content-Length", str(len(body)))
        fields = raw_headers(headers, NOT_IN_REFUSAL)
        if self._loses_headers:
            fields = _without_repeats(headers, fields)
        return [
            {"type": "websocket.http.response.start", "status": status, "headers": fields},
            {"type": "websocket.http.response.body", "body": body, "more_body": False},
        ]


def _without_repeats(headers: Headers, fields: RawHeaders) -> RawHeaders:
    """Join the values of each repeated name; of cookies, which cannot be joined, keep one."""
    single = {name: headers[name.decode("latin-1")].encode("latin-1") for name, _ in fields}
    cookies = headers.get_all("set-cookie")
    if len(cookies) > 1:
        warn_once(ONE_COOKIE)
        single[b"set-cookie"] = cookies[0].encode("latin-1")
    return list(single.items())
