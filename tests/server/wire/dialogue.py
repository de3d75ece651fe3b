"""How the tables of this folder are said to a server, and what is heard.

The application writes down each request that it sees and answers with that line. Behind what a
case sends comes one more request, `NEXT`: whether it is seen tells if the connection went on.
"""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from ohia.errors import ClientDisconnect, HTTPError
from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.server.server import Server

__all__ = ["GET", "NEXT", "Client", "Heard", "Serve", "Wire", "get", "post", "rows", "sent"]

Answer = Callable[[Exchange], Awaitable[None]]
Serve = Callable[..., AbstractAsyncContextManager[Server]]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
DATE = re.compile(rb"\r\nDate: [^\r]*")
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n")


def get(*fields: bytes) -> bytes:
    """Return a GET with `fields` besides its Host."""
    return b"\r\n".join([b"GET / HTTP/1.1", b"Host: a", *fields, b"", b""])


def post(*fields: bytes, body: bytes = b"") -> bytes:
    """Return a POST with `fields` besides its Host, and what follows its head."""
    return b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *fields, b"", body])


def rows(*table: tuple[Any, ...]) -> list[Any]:
    """Return test parameters of a table whose columns begin with a section and a name."""
    return [pytest.param(*case, id=f"{section}: {name}") for section, name, *case in table]


async def sent(waiting: Awaitable[None] | None) -> None:
    """Wait where there is something to wait for."""
    if waiting is not None:
        await waiting


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a conversation."""

    data: bytes
    """All that the server sent, without its dates."""
    seen: list[str]
    """What the application saw of each request: method, target, version, body or `!status`."""

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [int(each) for each in STATUS.findall(self.data)]

    @property
    def closes(self) -> bool:
        """Whether the last answer says that the connection ends."""
        return b"\r\nConnection: close\r\n" in self.data[self.data.rfind(b"HTTP/1.1 ") :]


class Client:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        """Send `data`."""
        self.writer.write(data)

    async def say_slowly(self, data: bytes, leap: int) -> None:
        """Send `data`, a few bytes in a turn of the loop."""
        for start in range(0, len(data), leap):
            self.writer.write(data[start : start + leap])
            await asyncio.sleep(0)

    async def drip(self, data: bytes, leap: int) -> bytes:
        """Send `data` slowly; return all that comes. Stop when the server ends its side."""
        answers = asyncio.ensure_future(self.rest())
        for start in range(0, len(data), leap):
            if answers.done() or self.writer.transport.is_closing():
                break
            self.writer.write(data[start : start + leap])
            await asyncio.sleep(0)
        return await answers

    async def until(self, end: bytes) -> bytes:
        """Return what comes, up to `end`."""
        return await self.reader.readuntil(end)

    async def rest(self) -> bytes:
        """Return all that comes until the server closes, or cuts."""
        data = b""
        try:
            while piece := await self.reader.read(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data

    def end(self) -> None:
        """End our side; the other stays open."""
        self.writer.write_eof()

    def vanish(self) -> None:
        """Cut the connection."""
        self.writer.transport.abort()


@asynccontextmanager
async def connect(server: Server) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*server.address)
    # Else single bytes would wait for one another.
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


class Wire:
    """A server with an application that tells what it sees, and clients for it."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.seen: list[str] = []

    async def answer(self, exchange: Exchange) -> None:
        """Read the body, note the request, answer with the note."""
        note = f"{exchange.method} {exchange.target} {exchange.http_version}"
        body = b""
        try:
            while piece := await exchange.read():
                body += piece
        except HTTPError as error:
            self.seen.append(f"{note} !{error.status}")
            await sent(exchange.send_response(error.status, error.message, Headers(), b""))
        except ClientDisconnect:
            self.seen.append(f"{note} gone")
            raise
        else:
            note = f"{note} {body.decode('latin-1')}".rstrip(" ")
            self.seen.append(note)
            await sent(exchange.send_response(200, "OK", Headers(), note.encode("latin-1")))

    @asynccontextmanager
    async def client(self, answer: Answer | None = None, **limits: Any) -> AsyncIterator[Client]:
        """Serve one client: by `answer`, else by `self.answer`."""
        async with self._serve(answer or self.answer, **limits) as server, connect(server) as one:
            yield one

    @asynccontextmanager
    async def clients(self, count: int, **limits: Any) -> AsyncIterator[list[Client]]:
        """Serve several clients at once."""
        async with self._serve(self.answer, **limits) as server, AsyncExitStack() as stack:
            yield [await stack.enter_async_context(connect(server)) for _ in range(count)]

    async def say(self, data: bytes, leap: int | None = None, **limits: Any) -> Heard:
        """Return what comes of `data` until the server closes the connection."""
        self.seen = []
        async with self.client(**limits) as client:
            answers = await client.drip(data, leap or len(data))
        return Heard(DATE.sub(b"", answers), self.seen)

    async def hear(self, data: bytes, **limits: Any) -> Heard:
        """Return what comes of `data`; it must be the same whole and in single bytes."""
        whole = await self.say(data, **limits)
        pieces = await self.say(data, leap=1 + len(data) // 500, **limits)
        assert pieces == whole
        return whole
