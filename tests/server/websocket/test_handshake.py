"""Handshakes that an application accepts or refuses, on the wire (RFC 6455, 4.2)."""

import asyncio

import pytest

from ohia import Context, Ohia
from ohia.server.server import Server

from .peer import HANDSHAKE, NORMAL, TEXT, Peer, close_frame, dial, frame, handshake

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
ORDINARY = b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"


def serving() -> Server:
    """Return a server whose application echoes, or says hello to what is no handshake."""
    app: Ohia = Ohia(env="test")

    @app.use
    async def answer(ctx: Context) -> None:
        if ctx.path == "/plain":
            ctx.body = "hello"
            return
        socket = await ctx.upgrade(subprotocols=["chat"])
        async for message in socket:
            await socket.send(message)

    return app.listen(0, grace=0.2)


async def status_of(server: Server, request: bytes) -> tuple[int, str]:
    """Return status and head of the answer."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    writer.close()
    return int(head.split(" ")[1]), head


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(HANDSHAKE.replace(KEY, b""), 400, id="no key"),
        pytest.param(HANDSHAKE.replace(b"ZQ==", b"ZQ="), 400, id="short key"),
        pytest.param(HANDSHAKE.replace(KEY, KEY + KEY), 400, id="two keys"),
        pytest.param(HANDSHAKE.replace(b"Version: 13\r\n", b"Version:\r\n"), 426, id="no number"),
        pytest.param(handshake(version="8"), 426, id="version 8"),
        pytest.param(handshake(version="12"), 426, id="version 12"),
        pytest.param(handshake("Sec-WebSocket-Version: 13"), 426, id="two versions"),
        pytest.param(handshake(method="POST"), 400, id="POST"),
        pytest.param(handshake(method="get"), 400, id="get"),
        pytest.param(handshake(http="1.0"), 400, id="HTTP/1.0"),
        pytest.param(handshake("Content-Length: 3") + b"abc", 400, id="body"),
        pytest.param(
            handshake("Transfer-Encoding: chunked") + b"0\r\n\r\n", 400, id="chunked body"
        ),
        pytest.param(HANDSHAKE.replace(b", Upgrade", b""), 426, id="no token"),
        pytest.param(HANDSHAKE.replace(b": websocket", b": h2c"), 426, id="another protocol"),
        pytest.param(handshake("Origin: https://evil.example"), 403, id="another origin"),
        pytest.param(handshake("Origin: null"), 403, id="no origin"),
        pytest.param(handshake(*(["X: y"] * 2000)), 431, id="2,000 fields"),
        pytest.param(handshake("Content-Length: 0"), 101, id="empty body"),
    ],
)
async def test_only_a_proper_handshake_becomes_a_socket(request_: bytes, status: int) -> None:
    async with serving() as server:
        got, _ = await status_of(server, request_)
        assert got == status
        assert (await status_of(server, ORDINARY))[0] == 200


@pytest.mark.parametrize("version", ["8", "12"])
async def test_a_refused_version_is_told_the_right_one(version: str) -> None:
    async with serving() as server:
        _, head = await status_of(server, handshake(version=version))
    assert "Sec-WebSocket-Version: 13\r\n" in head
    assert "Upgrade: websocket\r\n" in head


async def test_after_a_refusal_the_connection_serves_on() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(handshake(version="8") + ORDINARY)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 426 ")
        assert b"HTTP/1.1 200 OK" in await reader.readuntil(b"hello")
        writer.close()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(" " * 16 * 1024, id="16 KB of spaces"),
        pytest.param("a" + " " * 16 * 1024 + "b", id="spaces within"),
        pytest.param("," * 16 * 1024, id="commas"),
        pytest.param("\xe4\xf6\xfc, \xff", id="non-ASCII bytes"),
        pytest.param('chat"; x=\xe4', id="no token"),
    ],
)
async def test_odd_subprotocols_are_ignored(value: str) -> None:
    async with serving() as server:
        status, head = await status_of(server, handshake(f"Sec-WebSocket-Protocol: {value}"))
        assert status == 101
        assert "Sec-WebSocket-Protocol" not in head
        assert (await status_of(server, ORDINARY))[0] == 200


async def test_subprotocols_of_several_lines_are_one_list() -> None:
    lines = ["Sec-WebSocket-Protocol: x, y", "Sec-WebSocket-Protocol: chat"]
    async with serving() as server:
        _, head = await status_of(server, handshake(*lines))
    assert "Sec-WebSocket-Protocol: chat\r\n" in head


async def test_frames_right_behind_the_handshake_are_answered() -> None:
    async with serving() as server, dial(server, frame(TEXT, b"early")) as peer:
        assert await peer.read() == (TEXT, b"early")
        peer.send(close_frame(1000))
        assert await peer.rest() == [(8, NORMAL)]


async def test_frames_that_follow_each_byte_of_a_split_handshake_are_answered() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(*server.address)
        for byte in HANDSHAKE + frame(TEXT, b"split"):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await reader.readuntil(b"\r\n\r\n")
        assert await Peer(reader, writer).read() == (TEXT, b"split")
        writer.close()
