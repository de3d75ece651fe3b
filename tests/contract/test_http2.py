"""HTTP/2, which ohia's own server does not speak: over hypercorn, without TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
import pytest

from .clients import PATIENCE

Fields = list[tuple[str, str]]


pytestmark = pytest.mark.parametrize("server", ["hypercorn"])


class Stream:
    """One stream on a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        config = h2.config.H2Configuration(header_encoding="latin-1")
        self._connection = h2.connection.H2Connection(config)
        self._connection.initiate_connection()
        self.fields: dict[str, str] = {}
        self.body = b""
        self.is_ended = False

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, fields: Fields, *, ends: bool) -> AsyncIterator["Stream"]:
        stream = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            stream._connection.send_headers(1, fields, end_stream=ends)
            stream._flush()
            yield stream
        finally:
            stream._writer.transport.abort()

    def send(self, data: bytes) -> None:
        self._connection.send_data(1, data)
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())

    async def read(self) -> None:
        """Take what comes next."""
        async with asyncio.timeout(PATIENCE):
            data = await self._reader.read(65536)
        assert data
        for event in self._connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.fields = {str(name): str(value) for name, value in event.headers}
            elif isinstance(event, h2.events.DataReceived):
                self.body += event.data
            elif isinstance(event, h2.events.StreamEnded):
                self.is_ended = True
        self._flush()

    async def read_head(self) -> None:
        while not self.fields:
            await self.read()

    async def read_all(self) -> None:
        while not self.is_ended:
            await self.read()


def fields_of(path: str, method: str = "GET") -> Fields:
    return [
        (":method", method),
        (":scheme", "http"),
        (":authority", "example.org"),
        (":path", path),
    ]


HANDSHAKE = [(":protocol", "websocket"), ("sec-websocket-version", "13")]


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [("/stream", "200", b"one two three"), ("/throws", "409", b"taken"), ("/empty", "204", b"")],
)
async def test_requests_over_http_2(
    ports: dict[str, int], server: str, path: str, status: str, body: bytes
) -> None:
    async with Stream.to(ports[server], fields_of(path), ends=True) as stream:
        await stream.read_all()
    assert (stream.fields[":status"], stream.body) == (status, body)


async def test_a_websocket_over_http_2(ports: dict[str, int], server: str) -> None:
    """RFC 8441: no key, no Upgrade, and 200 for the 101."""
    fields = [*fields_of("/ws/cookies", "CONNECT"), *HANDSHAKE]
    async with Stream.to(ports[server], fields, ends=False) as stream:
        await stream.read_head()
        assert stream.fields[":status"] == "200"
        assert stream.fields["x-header"] == "yes"
        while len(stream.body) < 2:
            await stream.read()
    assert stream.body.startswith(b"\x81")
    assert b"101 True False" in stream.body


async def test_messages_over_http_2(ports: dict[str, int], server: str) -> None:
    fields = [*fields_of("/ws/request", "CONNECT"), *HANDSHAKE]
    async with Stream.to(ports[server], fields, ends=False) as stream:
        while b"}" not in stream.body:
            await stream.read()
    for part in (b'"method":"GET"', b'"connection":true', b'"upgrade":"websocket"'):
        assert part in stream.body


async def test_a_refusal_over_http_2(ports: dict[str, int], server: str) -> None:
    fields = [*fields_of("/ws/refused", "CONNECT"), *HANDSHAKE]
    async with Stream.to(ports[server], fields, ends=False) as stream:
        await stream.read_all()
    assert stream.fields[":status"] == "401"
    assert b"who are you?" in stream.body
