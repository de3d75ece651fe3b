"""WebSockets on the wire (RFC 6455, RFC 7692): against a client, and raw frames."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

from ohia.errors import ClientDisconnect, WebSocketClosed
from ohia.exchange import Exchange, Socket, SocketOptions
from ohia.http.headers import Headers
from ohia.server.server import Server

Serve = Callable[..., AbstractAsyncContextManager[Server]]

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
DEFLATE = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
PLAIN = SocketOptions(compression=False, ping_interval=None)
TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def upgrading(
    use: Callable[[Socket], Awaitable[None]], options: SocketOptions = PLAIN
) -> Callable[[Exchange], Awaitable[None]]:
    """Return an answer that upgrades, uses the socket and closes it."""

    async def answer(exchange: Exchange) -> None:
        assert exchange.is_websocket
        socket = await exchange.upgrade(Headers(), None, options)
        await use(socket)
        await socket.close()

    return answer


async def echo(socket: Socket) -> None:
    try:
        while True:
            waiting = socket.send(await socket.receive())
            if waiting is not None:
                await waiting
    except WebSocketClosed:
        return


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return one frame of a client, masked with zeros."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if len(data) < 126:
        size = bytes([0x80 | len(data)])
    elif len(data) < 65536:
        size = b"\xfe" + struct.pack("!H", len(data))
    else:
        size = b"\xff" + struct.pack("!Q", len(data))
    return head + size + bytes(4) + data


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return opcode and payload of the next frame of a server."""
    head = await reader.readexactly(2)
    size = head[1]
    if size == 126:
        [size] = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        [size] = struct.unpack("!Q", await reader.readexactly(8))
    return head[0] & 0x0F, await reader.readexactly(size)


async def raw(
    server: Server, data: bytes, *, then: bytes = b"", handshake: bytes = HANDSHAKE
) -> list[tuple[int, bytes]]:
    """Send the handshake and `data` at once, `then` after the first answer; return all frames."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(handshake + data)
    await reader.readuntil(b"\r\n\r\n")
    frames = []
    try:
        while True:
            frames.append(await read_frame(reader))
            if then and frames[-1][0] != PONG:
                writer.write(then)
                then = b""
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return frames
    finally:
        writer.close()


@asynccontextmanager
async def client(server: Server, **options: Any) -> AsyncIterator[ClientConnection]:
    options.setdefault("ping_interval", None)
    async with connect(f"ws://127.0.0.1:{server.port}/", proxy=None, **options) as connection:
        yield connection


# --- The handshake


async def test_the_101_has_all_headers_of_the_application(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        headers = Headers({"Set-Cookie": ["a=1", "b=2"], "X": "y", "Connection": "close"})
        headers["Transfer-Encoding"] = "chunked"
        headers["Upgrade"] = "h2c"
        socket = await exchange.upgrade(headers, "chat", PLAIN)
        assert socket.subprotocol == "chat"
        assert not exchange.can_send or not exchange.disconnected.is_set()
        await socket.close()

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
    lines = head.rstrip().split("\r\n")
    assert lines[0] == "HTTP/1.1 101 Switching Protocols"
    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in lines
    assert "Sec-WebSocket-Protocol: chat" in lines
    assert [line for line in lines if line.startswith("Set-Cookie")] == [
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
    ]
    assert lines.count("Connection: Upgrade") == lines.count("Upgrade: websocket") == 1
    assert "Upgrade: h2c" not in lines
    assert "Connection: close" not in lines
    assert "X: y" in lines
    assert "Content-Length" not in head
    assert "Transfer-Encoding" not in head
    assert head.count("Date: ") == 1


async def test_a_date_of_the_application_is_the_only_one_on_the_101(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        date = "Thu, 01 Jan 1970 00:00:00 GMT"
        await (await exchange.upgrade(Headers({"Date": date}), None, PLAIN)).close()

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
    assert [line for line in head.split("\r\n") if line.startswith("Date")] == [
        "Date: Thu, 01 Jan 1970 00:00:00 GMT"
    ]


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", "permessage-deflate; server_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            "x, permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=12",
        ),
        ("permessage-deflate; nonsense, permessage-deflate", "permessage-deflate; server_max"),
        ("permessage-deflate; server_max_window_bits=7", None),
        ("permessage-deflate;;=", None),
        ("x-webkit-deflate-frame", None),
    ],
)
async def test_compression_is_agreed_on(serve: Serve, offer: str, answer: str | None) -> None:
    options = SocketOptions(ping_interval=None)
    request = HANDSHAKE[:-2] + f"Sec-WebSocket-Extensions: {offer}\r\n\r\n".encode()
    async with serve(upgrading(echo, options)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(request + close_frame(1000))
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
    if answer is None:
        assert "Sec-WebSocket-Extensions" not in head
    else:
        assert f"Sec-WebSocket-Extensions: {answer}" in head


async def test_a_refused_handshake_is_an_answer_and_the_connection_goes_on(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        assert exchange.is_websocket
        if exchange.target == "/stream":
            exchange.send_head(404, "Not Found", Headers())
            exchange.send_piece(b"no socket here")
            exchange.end()
        else:
            exchange.send_response(401, "Unauthorized", Headers({"X": "y"}), b"who are you")

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE + HANDSHAKE.replace(b"GET /", b"GET /stream"))
        writer.write_eof()
        data = await reader.read()
        writer.close()
    assert data.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"\r\nX: y\r\n" in data
    assert b"HTTP/1.1 404 Not Found\r\n" in data
    assert data.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", True),
        (b"Connection: keep-alive\r\nConnection: UPGRADE\r\nUpgrade: h2c, WEBSOCKET\r\n", True),
        (b"Upgrade: websocket\r\n", False),
        (b"Connection: Upgrade\r\n", False),
        (b"Connection: Upgrade\r\nUpgrade: websockets\r\n", False),
        (b"Connection: Upgraded\r\nUpgrade: websocket\r\n", False),
    ],
)
async def test_what_asks_for_a_websocket(serve: Serve, fields: bytes, expected: bool) -> None:
    seen: list[bool] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(exchange.is_websocket)
        exchange.send_response(200, "OK", Headers({"Connection": "close"}), b"")

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
        await reader.read()
        writer.close()
    assert seen == [expected]


async def test_after_the_upgrade_the_exchange_sends_nothing(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        socket = await exchange.upgrade(Headers(), None, PLAIN)
        with pytest.raises(RuntimeError, match="has become a WebSocket"):
            exchange.send_response(200, "OK", Headers(), b"")
        await socket.close()

    async with serve(answer) as server:
        assert await raw(server, close_frame(1000)) == [(CLOSE, b"\x03\xe8")]


async def test_closing_the_exchange_cuts_an_open_socket(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.upgrade(Headers(), None, PLAIN)

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1_000_000)
        writer.close()


# --- Messages


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_messages_go_both_ways(serve: Serve, compression: str | None) -> None:
    options = SocketOptions(ping_interval=None)
    async with (
        serve(upgrading(echo, options)) as server,
        client(server, compression=compression) as connection,
    ):
        for message in ("", "ä€😀", b"", bytes(range(256)), "x" * 70_000, b"y" * 70_000):
            await connection.send(message)
            assert await connection.recv() == message


async def test_fragments_become_one_message(serve: Serve) -> None:
    async with serve(upgrading(echo)) as server, client(server) as connection:
        await connection.send(["ä", "", "€😀"])
        assert await connection.recv() == "ä€😀"
        await connection.send([b"a", b"b"])
        assert await connection.recv() == b"ab"


async def test_a_character_may_be_split_over_fragments(serve: Serve) -> None:
    text = "€".encode()
    data = frame(TEXT, text[:1], fin=False) + frame(PING, b"p") + frame(CONT, text[1:])
    async with serve(upgrading(echo)) as server:
        frames = await raw(server, data, then=close_frame(1000))
    assert frames == [(PONG, b"p"), (TEXT, text), (CLOSE, b"\x03\xe8")]


async def test_what_came_with_the_handshake_is_not_lost(serve: Serve) -> None:
    async def use(socket: Socket) -> None:
        await asyncio.sleep(0)
        await echo(socket)

    async with serve(upgrading(use)) as server:
        frames = await raw(server, frame(TEXT, b"early"), then=close_frame(1000))
    assert frames == [(TEXT, b"early"), (CLOSE, b"\x03\xe8")]


async def test_a_message_is_str_or_bytes(serve: Serve) -> None:
    async def use(socket: Socket) -> None:
        with pytest.raises(TypeError, match="str or bytes, got 1"):
            socket.send(1)  # type: ignore[arg-type]
        socket.send("fine")

    async with serve(upgrading(use)) as server:
        assert (TEXT, b"fine") in await raw(server, b"", then=close_frame(1000))
        assert no_errors(server)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01x", 1002),  # unmasked, RFC 6455, 5.1
        (frame(3), 1002),  # reserved opcodes, 5.2
        (frame(11), 1002),
        (frame(TEXT, b"x", rsv=4), 1002),  # reserved bits
        (frame(TEXT, b"x", rsv=1), 1002),
        (frame(PING, bytes(126)), 1002),  # 5.5
        (frame(PING, fin=False), 1002),
        (frame(CONT, b"x"), 1002),  # 5.4
        (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
        (frame(TEXT, b"\xff"), 1007),  # 8.1
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONT, b"x"), 1007),
        (frame(TEXT, b"ok", fin=False) + frame(CONT, b"\xe2\x82"), 1007),
        (close_frame(1000, b"\xff"), 1007),
        (frame(CLOSE, b"x"), 1002),  # 7.4
        (close_frame(999), 1002),
        (close_frame(1005), 1002),
        (close_frame(1006), 1002),
        (close_frame(1015), 1002),
        (frame(BINARY, bytes(1001)), 1009),
        (frame(BINARY, bytes(600), fin=False) + frame(CONT, bytes(600)), 1009),
        (b"\x82\xff" + struct.pack("!Q", 1 << 30) + bytes(4), 1009),
    ],
)
async def test_a_broken_rule_fails_the_connection_with_its_code(
    serve: Serve, data: bytes, code: int
) -> None:
    seen: list[int | None] = []

    async def use(socket: Socket) -> None:
        with pytest.raises(WebSocketClosed) as caught:
            await socket.receive()
        assert caught.value.code == code
        with pytest.raises(WebSocketClosed):
            socket.send("x")
        seen.append(socket.close_code)

    options = SocketOptions(max_message_size=1000, compression=False, ping_interval=None)
    async with serve(upgrading(use, options)) as server:
        frames = await raw(server, data + frame(TEXT, b"dropped"))
    assert [opcode for opcode, _ in frames] == [CLOSE]
    assert struct.unpack("!H", frames[0][1][:2]) == (code,)
    assert seen == [code]


async def test_a_close_may_come_within_a_message(serve: Serve) -> None:  # RFC 6455, 5.4
    async with serve(upgrading(echo)) as server:
        frames = await raw(server, frame(TEXT, b"x", fin=False) + close_frame(1000))
    assert frames[0][1][:2] == struct.pack("!H", 1000)


async def test_the_size_of_a_message_is_that_after_inflating(serve: Serve) -> None:
    deflate = zlib.compressobj(wbits=-15)
    bomb = (deflate.compress(bytes(64_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    options = SocketOptions(max_message_size=100_000, ping_interval=None)
    async with serve(upgrading(echo, options)) as server:
        frames = await raw(server, frame(BINARY, bomb, rsv=4), handshake=DEFLATE)
    assert frames[0][1][:2] == struct.pack("!H", 1009)


async def test_many_empty_fragments_are_one_message(serve: Serve) -> None:
    data = frame(TEXT, fin=False) + frame(CONT, fin=False) * 100_000 + frame(CONT, b"x")
    async with serve(upgrading(echo)) as server:
        frames = await raw(server, data, then=close_frame(1000))
    assert frames == [(TEXT, b"x"), (CLOSE, b"\x03\xe8")]


# --- Back-pressure


async def test_reading_stops_while_the_queue_is_full(serve: Serve) -> None:
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def use(socket: Socket) -> None:
        await go_on.wait()
        try:
            while True:
                sizes.append(len(await socket.receive()))
        except WebSocketClosed:
            return

    options = SocketOptions(max_queue=2, compression=False, ping_interval=None)
    message = frame(BINARY, bytes(100_000))
    async with serve(upgrading(use, options)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(message * 200)
        buffered = writer.transport.get_write_buffer_size
        last = -1
        while buffered() != last:  # until nothing moves
            last = buffered()
            await asyncio.sleep(0.05)
        assert last > 5_000_000
        go_on.set()
        writer.write(close_frame(1000))
        await reader.read()
        writer.close()
    assert sizes == [100_000] * 200


async def test_sending_waits_for_a_peer_that_does_not_read(serve: Serve) -> None:
    waited = asyncio.Event()

    async def use(socket: Socket) -> None:
        while (waiting := socket.send(bytes(100_000))) is None:
            pass
        assert socket.buffered > 0
        socket.send(b"an awaitable may be dropped")
        waited.set()
        with pytest.raises(WebSocketClosed, match="1006"):
            await waiting

    async with serve(upgrading(use)) as server:
        _, writer = await asyncio.open_connection(*server.address, limit=1)
        writer.write(HANDSHAKE)
        await waited.wait()
        writer.transport.abort()


# --- The end


@pytest.mark.parametrize(
    ("sent", "code", "reason", "answered"),
    [
        (close_frame(1000), 1000, "", b"\x03\xe8"),
        (close_frame(3001, b"bye"), 3001, "bye", b"\x0b\xb9bye"),
        (frame(CLOSE), 1005, "", b""),
    ],
)
async def test_the_peer_closes_first(
    serve: Serve, sent: bytes, code: int, reason: str, answered: bytes
) -> None:
    async def use(socket: Socket) -> None:
        assert await socket.receive() == "last"
        with pytest.raises(WebSocketClosed) as caught:
            await socket.receive()
        assert (caught.value.code, caught.value.reason) == (code, reason)
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (code, reason)

    async with serve(upgrading(use)) as server:
        assert await raw(server, frame(TEXT, b"last") + sent) == [(CLOSE, answered)]
        assert no_errors(server)


def no_errors(server: Server) -> bool:
    return getattr(server.handler, "errors", None) == []


async def test_we_close_first(serve: Serve) -> None:
    codes: list[int | None] = []

    async def use(socket: Socket) -> None:
        socket.send("first")
        await socket.close(4000, "enough")
        await socket.close()
        codes.append(socket.close_code)
        with pytest.raises(WebSocketClosed, match="4000 enough"):
            socket.send("late")
        with pytest.raises(WebSocketClosed, match="4000 enough"):
            await socket.ping()

    async with serve(upgrading(use)) as server, client(server) as connection:
        assert await connection.recv() == "first"
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        await connection.wait_closed()
    assert (connection.close_code, connection.close_reason) == (4000, "enough")
    assert codes == [4000]


@pytest.mark.parametrize(("code", "reason"), [(1005, ""), (999, ""), (1000, "x" * 124)])
async def test_a_close_that_cannot_be_sent_is_an_error(
    serve: Serve, code: int, reason: str
) -> None:
    async def use(socket: Socket) -> None:
        with pytest.raises(ValueError, match=r"Close frame|reason"):
            await socket.close(code, reason)

    async with serve(upgrading(use)) as server:
        frames = await raw(server, b"", then=close_frame(1000))
        assert frames == [(CLOSE, b"\x03\xe8")]
        assert no_errors(server)


async def test_a_peer_that_does_not_answer_a_close_is_cut(serve: Serve) -> None:
    async def use(socket: Socket) -> None:
        await socket.close(4000)
        assert socket.close_code == 1006

    options = SocketOptions(compression=False, close_timeout=0.02)
    async with serve(upgrading(use, options)) as server:
        assert await raw(server, b"") == [(CLOSE, b"\x0f\xa0")]
        assert no_errors(server)


async def test_a_peer_that_goes_without_a_word_is_1006(serve: Serve) -> None:
    codes: list[int] = []

    async def answer(exchange: Exchange) -> None:
        gone = exchange.disconnected
        socket = await exchange.upgrade(Headers(), None, PLAIN)
        with pytest.raises(WebSocketClosed) as caught:
            await socket.receive()
        codes.append(caught.value.code)
        assert gone.is_set()
        assert socket.close_code == 1006

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        await until(lambda: bool(codes))
        assert no_errors(server)
    assert codes == [1006]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is looked at tells nobody
        await asyncio.sleep(0.001)


async def test_what_ends_well_is_no_disconnect(serve: Serve) -> None:
    seen: list[bool] = []

    async def answer(exchange: Exchange) -> None:
        gone = exchange.disconnected
        socket = await exchange.upgrade(Headers(), None, PLAIN)
        await echo(socket)
        await socket.close()
        seen.append(gone.is_set())

    async with serve(answer) as server:
        await raw(server, close_frame(1000))
    assert seen == [False]


async def test_a_stopping_server_goes_away(serve: Serve) -> None:
    async with serve(upgrading(echo)) as server:
        async with client(server) as connection:
            await connection.send("x")
            await connection.recv()
            closing = asyncio.create_task(server.close())
            with pytest.raises(ConnectionClosedOK):
                await connection.recv()
            assert connection.close_code == 1001
        await closing
        assert no_errors(server)


async def test_only_one_task_receives(serve: Serve) -> None:
    async def use(socket: Socket) -> None:
        first = asyncio.create_task(socket.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="receiving"):
            await socket.receive()
        first.cancel()
        await asyncio.wait([first])

    async with serve(upgrading(use)) as server:
        await raw(server, b"", then=close_frame(1000))
        assert no_errors(server)


# --- Pings


async def test_a_ping_is_answered_with_its_payload(serve: Serve) -> None:
    async with serve(upgrading(echo)) as server:
        frames = await raw(server, frame(PING, b"abc") + frame(PONG, b"x") + close_frame(1000))
    assert frames == [(PONG, b"abc"), (CLOSE, b"\x03\xe8")]


async def test_our_ping_returns_seconds(serve: Serve) -> None:
    times: list[float] = []

    async def use(socket: Socket) -> None:
        times.extend(await asyncio.gather(socket.ping(), socket.ping()))
        await echo(socket)

    async with serve(upgrading(use)) as server, client(server) as connection:
        await connection.send("x")
        await connection.recv()
    assert len(times) == 2
    assert min(times) >= 0


async def test_a_ping_that_is_never_answered_ends_with_the_socket(serve: Serve) -> None:
    async def use(socket: Socket) -> None:
        with pytest.raises(WebSocketClosed, match="1006"):
            await socket.ping()

    async with serve(upgrading(use)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        assert (await reader.readexactly(1))[0] & 15 == PING
        writer.close()
        await until(lambda: not server.connections)
        assert no_errors(server)


async def test_a_peer_that_answers_no_ping_is_given_up(serve: Serve) -> None:
    codes: list[int] = []

    async def use(socket: Socket) -> None:
        with pytest.raises(WebSocketClosed) as caught:
            await socket.receive()
        codes.append(caught.value.code)

    options = SocketOptions(compression=False, ping_interval=0.02, ping_timeout=0.02)
    async with serve(upgrading(use, options)) as server:
        frames = await raw(server, b"")
    assert [opcode for opcode, _ in frames] == [PING, CLOSE]
    assert frames[1][1][:2] == struct.pack("!H", 1011)
    assert codes == [1011]


async def test_a_peer_that_answers_pings_stays(serve: Serve) -> None:
    options = SocketOptions(compression=False, ping_interval=0.01, ping_timeout=1)
    async with serve(upgrading(echo, options)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(3):
            payload = (await reader.readexactly(6))[2:]
            writer.write(frame(PONG, payload))
        writer.write(frame(TEXT, b"here"))
        while (answer := await read_frame(reader))[0] == PING:
            writer.write(frame(PONG, answer[1]))
        writer.close()
    assert answer == (TEXT, b"here")


async def test_a_cut_body_is_no_socket(serve: Serve) -> None:
    """A handshake by POST may have a body; it is an ordinary request."""
    errors: list[str] = []

    async def answer(exchange: Exchange) -> None:
        try:
            await exchange.read()
            await exchange.read()
        except ClientDisconnect as error:
            errors.append(str(error))

    async with serve(answer) as server:
        _, writer = await asyncio.open_connection(*server.address)
        request = HANDSHAKE.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 9")
        writer.write(request + b"\r\n\r\nabc")
        writer.close()
        await until(lambda: bool(errors))
    assert errors == ["the client went before the end of its request"]
