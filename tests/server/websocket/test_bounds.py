"""What one peer can cost: memory, time, and the loop that it shares with others."""

import asyncio
import os
import signal
import struct
import sys
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from ohia import Context, Ohia, upgrade
from ohia.errors import WebSocketClosed
from ohia.exchange import Socket, SocketOptions
from ohia.server.limits import make_limits
from ohia.server.server import Server
from ohia.server.websocket import ServerSocket

from .peer import (
    BINARY,
    CLOSE,
    CONT,
    HANDSHAKE,
    NORMAL,
    PING,
    PLAIN,
    PONG,
    TEXT,
    Serve,
    close_frame,
    dial,
    echo,
    errors_of,
    frame,
    handshake,
    until,
    upgrading,
)

MB = 1_000_000
DEFLATE = handshake("Sec-WebSocket-Extensions: permessage-deflate")


@contextmanager
def allocates_at_most(size: int) -> Iterator[None]:
    """Fail if Python's memory grows by more than `size` bytes, at its highest."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def code_of(frames: list[tuple[int, bytes]]) -> int:
    """Return the code of the Close that is the only frame."""
    [(opcode, payload)] = frames
    assert opcode == CLOSE
    [code] = struct.unpack("!H", payload[:2])
    assert isinstance(code, int)
    return code


# --- Sizes


async def test_an_announced_gigabyte_is_refused_at_once(serve: Serve) -> None:
    announced = b"\x82\xff" + struct.pack("!Q", 1 << 30) + bytes(4)
    async with serve(upgrading(echo)) as server, dial(server) as peer:
        with allocates_at_most(MB):
            peer.send(announced)
            assert code_of(await peer.rest()) == 1009


async def test_a_bomb_is_refused_before_it_has_grown(serve: Serve) -> None:
    deflate = zlib.compressobj(wbits=-12)
    bomb = (deflate.compress(bytes(64 * MB)) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert len(bomb) < 80_000
    options = SocketOptions(ping_interval=None)
    async with (
        serve(upgrading(echo, options)) as server,
        dial(server, request=DEFLATE) as peer,
    ):
        with allocates_at_most(9 * MB):
            peer.send(frame(BINARY, bomb, rsv=4))
            assert code_of(await peer.rest()) == 1009


async def test_many_small_bombs_wait_unread(serve: Serve) -> None:
    deflate = zlib.compressobj(wbits=-12)
    bombs = [
        frame(BINARY, deflate.compress(bytes(MB)) + deflate.flush(zlib.Z_SYNC_FLUSH)[:-4], rsv=4)
        for _ in range(30)
    ]
    options = SocketOptions(ping_interval=None, max_queue=2)
    go_on = asyncio.Event()
    sizes: list[int] = []
    held: list[int] = []

    async def use(socket: Socket) -> None:
        assert isinstance(socket, ServerSocket)
        await until(lambda: socket._queue)
        held.append(len(socket._queue))
        await go_on.wait()
        for _ in range(30):
            sizes.append(len(await socket.receive()))
            held.append(len(socket._queue))

    async with (
        serve(upgrading(use, options)) as server,
        dial(server, request=DEFLATE) as peer,
    ):
        peer.send(*bombs)
        go_on.set()
        assert await peer.read() == (CLOSE, NORMAL)
    assert sizes == [MB] * 30
    assert max(held) <= 2 + 4  # the queue, and what one slice of input holds


async def test_what_has_grown_counts_for_a_turn(serve: Serve) -> None:
    deflate = zlib.compressobj(wbits=-12)
    bomb = frame(BINARY, deflate.compress(bytes(MB)) + deflate.flush(zlib.Z_SYNC_FLUSH)[:-4], rsv=4)
    held: list[int] = []

    async def use(socket: Socket) -> None:
        assert isinstance(socket, ServerSocket)
        while len(held) < 3:
            held.append(len(socket._queue))
            await asyncio.sleep(0)

    options = SocketOptions(ping_interval=None, max_queue=100)
    async with (
        serve(upgrading(use, options)) as server,
        dial(server, bomb * 30, request=DEFLATE) as peer,
    ):
        assert await peer.read() == (CLOSE, NORMAL)
    assert [later - before for before, later in pairwise(held)] == [1, 1]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(BINARY, bytes(10)) + frame(TEXT, b"x" * 10), 1000, id="as large"),
        pytest.param(frame(BINARY, bytes(11)), 1009, id="one more"),
        pytest.param(frame(BINARY, bytes(10), fin=False) + frame(CONT, b"x"), 1009, id="in all"),
        pytest.param(
            frame(BINARY, bytes(10), fin=False) + frame(PING, bytes(125)) + frame(CONT),
            1000,
            id="a ping within is not counted",
        ),
        pytest.param(frame(PING, bytes(125)), 1000, id="nor one alone"),
    ],
)
async def test_a_message_has_its_greatest_size(serve: Serve, data: bytes, code: int) -> None:
    options = SocketOptions(max_message_size=10, compression=False)
    async with (
        serve(upgrading(echo, options)) as server,
        dial(server, data, close_frame(1000)) as peer,
    ):
        frames = await peer.rest()
    assert frames[-1][1][:2] == struct.pack("!H", code)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(BINARY, bytes(10), fin=False) + frame(CONT, bytes(10)), 1000),
        (frame(BINARY, bytes(11)), 1009),
        (frame(BINARY, bytes(10), fin=False) + frame(CONT, bytes(11)), 1009),
        (frame(PING, bytes(125)), 1000),
        (frame(BINARY, bytes(200)), 1009),
    ],
)
async def test_a_frame_has_its_greatest_size(serve: Serve, data: bytes, code: int) -> None:
    options = SocketOptions(max_fragment_size=10, compression=False)
    async with (
        serve(upgrading(echo, options)) as server,
        dial(server, data, close_frame(1000)) as peer,
    ):
        frames = await peer.rest()
    assert frames[-1][1][:2] == struct.pack("!H", code)


async def test_empty_fragments_cost_no_memory_and_block_nobody(serve: Serve) -> None:
    flood = frame(CONT, fin=False) * 50_000
    async with serve(upgrading(echo)) as server, dial(server, frame(TEXT, fin=False)) as peer:
        with allocates_at_most(8 * MB):
            peer.send(flood)
            peer.send(frame(CONT, b"end"))
            answer = asyncio.create_task(peer.read())
            now = began = time.perf_counter()
            longest = 0.0
            while not answer.done():
                await ask(server)
                before, now = now, time.perf_counter()
                longest = max(longest, now - before)
        assert await answer == (TEXT, b"end")
    assert longest < (now - began) / 2  # a request waits for a part of the flood, never for all


async def ask(server: Server) -> None:
    """Send an ordinary request and read its answer."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"hello")
    writer.close()


async def test_many_messages_to_a_slow_application_wait_unread(serve: Serve) -> None:
    go_on = asyncio.Event()
    seen: list[int] = []

    async def use(socket: Socket) -> None:
        assert isinstance(socket, ServerSocket)
        await go_on.wait()
        for n in range(20_000):
            assert await socket.receive() == str(n)
            if n % 1000 == 0:
                seen.append(len(socket._queue))

    flood = b"".join(frame(TEXT, b"%d" % n) for n in range(20_000))
    async with serve(upgrading(use)) as server, dial(server) as peer:
        with allocates_at_most(8 * MB):
            peer.send(flood)
            await ask(server)
            go_on.set()
            assert await peer.read() == (CLOSE, NORMAL)
        assert errors_of(server) == []
    assert max(seen) < 1000


async def fill(socket: Socket) -> WebSocketClosed:
    """Send until the peer takes no more; return what ends the wait."""
    try:
        while True:
            await (socket.send(bytes(100_000)) or asyncio.sleep(0))
    except WebSocketClosed as closed:
        return closed


async def test_a_peer_that_reads_nothing_makes_send_wait(serve: Serve) -> None:
    sockets: list[Socket] = []

    async def use(socket: Socket) -> None:
        sockets.append(socket)
        await fill(socket)

    async with serve(upgrading(use)) as server, dial(server) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with allocates_at_most(8 * MB):
            await until(lambda: sockets and sockets[0].buffered > 50_000)
            for _ in range(10):
                await ask(server)
        peer.writer.transport.abort()
        await until(lambda: not server.connections)
        assert errors_of(server) == []


# --- Time


async def test_a_peer_that_stands_still_is_told_of_and_leaves_no_task(serve: Serve) -> None:
    ends: list[object] = []

    async def use(socket: Socket) -> None:
        with pytest.raises(WebSocketClosed) as caught:
            await socket.receive()
        ends.append((caught.value.code, caught.value.reason))

    client = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
        f"s.sendall({HANDSHAKE!r}); s.recv(999); print('up', flush=True); s.recv(999999)"
    )
    options = {"ping_interval": 0.05, "ping_timeout": 0.05, "linger_timeout": 0.05}
    async with serve(upgrading(use, None), **options) as server:
        before = asyncio.all_tasks()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", client, str(server.port), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"up\n"
            os.kill(process.pid, signal.SIGSTOP)
            await until(lambda: ends)
            await until(lambda: not server.connections)
            await until(lambda: asyncio.all_tasks() <= before)
        finally:
            process.kill()
            await process.wait()
        assert errors_of(server) == []
    assert ends == [(1011, "no answer to a ping")]


async def test_a_peer_that_stands_still_frees_who_sends_to_it(serve: Serve) -> None:
    ends: list[int] = []

    async def use(socket: Socket) -> None:
        ends.append((await fill(socket)).code)

    options = SocketOptions(compression=False, ping_interval=0.05, ping_timeout=0.05)
    async with serve(upgrading(use, options)) as server, dial(server) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: ends)
        await until(lambda: not server.connections)
        assert errors_of(server) == []
    assert ends == [1011]


async def test_a_peer_that_sends_lives_though_it_answers_no_ping(serve: Serve) -> None:
    """Its pong may stand behind a large message on a slow line."""
    options = SocketOptions(compression=False, ping_interval=0.02, ping_timeout=0.2)
    async with serve(upgrading(echo, options)) as server, dial(server) as peer:
        pings = 0
        while pings < 1:
            pings += (await peer.read())[0] == PING
        for _ in range(10):
            peer.send(frame(CONT if _ else TEXT, b"x", fin=False))
            await asyncio.sleep(0.05)
        peer.send(frame(CONT))
        while (answer := await peer.read())[0] == PING:
            pass
    assert answer == (TEXT, b"x" * 10)


async def test_without_a_time_out_pings_go_on_unanswered(serve: Serve) -> None:
    options = SocketOptions(compression=False, ping_interval=0.01, ping_timeout=None)
    async with serve(upgrading(echo, options)) as server, dial(server) as peer:
        assert [(await peer.read())[0] for _ in range(5)] == [PING] * 5
        peer.send(frame(TEXT, b"here"))
        while (answer := await peer.read())[0] == PING:
            pass
    assert answer == (TEXT, b"here")


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts its timers."""

    timers = 0

    def call_at(self, *call: Any, **context: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        self.timers += 1
        return super().call_at(*call, **context)


def test_sockets_have_no_timers_of_their_own(serve: Serve) -> None:
    async def timers_of(sockets: int) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        async with serve(upgrading(echo, None)) as server:
            before = loop.timers
            for _ in range(sockets):
                async with dial(server) as peer:
                    peer.send(frame(PING), frame(TEXT, b"m"), close_frame(1000))
                    assert await peer.rest() == [(PONG, b""), (TEXT, b"m"), (CLOSE, NORMAL)]
            return loop.timers - before

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        assert runner.run(timers_of(20)) < 10


# --- Options


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_queue": 0}, ValueError),
        ({"max_queue": -1}, ValueError),
        ({"max_queue": None}, TypeError),
        ({"max_queue": True}, TypeError),
        ({"max_queue": 1.5}, TypeError),
        ({"max_message_size": -1}, ValueError),
        ({"max_message_size": "1"}, TypeError),
        ({"max_fragment_size": False}, TypeError),
        ({"ping_interval": 0}, ValueError),
        ({"ping_interval": -1}, ValueError),
        ({"ping_timeout": float("nan")}, ValueError),
        ({"close_timeout": "10"}, TypeError),
    ],
)
def test_listen_refuses_what_cannot_work(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        make_limits(options)


async def test_what_the_application_says_counts_before_what_listen_says() -> None:
    app: Ohia = Ohia(env="test")
    upgrade(app, max_queue=3)
    seen: list[SocketOptions] = []

    @app.use
    async def answer(ctx: Context) -> None:
        socket = await ctx.upgrade(ping_timeout=7)
        seen.append(socket._socket._options)  # type: ignore[attr-defined]

    limits: dict[str, Any] = {
        "max_message_size": 1,
        "max_fragment_size": 2,
        "max_queue": 4,
        "ping_interval": 5,
        "ping_timeout": 6,
        "close_timeout": 8,
    }
    async with app.listen(0, **limits) as server, dial(server) as peer:
        peer.send(close_frame(1000))
        await peer.rest()
    expected = {**limits, "max_queue": 3, "ping_timeout": 7}
    assert seen == [SocketOptions(**expected)]


async def test_the_server_has_the_defaults_of_a_socket(serve: Serve) -> None:
    seen: list[SocketOptions] = []

    async def use(socket: Socket) -> None:
        seen.append(socket._options)  # type: ignore[attr-defined]

    async with serve(upgrading(use, None)) as server, dial(server) as peer:
        peer.send(close_frame(1000))
        await peer.rest()
    assert seen == [SocketOptions()]
    assert seen != [PLAIN]
