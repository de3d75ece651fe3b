"""Clients with one face: over the network to a server, or in memory to the application.

`Peer` sends requests and opens sockets; what comes back is an `Answer` or a `PeerSocket`, the
same whichever server stands behind it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import h11
import websockets
from websockets.asyncio.client import connect

from ohia import Ohia, WebSocketClosed
from ohia.adapters.memory import ResponseCut
from ohia.testing import Client, UpgradeRefused

Fields = Sequence[tuple[str, str]]

STEADY = 30  # equal answers in a row
PATIENCE = 10  # seconds until a server is taken for dead


@dataclass
class Answer:
    """A response as it came: field names in lower case, and whether its end came too."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    is_whole: bool = False

    def get_all(self, name: str) -> list[str]:
        return [value for each, value in self.fields if each == name]

    def get(self, name: str) -> str | None:
        return next(iter(self.get_all(name)), None)

    def json(self) -> Any:
        return json.loads(self.body)


class Refused(Exception):
    """The server did not upgrade."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Stream(Protocol):
    """A response whose body is still coming."""

    answer: Answer

    async def next(self) -> bytes | None:
        """Return the next piece, None at the end."""
        ...


class PeerSocket(Protocol):
    """The client's end of a WebSocket. Each method raises WebSocketClosed at the end."""

    answer: Answer
    subprotocol: str | None

    async def send(self, data: str | bytes) -> None: ...
    async def receive(self) -> str | bytes: ...
    async def close(self, code: int = 1000, reason: str = "") -> None: ...
    def hang_up(self) -> None:
        """Cut the connection without a Close."""
        ...


class Peer(Protocol):
    """A client of one server."""

    def stream(
        self, method: str, target: str, *, fields: Fields = (), body: Any = b""
    ) -> AbstractAsyncContextManager[Stream]:
        """Send a request, give its response once the head is there, hang up at the end."""
        ...

    def connect(
        self, target: str, *, fields: Fields = (), subprotocols: Sequence[str] = ()
    ) -> AbstractAsyncContextManager[PeerSocket]:
        """Open a WebSocket; raise Refused if the answer is another one."""
        ...


async def request(
    peer: Peer, target: str, *, method: str = "GET", fields: Fields = (), body: Any = b""
) -> Answer:
    """Return the whole response to a request."""
    async with (
        asyncio.timeout(PATIENCE),
        peer.stream(method, target, fields=fields, body=body) as stream,
    ):
        while (piece := await stream.next()) is not None:
            stream.answer.body += piece
        return stream.answer


async def noted(peer: Peer, key: str) -> Any:
    """Return what the application noted under `key`, as soon as it did."""
    answer = await request(peer, f"/noted?key={key}")
    assert answer.status == 200, answer
    return answer.json()["value"]


async def stalled(peer: Peer, key: str) -> int:
    """Return how many pieces were sent under `key` once no more are: the sender waits."""
    counts = [-1]
    while len(counts) < STEADY or len(set(counts[-STEADY:])) > 1:
        answer = await request(peer, f"/sent?key={key}")
        counts.append(answer.json()["pieces"])
    return counts[-1]


async def closing(socket: PeerSocket) -> tuple[int, str]:
    """Read to the end and return the code and reason of the close."""
    try:
        while True:
            await socket.receive()
    except WebSocketClosed as closed:
        return closed.code, closed.reason


class NetworkPeer:
    """A client over TCP: h11 for requests, websockets for sockets."""

    def __init__(self, port: int) -> None:
        self.port = port

    @asynccontextmanager
    async def stream(
        self, method: str, target: str, *, fields: Fields = (), body: Any = b""
    ) -> AsyncIterator[Stream]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        stream = NetworkStream(reader, writer)
        try:
            await stream.send(method, target, fields, body)
            await stream.read_head()
            yield stream
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def connect(
        self, target: str, *, fields: Fields = (), subprotocols: Sequence[str] = ()
    ) -> AsyncIterator[PeerSocket]:
        opening = connect(
            f"ws://127.0.0.1:{self.port}{target}",
            additional_headers=list(fields),
            subprotocols=[websockets.Subprotocol(each) for each in subprotocols] or None,
            proxy=None,
            close_timeout=5,
            max_queue=None,
        )
        try:
            connection = await opening
        except websockets.InvalidStatus as error:
            response = error.response
            raise Refused(
                Answer(
                    response.status_code,
                    [(name.lower(), value) for name, value in response.headers.raw_items()],
                    bytes(response.body or b""),
                    is_whole=True,
                )
            ) from error
        try:
            yield NetworkSocket(connection)
        finally:
            await connection.close()


class NetworkStream:
    """One request on a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = h11.Connection(h11.CLIENT)
        self.answer = Answer(0, [])

    async def send(self, method: str, target: str, fields: Fields, body: Any) -> None:
        framing = (
            ("Content-Length", str(len(body)))
            if isinstance(body, bytes)
            else ("Transfer-Encoding", "chunked")
        )
        if body == b"" and method in ("GET", "HEAD"):
            framing = ("Accept", "*/*")
        head = h11.Request(
            method=method, target=target, headers=[("Host", "example.org"), framing, *fields]
        )
        self._write(head)
        if not isinstance(body, bytes):
            async for piece in body:
                self._write(h11.Data(data=piece))
                await self._writer.drain()
        elif body:
            self._write(h11.Data(data=body))
        self._write(h11.EndOfMessage())

    def _write(self, event: Any) -> None:
        self._writer.write(self._connection.send(event) or b"")

    async def read_head(self) -> None:
        event = await self._event()
        while isinstance(event, h11.InformationalResponse):
            event = await self._event()
        assert isinstance(event, h11.Response), event
        self.answer.status = event.status_code
        self.answer.fields = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
        ]

    async def next(self) -> bytes | None:
        event = await self._event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        self.answer.is_whole = isinstance(event, h11.EndOfMessage)
        return None

    async def _event(self) -> Any:
        while True:
            try:
                event = self._connection.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._connection.receive_data(await self._reader.read(65536))
            except (h11.RemoteProtocolError, ConnectionError):
                return None


class NetworkSocket:
    """A WebSocket over TCP."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self._connection = connection
        self.subprotocol: str | None = connection.subprotocol
        response = connection.response
        assert response is not None
        fields = [(name.lower(), value) for name, value in response.headers.raw_items()]
        self.answer = Answer(response.status_code, fields)

    async def send(self, data: str | bytes) -> None:
        try:
            await self._connection.send(data)
        except websockets.ConnectionClosed as closed:
            raise _closed(closed) from closed

    async def receive(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except websockets.ConnectionClosed as closed:
            raise _closed(closed) from closed

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.close(code, reason)

    def hang_up(self) -> None:
        self._connection.transport.abort()


def _closed(error: websockets.ConnectionClosed) -> WebSocketClosed:
    close = error.rcvd
    return WebSocketClosed(1006) if close is None else WebSocketClosed(close.code, close.reason)


class Raw:
    """A connection without a client library, for what a library would not send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    @asynccontextmanager
    async def to(cls, peer: NetworkPeer, data: bytes) -> AsyncIterator["Raw"]:
        raw = cls(*await asyncio.open_connection("127.0.0.1", peer.port))
        try:
            raw.send(data)
            yield raw
        finally:
            raw._writer.transport.abort()

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def end(self) -> None:
        """Close in good order: what was sent arrives."""
        self._writer.close()
        await self._writer.wait_closed()

    async def head(self) -> bytes:
        """Read one head; nothing if the connection ends instead."""
        return await self._read(self._reader.readuntil(b"\r\n\r\n"))

    async def status(self) -> int | None:
        """Read one head and return its status; None if the connection ends instead."""
        head = await self.head()
        return int(head.split(b" ", 2)[1]) if head else None

    async def exactly(self, count: int) -> bytes:
        """Read `count` bytes; nothing if the connection ends instead."""
        return await self._read(self._reader.readexactly(count))

    async def until(self, end: bytes) -> bytes:
        """Read as far as `end`; nothing if the connection ends instead."""
        return await self._read(self._reader.readuntil(end))

    async def _read(self, reading: Awaitable[bytes]) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE):
                return await reading
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""


class MemoryPeer:
    """A client of the application without any server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def of(cls, app: "Ohia[Any]") -> AsyncIterator["MemoryPeer"]:
        async with Client(app, raise_errors=False) as client:
            yield cls(client)

    @asynccontextmanager
    async def stream(
        self, method: str, target: str, *, fields: Fields = (), body: Any = b""
    ) -> AsyncIterator[Stream]:
        headers = {"Host": "example.org", **dict(fields)}
        self._client.cookies.clear()
        async with self._client.stream(method, target, headers=headers, content=body) as response:
            yield MemoryStream(response)

    @asynccontextmanager
    async def connect(
        self, target: str, *, fields: Fields = (), subprotocols: Sequence[str] = ()
    ) -> AsyncIterator[PeerSocket]:
        headers = dict(fields)
        self._client.cookies.clear()
        try:
            async with self._client.websocket(
                target, headers=headers, subprotocols=subprotocols, max_queue=1000
            ) as socket:
                yield MemorySocketPeer(socket)
        except UpgradeRefused as refused:
            response = refused.response
            answer = Answer(response.status, _lower(response.headers), response.content)
            raise Refused(answer) from refused


class MemoryStream:
    """One request in memory."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self.answer = Answer(response.status, _lower(response.headers))

    async def next(self) -> bytes | None:
        try:
            async for piece in self._response:
                return bytes(piece)
        except ResponseCut:
            return None
        self.answer.is_whole = True
        return None


class MemorySocketPeer:
    """A WebSocket in memory."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.subprotocol: str | None = socket.subprotocol
        self.answer = Answer(101, _lower(socket.headers))

    async def send(self, data: str | bytes) -> None:
        await self._socket.send(data)

    async def receive(self) -> str | bytes:
        message: str | bytes = await self._socket.receive()
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code, reason)

    def hang_up(self) -> None:
        self._socket.hang_up()


def _lower(headers: Any) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.lines()]
