"""A client of raw frames, and the applications that it talks to."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from ohia.errors import WebSocketClosed
from ohia.exchange import Exchange, Socket, SocketOptions
from ohia.http.headers import Headers
from ohia.server.server import Server

Serve = Callable[..., AbstractAsyncContextManager[Server]]
Answer = Callable[[Exchange], Awaitable[None]]

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PLAIN = SocketOptions(compression=False, ping_interval=None)
NORMAL = struct.pack("!H", 1000)


def handshake(*fields: str, method: str = "GET", version: str = "13", http: str = "1.1") -> bytes:
    """Return a client's handshake with `fields` more."""
    lines = [
        f"{method} / HTTP/{http}",
        "Host: a",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Version: {version}",
        *fields,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


HANDSHAKE = handshake()


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return one frame of a client, masked."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if len(data) < 126:
        size = bytes([0x80 | len(data)])
    elif len(data) < 65536:
        size = b"\xfe" + struct.pack("!H", len(data))
    else:
        size = b"\xff" + struct.pack("!Q", len(data))
    mask = b"\x37\xfa\x21\x3d"
    key = int.from_bytes((mask * (len(data) // 4 + 1))[: len(data)], "big")
    masked = (int.from_bytes(data, "big") ^ key).to_bytes(len(data), "big")
    return head + size + mask + masked


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


class Peer:
    """The client's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def read(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; reserved bits count with the opcode."""
        head = await self.reader.readexactly(2)
        assert head[0] & 0x80, "the server sends whole messages"
        size = head[1]
        if size == 126:
            [size] = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            [size] = struct.unpack("!Q", await self.reader.readexactly(8))
        return head[0] & 0x7F, await self.reader.readexactly(size)

    async def rest(self) -> list[tuple[int, bytes]]:
        """Return all frames until the connection ends."""
        frames = []
        try:
            while True:
                frames.append(await self.read())
        except (asyncio.IncompleteReadError, ConnectionError):
            return frames


@asynccontextmanager
async def dial(server: Server, *early: bytes, request: bytes = HANDSHAKE) -> AsyncIterator[Peer]:
    """Connect and shake hands; `early` goes out in the same write."""
    reader, writer = await asyncio.open_connection(*server.address)
    peer = Peer(reader, writer)
    peer.send(request, *early)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield peer
    finally:
        writer.close()


def upgrading(
    use: Callable[[Socket], Awaitable[None]], options: SocketOptions | None = PLAIN
) -> Answer:
    """Return an answer that upgrades, uses the socket and closes it; None: the server's options."""

    async def answer(exchange: Exchange) -> None:
        if not exchange.is_websocket:
            exchange.send_response(200, "OK", Headers(), b"hello")
            return
        socket = await exchange.upgrade(Headers(), None, options or exchange.socket_options)
        await use(socket)
        await socket.close()

    return answer


async def echo(socket: Socket) -> None:
    """Send back what comes, until the end."""
    try:
        while True:
            waiting = socket.send(await socket.receive())
            if waiting is not None:
                await waiting
    except WebSocketClosed:
        return


async def until(condition: Callable[[], object]) -> None:
    """Wait for what tells nobody; the test's time-out is the bound."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def errors_of(server: Server) -> list[BaseException]:
    errors = getattr(server.handler, "errors", None)
    assert isinstance(errors, list)
    return errors
