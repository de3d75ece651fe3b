"""One request and its response on a connection: the contract of `ohia.exchange`.

It keeps the facts of its request; what it does, it does through its connection, and lets go of
that in `close()`. So nothing of a finished request holds another, and nothing needs the garbage
collector's search for cycles.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import Enum, auto
from typing import Any, NoReturn, Protocol
from urllib.parse import unquote_to_bytes

from ohia.errors import ClientDisconnect
from ohia.exchange import Address, Disconnect, Socket, SocketOptions
from ohia.http.headers import Headers
from ohia.http.status import BODILESS, has_body
from ohia.server.body import RequestBody
from ohia.server.handshake import Handshake, answer_handshake
from ohia.server.head import CHUNKED, Fields, Head
from ohia.server.response import (
    Framing,
    checked_length,
    has_length,
    render_fields,
    status_line,
)

__all__ = ["SMALL", "Peer", "RawSocket", "ServerExchange", "Wire"]

SMALL = 64 * 1024  # bytes; below it one copy costs less than several writes
END_OF_CHUNKS = b"0\r\n\r\n"


class Peer:
    """What is known of a connection; it outlives it."""

    __slots__ = ("_transport", "client", "secure", "server")

    client: Address | None
    server: Address | None
    secure: bool

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.client = _address(transport.get_extra_info("peername"))
        self.server = _address(transport.get_extra_info("sockname"))
        self.secure = transport.get_extra_info("sslcontext") is not None

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio's transports
        """Return what the transport knows by asyncio's `name`, or None."""
        return self._transport.get_extra_info(name)


class RawSocket(Socket, Protocol):
    """A socket, as its exchange ends it."""

    size: int
    """Bytes of the messages that were sent."""

    def cut(self) -> None:
        """End the connection now, unless it has ended."""
        ...


class Wire(Protocol):
    """A connection, as its exchange uses it."""

    @property
    def date(self) -> str:
        """The line of the Date field."""
        ...

    @property
    def socket_options(self) -> SocketOptions:
        """How the server's WebSockets behave where the application does not say."""
        ...

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Hand over bytes; return what to wait for, if anything."""
        ...

    def write_parts(self, *parts: bytes) -> Awaitable[None] | None:
        """Do as `write` for parts too large to be joined."""
        ...

    def send_file(self, descriptor: int, part: range) -> AsyncIterator[int]:
        """Send `part` of an open file; yield how many bytes each time some are sent.

        It ends early where the file does. asyncio.SendfileNotAvailableError where the rest has
        to be sent in pieces.
        """
        ...

    def send_head(self, text: str, body: bytes | None) -> Awaitable[None] | None:
        """Send a head that lacks its last lines, and all of the body; or None: it follows."""
        ...

    def close_after_answer(self) -> None:
        """Take no other request; to be called before the head is sent."""
        ...

    def want_body(self) -> None:
        """Hear that the application waits for the body."""
        ...

    def took_body(self) -> None:
        """Hear that the application has taken what was there of the body."""
        ...

    def start_socket(
        self, handshake: Handshake, options: SocketOptions, client_went: Callable[[], None]
    ) -> RawSocket:
        """Send the 101 and turn the connection into a socket, which tells if it is lost."""
        ...

    def cut(self) -> None:
        """End the connection now."""
        ...

    def finish(self, exchange: "ServerExchange", is_whole: bool, /) -> None:  # noqa: FBT001 - once a request
        """Hear that the application is done; go on, or cut."""
        ...


class Stage(Enum):
    """How far a response is."""

    NEW = auto()
    STREAMING = auto()
    DONE = auto()
    CUT = auto()


NEW, STREAMING, DONE, CUT = Stage


class ServerExchange:
    """One request of ohia's own server; see `ohia.exchange.Exchange` for what the names mean."""

    __slots__ = (
        "_body",
        "_disconnected",
        "_framing",
        "_headers",
        "_is_gone",
        "_left",
        "_peer",
        "_scope",
        "_socket",
        "_stage",
        "_wire",
        "fields",
        "is_cut",
        "method",
        "size",
        "status",
        "target",
    )

    method: str
    target: str
    fields: Fields
    status: int | None
    """That of the response, once its head has left."""
    size: int
    """Bytes of the response's body that were handed over, without their framing."""
    is_cut: bool
    """Whether the client did not get all of it, as far as one knows; once it is closed."""
    _framing: Framing
    _left: int

    _body: RequestBody | bytes | None
    """What reads the body, or the body itself if it came with the head."""

    def __init__(
        self, wire: Wire, peer: Peer, head: Head, body: RequestBody | bytes | None
    ) -> None:
        self.method = head.method
        self.target = head.target
        self.fields = head.fields
        self.status = None
        self.size = 0
        self.is_cut = False
        self._peer = peer
        self._body = body
        self._wire: Wire | None = wire
        self._stage = NEW
        self._is_gone = False
        self._headers: Headers | None = None
        self._disconnected: Disconnect | None = None
        self._socket: RawSocket | None = None
        self._scope: dict[str, Any] | None = None

    # The request.

    @property
    def mount_path(self) -> str:
        """Nothing routes before this server."""
        return ""

    @property
    def http_version(self) -> str:
        """`1.0` or `1.1`."""
        return self.fields.http_version

    @property
    def is_websocket(self) -> bool:
        """Whether the fields ask for a WebSocket."""
        return self.fields.is_handshake

    @property
    def headers(self) -> Headers:
        """The request's fields, decoded on first use."""
        if self._headers is None:
            self._headers = Headers.from_raw(self.fields.lines)
        return self._headers

    @property
    def content_length(self) -> int | None:
        """Bytes of the request's body, None for one in chunks."""
        length = self.fields.length
        return None if length == CHUNKED else length

    @property
    def secure(self) -> bool:
        """Whether the connection that ends here is TLS."""
        return self._peer.secure

    @property
    def client(self) -> Address | None:
        """The peer's address; None for a unix socket."""
        return self._peer.client

    @property
    def server(self) -> Address | None:
        """The address that the client reached."""
        return self._peer.server

    @property
    def socket_options(self) -> SocketOptions:
        """How a WebSocket behaves here where the application does not say."""
        return self._open_wire().socket_options

    @property
    def scope(self) -> Mapping[str, Any]:
        """What an ASGI server would tell of this request, made on first use."""
        if self._scope is None:
            self._scope = self._make_scope()
        return self._scope

    def _make_scope(self) -> dict[str, Any]:
        path, _, query = self.target.partition("?")
        scheme = "ws" if self.is_websocket else "http"
        scope: dict[str, Any] = {
            "type": "websocket" if self.is_websocket else "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": self.http_version,
            "scheme": f"{scheme}s" if self.secure else scheme,
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self.fields.lines],
            "client": self.client,
            "server": self.server,
            "state": {},
        }
        if self.is_websocket:
            offered = self.headers.get("sec-websocket-protocol", "")
            scope["subprotocols"] = [each.strip() for each in offered.split(",") if each.strip()]
        else:
            scope["method"] = self.method
        return scope

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio's transports
        """Return what is known of the connection, by asyncio's names."""
        return self._peer.get_extra_info(name)

    async def read(self) -> bytes:
        """Return the next piece of the request's body, empty at its end."""
        body = self._body
        if body is None or isinstance(body, bytes):
            self._body = None
            return body or b""
        while (piece := body.take()) is None:
            self._open_wire().want_body()
            await body.wait()
        if self._wire is not None:
            self._wire.took_body()
        return piece

    # The client's going.

    @property
    def disconnected(self) -> Disconnect:
        """The client's going, made on first use."""
        if self._disconnected is None:
            self._disconnected = Disconnect()
            if self._is_gone:
                self._disconnected.set()
        return self._disconnected

    @property
    def can_send(self) -> bool:
        """False once the client has gone or the response is complete."""
        return self._stage in (NEW, STREAMING) and self._wire is not None and not self._is_gone

    @property
    def is_new(self) -> bool:
        """Whether no head has left."""
        return self._stage is NEW

    def client_went(self) -> None:
        """Tell the application, unless it has answered already."""
        if self._is_gone or self._stage in (DONE, CUT):
            return
        self._is_gone = True
        if self._disconnected is not None:
            self._disconnected.set()

    # The response.

    def send_response(
        self, status: int, reason: str | None, headers: Headers, body: bytes
    ) -> Awaitable[None] | None:
        """Send head and body at once, and end the response."""
        wire = self._wire
        if wire is None or self._stage is not NEW:
            self._refuse()
        text, declared, wants_close = render_fields(headers, wire.date)
        length: int | None = len(body)
        if self.method == "HEAD" or status in BODILESS:
            body = b""
            length = checked_length(declared) if has_length(status) else None
        elif declared != str(length) and checked_length(declared) not in {None, length}:
            raise RuntimeError(f"the body has {length} bytes, its Content-Length says {declared}")
        if length is not None:
            text = f"{text}Content-Length: {length}\r\n"
        if wants_close or status < 200:  # clients wait for another answer then
            wire.close_after_answer()
        line = status_line(status, reason)
        self._stage = DONE
        waiting = wire.send_head(line + text, body)
        self.status = status
        self.size = len(body)
        return waiting

    def send_head(
        self, status: int, reason: str | None, headers: Headers
    ) -> Awaitable[None] | None:
        """Send the head alone; pieces follow."""
        wire = self._open_wire(NEW)
        text, declared, wants_close = render_fields(headers, wire.date)
        length = checked_length(declared) if has_length(status) else None
        self._left = length or 0
        self._framing, framing = self._frame(status, length)
        if wants_close or self._framing is Framing.CLOSE or status < 200:
            wire.close_after_answer()
        line = status_line(status, reason)
        self._stage = STREAMING
        waiting = wire.send_head(f"{line}{text}{framing}", None)
        self.status = status
        return waiting

    def _frame(self, status: int, length: int | None) -> tuple[Framing, str]:
        """Return how a body in pieces is framed, and the field that says it."""
        text = "" if length is None else f"Content-Length: {length}\r\n"
        if not has_body(self.method, status):
            return Framing.NONE, text
        if length is not None:
            return Framing.LENGTH, text
        if self.fields.http_version == "1.0":
            return Framing.CLOSE, text
        return Framing.CHUNKED, "Transfer-Encoding: chunked\r\n"

    def send_piece(self, piece: bytes) -> Awaitable[None] | None:
        """Send one piece of the body."""
        wire = self._open_wire(STREAMING)
        framing = self._framing
        if framing is Framing.NONE or not piece:
            return None
        self.size += len(piece)
        if framing is Framing.CHUNKED:
            size = b"%x\r\n" % len(piece)
            if len(piece) < SMALL:
                return wire.write(size + piece + b"\r\n")
            return wire.write_parts(size, piece, b"\r\n")
        if framing is Framing.LENGTH:
            self._left -= len(piece)
            if self._left < 0:
                self._mismatch(f"the body is {-self._left} bytes longer than its Content-Length")
        return wire.write(piece)

    async def send_file(self, descriptor: int, part: range) -> AsyncIterator[int]:
        """Send `part` of an open file, and yield how many bytes each time some have been taken.

        It ends early where the file does. asyncio.SendfileNotAvailableError where the rest has
        to be sent in pieces.
        """
        wire = self._open_wire(STREAMING)
        if self._framing is not Framing.LENGTH or self._peer.secure or len(part) > self._left:
            raise asyncio.SendfileNotAvailableError
        async for count in wire.send_file(descriptor, part):
            self._left -= count
            self.size += count
            yield count

    def end(self) -> Awaitable[None] | None:
        """End the response."""
        wire = self._open_wire(STREAMING)
        if self._framing is Framing.LENGTH and self._left:
            self._mismatch(f"the body is {self._left} bytes short of its Content-Length")
        self._stage = DONE
        return wire.write(END_OF_CHUNKS) if self._framing is Framing.CHUNKED else None

    async def upgrade(
        self, headers: Headers, subprotocol: str | None, options: SocketOptions
    ) -> Socket:
        """Accept the handshake and switch to WebSocket."""
        wire = self._open_wire(NEW)
        handshake = answer_handshake(
            self.headers,
            headers,
            date=wire.date,
            subprotocol=subprotocol,
            compression=options.compression,
        )
        self._stage = STREAMING
        self.status = 101
        self._socket = wire.start_socket(handshake, options, self.client_went)
        return self._socket

    # The end.

    def abort(self) -> None:
        """Cut the connection, unless the response is whole."""
        if self._wire is None or self._stage in (DONE, CUT):
            return
        self._stage = CUT
        if self._socket is None:
            self._wire.cut()
        else:
            self._socket.cut()

    def failed(self, error: BaseException) -> None:
        """Nothing is kept of an error that the application has reported."""

    def close(self) -> None:
        """Cut what is unfinished; go on to the next request."""
        wire = self._wire
        if wire is None:
            return
        self._wire = None
        is_whole = self._stage is DONE
        if self._is_gone or not is_whole:
            self.is_cut = True
        if self._socket is not None:
            self._end_socket(self._socket)
        wire.finish(self, is_whole)

    def _end_socket(self, socket: RawSocket) -> None:
        self._socket = None
        self.size = socket.size
        self.is_cut = socket.close_code in {None, 1006}
        socket.cut()

    def _open_wire(self, *stages: Stage) -> Wire:
        """Return the connection, if it is there and the response at one of `stages`."""
        wire = self._wire
        if wire is None or (stages and self._stage not in stages):
            self._refuse()
        return wire

    def _refuse(self) -> NoReturn:
        if self._wire is None:
            raise RuntimeError("the exchange is closed")
        if self._stage is CUT:
            raise ClientDisconnect("the connection was cut")
        if self._socket is not None:
            raise RuntimeError("the exchange has become a WebSocket")
        stages = {NEW: "has not begun", STREAMING: "has begun", DONE: "is complete"}
        raise RuntimeError(f"the response {stages[self._stage]}")

    def _mismatch(self, message: str) -> NoReturn:
        """Cut, so that nobody takes the next response for the rest of this one."""
        self.abort()
        raise RuntimeError(message)


def _address(known: object) -> Address | None:
    """Return an address as host and port, None for the far end of a unix socket.

    >>> _address(("::1", 80, 0, 0))
    ('::1', 80)
    """
    if isinstance(known, tuple) and len(known) >= 2:  # pyright: ignore[reportUnknownArgumentType]
        return (str(known[0]), int(known[1]))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(known, str) and known:
        return (known, None)
    return None
