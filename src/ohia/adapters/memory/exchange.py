"""One request and its response without a server: the exchange and, behind it, the client.

What the application calls is the contract of `ohia.exchange`, checked. The client's side is
`wait_head`, `next_piece`, `client_socket` and `hang_up`; `serve` is what a server does.
"""

import asyncio
import base64
import binascii
import hashlib
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from ohia.adapters.memory.rules import ContractViolation, ResponseRules
from ohia.adapters.memory.socket import MemorySocket
from ohia.adapters.memory.upload import Upload
from ohia.errors import ClientDisconnect
from ohia.exchange import (
    Address,
    Disconnect,
    Handler,
    SocketOptions,
    fit_length,
)
from ohia.http.headers import Headers, parse_length
from ohia.http.status import PHRASES, has_body

__all__ = ["Head", "MemoryExchange", "ResponseCut"]

ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class ResponseCut(ConnectionError):
    """What a client sees of a response that was cut, before its head or before its end."""


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before a response's body."""

    status: int
    reason: str
    headers: Headers


class MemoryExchange:
    """An exchange without a server; see `ohia.exchange.Exchange` for what the names mean.

    `body` is asked for a piece only when the application reads. Of the response, at most
    `max_pieces` wait for the client before the application has to. `client_options` are those
    of the client's end of a WebSocket.
    """

    method: str
    target: str
    mount_path: str
    http_version: str
    headers: Headers
    secure: bool
    client: Address | None
    server: Address | None
    disconnected: Disconnect
    client_socket: MemorySocket | None
    failure: BaseException | None
    size: int
    socket_options: SocketOptions = SocketOptions()

    def __init__(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: AsyncIterable[bytes] | None = None,
        *,
        secure: bool = False,
        mount_path: str = "",
        http_version: str = "1.1",
        client: Address | None = ("127.0.0.1", 50000),
        server: Address | None = ("127.0.0.1", 80),
        max_pieces: int = 1,
        client_options: SocketOptions | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.mount_path = mount_path
        self.http_version = http_version
        self.headers = headers
        self.secure = secure
        self.client = client
        self.server = server
        self.disconnected = Disconnect()
        self.client_socket = None
        self.failure = None
        self.size = 0
        self._client_options = client_options or SocketOptions()
        self._max_pieces = max_pieces
        self._rules = ResponseRules(method)
        self._upload = Upload(body)
        self._is_reading = False
        self._head: Head | None = None
        self._pieces: deque[bytes] = deque()
        self._senders: list[asyncio.Future[None]] = []
        self._changed = asyncio.Event()
        self._is_cut = False
        self._is_closed = False

    # What the server does.

    async def serve(self, handler: Handler) -> None:
        """Let `handler` answer, as the task that a server starts for each request."""
        try:
            await handler.handle(self)
        finally:
            if not self._is_closed:
                self.close()
            await self._upload.close()

    # What the client does.

    @property
    def violation(self) -> ContractViolation | None:
        """The first rule that the application broke."""
        return self._rules.violation

    @property
    def upload_error(self) -> Exception | None:
        """What `body` itself raised."""
        return self._upload.error

    async def wait_head(self) -> Head:
        """Return the head as soon as it was sent; raise ResponseCut if there will be none."""
        while self._head is None:
            await self._change("the response was cut before its head")
        return self._head

    async def next_piece(self) -> bytes:
        """Return the next piece of the body, empty at its end; raise ResponseCut if cut."""
        while not self._pieces:
            if self._rules.ended:
                return b""
            await self._change("the response was cut before its end")
        piece = self._pieces.popleft()
        if len(self._pieces) <= self._max_pieces:
            self._release_senders(None)
        return piece

    def hang_up(self) -> None:
        """Leave, as a client that closes its connection; too late after a whole response."""
        if self._is_closed or self._is_cut or self._rules.ended or self._is_over:
            return
        self._is_cut = True
        self.disconnected.set()
        self._upload.cut()
        self._release_senders(ClientDisconnect("the client has gone"))
        self._changed.set()
        if self.client_socket is not None:
            self.client_socket.lose()

    # What the application does: the contract of `ohia.exchange.Exchange`.

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI scope of this request, a new one each time."""
        path, _, query = self.target.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": self.http_version,
            "scheme": "https" if self.secure else "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": self.mount_path,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in self.headers.lines()
            ],
            "client": self.client,
            "server": self.server,
            "state": {},
        }
        if self.is_websocket:
            offered = tokens(self.headers, "Sec-WebSocket-Protocol")
            scope |= {"type": "websocket", "subprotocols": offered}
            scope["scheme"] = "wss" if self.secure else "ws"
        else:
            scope["method"] = self.method
        return scope

    @property
    def content_length(self) -> int | None:
        """Bytes of the request's body as declared."""
        return parse_length(self.headers.get("content-length", ""))

    @property
    def is_websocket(self) -> bool:
        """Whether Connection and Upgrade ask for a WebSocket."""
        return "upgrade" in _lower_tokens(self.headers, "Connection") and (
            "websocket" in _lower_tokens(self.headers, "Upgrade")
        )

    @property
    def can_send(self) -> bool:
        """False once the client has gone or the response is complete."""
        done = self._rules.ended or self._is_cut or self._is_closed
        return not done and self.client_socket is None

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio's transports
        """Return the addresses; nothing else is known here."""
        return {"peername": self.client, "sockname": self.server}.get(name)

    async def read(self) -> bytes:
        """Return the next piece of the body, empty at its end and ever after."""
        self._check_not_closed("read")
        if self._is_reading:
            raise self._rules.broken("read() while another read() waits")
        self._is_reading = True
        try:
            return await self._upload.read()
        finally:
            self._is_reading = False
            if self._upload.error is not None:
                self.hang_up()

    def send_response(
        self, status: int, reason: str | None, headers: Headers, body: bytes
    ) -> Awaitable[None] | None:
        """Send head and body at once, and end the response."""
        self._check_sendable("send_response")
        if type(body) is bytes and has_body(self.method, status):
            fit_length(headers, body)
        self._start(status, reason, headers)
        if body or type(body) is not bytes:
            self._rules.piece(body)
            self._pieces.append(body)
            self.size = len(body)
        self._rules.end()
        return None

    def send_head(
        self, status: int, reason: str | None, headers: Headers
    ) -> Awaitable[None] | None:
        """Send the head alone."""
        self._check_sendable("send_head")
        self._start(status, reason, headers)
        return None

    def send_piece(self, piece: bytes) -> Awaitable[None] | None:
        """Send one piece; wait while the client has more than `max_pieces` to take."""
        self._check_sendable("send_piece")
        self._rules.piece(piece)
        self._pieces.append(piece)
        self.size += len(piece)
        self._changed.set()
        if len(self._pieces) <= self._max_pieces:
            return None
        taken = asyncio.get_running_loop().create_future()
        self._senders.append(taken)
        return taken

    def end(self) -> Awaitable[None] | None:
        """End the response."""
        self._check_sendable("end")
        self._rules.end()
        self._changed.set()
        return None

    def abort(self) -> None:
        """Cut the response: the client gets what was sent before, then ResponseCut."""
        self._cut()

    async def upgrade(
        self, headers: Headers, subprotocol: str | None, options: SocketOptions
    ) -> MemorySocket:
        """Accept the handshake and return the server's end of the WebSocket."""
        self._check_sendable("upgrade")
        self._check_handshake(subprotocol)
        answer = headers.copy()
        answer["Upgrade"] = "websocket"
        answer["Connection"] = "Upgrade"
        answer["Sec-WebSocket-Accept"] = accept_key(self.headers.get("Sec-WebSocket-Key", ""))
        if subprotocol is not None:
            answer["Sec-WebSocket-Protocol"] = subprotocol
        ours, theirs = MemorySocket.pair(options, self._client_options, subprotocol)
        self._start(101, None, answer)
        self.client_socket = theirs
        return ours

    def failed(self, error: BaseException) -> None:
        """Keep the error that left the chain, for the test."""
        self.failure = self.failure or error

    def close(self) -> None:
        """Cut what is unfinished; nothing more may be called."""
        if self._is_closed:
            raise self._rules.broken("close() a second time")
        if not self._rules.begun and not self._is_cut:
            self._rules.broken("the application has ended without a response")
        self._cut()
        self._is_closed = True

    @property
    def _is_over(self) -> bool:
        return self.client_socket is not None and self.client_socket.close_code is not None

    async def _change(self, message: str) -> None:
        if self._is_cut:
            raise ResponseCut(message)
        self._changed.clear()
        await self._changed.wait()

    def _cut(self) -> None:
        if self.client_socket is not None:
            self.client_socket.lose()
        elif not self._rules.ended:
            self._is_cut = True
            self._upload.cut()
            self._release_senders(ClientDisconnect("the response was cut"))
        self._changed.set()

    def _check_sendable(self, name: str) -> None:
        self._check_not_closed(name)
        if self.client_socket is not None:
            raise self._rules.broken(f"{name}() after upgrade()")
        if self._is_cut:
            raise ClientDisconnect("the client has gone")

    def _check_not_closed(self, name: str) -> None:
        if self._is_closed:
            raise RuntimeError(f"{name}() after the exchange was closed")

    def _check_handshake(self, subprotocol: str | None) -> None:
        headers = self.headers
        if not self.is_websocket or self.method != "GET":
            raise self._rules.broken("upgrade() of a request that asks for none")
        if headers.get("Sec-WebSocket-Version") != "13":
            raise self._rules.broken("upgrade() of a handshake with another version than 13")
        if not is_key(headers.get("Sec-WebSocket-Key", "")):
            raise self._rules.broken("upgrade() of a handshake without a valid key")
        if subprotocol not in {None, *tokens(headers, "Sec-WebSocket-Protocol")}:
            raise self._rules.broken(f"the subprotocol {subprotocol!r} was not offered")

    def _start(self, status: int, reason: str | None, headers: Headers) -> None:
        reason = PHRASES.get(status, "") if reason is None else reason
        self._rules.start(status, reason, headers)
        self._head = Head(status, reason, headers.copy())
        self._changed.set()

    def _release_senders(self, error: ClientDisconnect | None) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            if sender.done():
                continue
            if error is None:
                sender.set_result(None)
            else:
                sender.set_exception(error)
                sender.exception()  # the sender need not look


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept that answers `key` (RFC 6455, 4.2.2).

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1(key.encode("latin-1") + ACCEPT_SALT, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def is_key(key: str) -> bool:
    """Say whether `key` is a Sec-WebSocket-Key: 16 bytes in base64 (RFC 6455, 4.1)."""
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def tokens(headers: Headers, name: str) -> list[str]:
    """Return the members of the list field `name`, as they were sent."""
    members = (member.strip() for member in headers.get(name, "").split(","))
    return [member for member in members if member]


def _lower_tokens(headers: Headers, name: str) -> list[str]:
    return [member.lower() for member in tokens(headers, name)]
