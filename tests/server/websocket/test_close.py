"""The end of a socket: whose close it was, with which code and reason (RFC 6455, 5.5.1, 7)."""

import asyncio
import struct
from contextlib import suppress
from typing import Any

import pytest

from ohia.errors import WebSocketClosed
from ohia.exchange import Socket, SocketOptions
from ohia.http.headers import Headers
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
    Peer,
    Serve,
    close_frame,
    dial,
    echo,
    errors_of,
    frame,
    until,
    upgrading,
)

QUICK = SocketOptions(compression=False, ping_interval=None, close_timeout=0.05)


def payload(code: int, reason: str = "") -> bytes:
    return struct.pack("!H", code) + reason.encode()


async def end_of(socket: Socket) -> tuple[int, str]:
    """Return what the application is told after the last message."""
    try:
        while True:
            await socket.receive()
    except WebSocketClosed as closed:
        assert (socket.close_code, socket.close_reason) == (closed.code, closed.reason)
        return closed.code, closed.reason


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536])
async def test_codes_that_may_not_be_sent_are_refused(serve: Serve, code: int) -> None:
    async def use(socket: Socket) -> None:
        with pytest.raises(ValueError, match="Close frame"):
            await socket.close(code)

    async with serve(upgrading(use)) as server, dial(server) as peer:
        assert await peer.read() == (CLOSE, NORMAL)
        assert errors_of(server) == []


async def test_their_close_is_told_with_its_reason(serve: Serve) -> None:
    ends: list[tuple[int, str]] = []

    async def use(socket: Socket) -> None:
        ends.append(await end_of(socket))

    data = close_frame(4321, "tschüß".encode())
    async with serve(upgrading(use)) as server, dial(server, data) as peer:
        assert await peer.rest() == [(CLOSE, payload(4321, "tschüß"))]
    assert ends == [(4321, "tschüß")]


async def test_our_close_is_told_with_its_reason(serve: Serve) -> None:
    ends: list[tuple[int, str]] = []

    async def use(socket: Socket) -> None:
        await socket.close(4321, "tschüß")
        ends.append(await end_of(socket))

    async with serve(upgrading(use)) as server, dial(server) as peer:
        assert await peer.read() == (CLOSE, payload(4321, "tschüß"))
        peer.send(close_frame(4321))
        assert await peer.rest() == []
        await until(lambda: ends)
    assert ends == [(4321, "tschüß")]


async def test_when_both_close_at_once_each_keeps_its_own(serve: Serve) -> None:
    ends: list[tuple[int, str]] = []

    async def use(socket: Socket) -> None:
        await socket.close(4000, "ours")
        ends.append(await end_of(socket))

    async with serve(upgrading(use)) as server, dial(server, close_frame(4999, b"theirs")) as peer:
        assert (await peer.rest())[-1][0] == CLOSE
        await until(lambda: ends)
    assert ends[0] in [(4000, "ours"), (4999, "theirs")]


async def test_a_crossing_close_does_not_change_ours(serve: Serve) -> None:
    ends: list[tuple[int, str]] = []

    async def use(socket: Socket) -> None:
        await socket.close(4000, "ours")
        ends.append(await end_of(socket))

    async with serve(upgrading(use)) as server, dial(server) as peer:
        assert await peer.read() == (CLOSE, payload(4000, "ours"))
        peer.send(close_frame(4999, b"theirs"))  # written before ours was read, as far as we know
        assert await peer.rest() == []
        await until(lambda: ends)
    assert ends == [(4000, "ours")]


async def test_our_close_within_their_message_drops_it(serve: Serve) -> None:
    ends: list[tuple[int, str]] = []

    async def use(socket: Socket) -> None:
        assert await socket.receive() == "go"
        await socket.close(4000, "enough")
        ends.append(await end_of(socket))

    data = frame(TEXT, b"go") + frame(TEXT, b"half", fin=False)
    async with serve(upgrading(use)) as server, dial(server, data) as peer:
        assert await peer.read() == (CLOSE, payload(4000, "enough"))
        peer.send(frame(CONT, b"rest"), frame(TEXT, b"late"), frame(PING, b"p"), close_frame(4000))
        assert await peer.rest() == [(PONG, b"p")]
        await until(lambda: ends)
    assert ends == [(4000, "enough")]


async def test_a_message_may_be_answered_at_leisure_after_a_close_came(serve: Serve) -> None:
    """The Close waits for the answers, not for the application's work beyond."""
    seen: list[object] = []

    async def use(socket: Socket) -> None:
        while len(seen) < 3:
            message = await socket.receive()
            seen.append(message)
            for _ in range(5):
                await asyncio.sleep(0)
            assert socket.close_code is None
            await (socket.send(f"{message!r} 1") or asyncio.sleep(0))
            await (socket.send(f"{message!r} 2") or asyncio.sleep(0))
        seen.append(await end_of(socket))
        with pytest.raises(WebSocketClosed, match="4001 done"):
            socket.send("late")

    data = b"".join(frame(TEXT, b"%d" % n) for n in range(3)) + close_frame(4001, b"done")
    async with serve(upgrading(use)) as server, dial(server, data) as peer:
        frames = await peer.rest()
        await until(lambda: len(seen) == 4)
        assert errors_of(server) == []
    answers = [f"'{n}' {part}".encode() for n in range(3) for part in (1, 2)]
    assert frames == [*((TEXT, answer) for answer in answers), (CLOSE, payload(4001, "done"))]
    assert seen[-1] == (4001, "done")


async def test_a_half_closed_peer_gets_its_answers(serve: Serve) -> None:
    data = frame(TEXT, b"a") + frame(TEXT, b"b") + close_frame(1000)
    async with serve(upgrading(echo)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE + data)
        writer.write_eof()
        await reader.readuntil(b"\r\n\r\n")
        frames = await Peer(reader, writer).rest()
        writer.close()
    assert frames == [(TEXT, b"a"), (TEXT, b"b"), (CLOSE, NORMAL)]


@pytest.mark.parametrize("end", [b"", close_frame(1000)], ids=["end", "close"])
async def test_all_that_a_half_closed_peer_sent_before_the_upgrade_is_read(
    serve: Serve, end: bytes
) -> None:
    texts = [str(n).encode() for n in range(SocketOptions().max_queue * 2)]
    seen: list[object] = []

    async def answer(exchange: Any) -> None:
        await until(lambda: exchange._wire._is_eof)
        socket = await exchange.upgrade(Headers(), None, PLAIN)
        with suppress(WebSocketClosed):
            while True:
                seen.append(await socket.receive())

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(HANDSHAKE + b"".join(frame(TEXT, text) for text in texts) + end)
        writer.write_eof()
        await reader.read()
        writer.close()
    assert seen == [text.decode() for text in texts]


async def test_a_peer_that_ends_its_side_without_a_close_has_gone(serve: Serve) -> None:
    ends: list[object] = []

    async def use(socket: Socket) -> None:
        ends.append(await socket.receive())
        ends.append(await end_of(socket))

    async with serve(upgrading(use)) as server, dial(server, frame(TEXT, b"last")) as peer:
        peer.writer.write_eof()
        assert await peer.rest() == []
    assert ends == ["last", (1006, "")]


async def test_an_application_that_takes_nothing_delays_the_close_by_its_time_out(
    serve: Serve,
) -> None:
    told: list[str] = []

    async def use(socket: Socket) -> None:
        try:
            while True:
                await (socket.send("tick") or asyncio.sleep(0.01))
                await asyncio.sleep(0.001)
        except WebSocketClosed as closed:
            told.append(str(closed))
        assert await socket.receive() == "unread"

    data = frame(TEXT, b"unread") + close_frame(4002, b"bye")
    async with serve(upgrading(use, QUICK)) as server, dial(server, data) as peer:
        frames = await peer.rest()
        await until(lambda: told)
        assert errors_of(server) == []
    assert frames[-1] == (CLOSE, payload(4002, "bye"))
    assert all(each == (TEXT, b"tick") for each in frames[:-1])
    assert told == ["4002 bye"]


async def test_closing_sends_the_close_that_was_held_back(serve: Serve) -> None:
    async def use(socket: Socket) -> None:
        await asyncio.sleep(0)
        await socket.close(4000, "ours comes too late")
        assert (socket.close_code, socket.close_reason) == (4003, "first")

    data = frame(TEXT, b"unread") + close_frame(4003, b"first")
    async with serve(upgrading(use)) as server, dial(server, data) as peer:
        assert await peer.rest() == [(CLOSE, payload(4003, "first"))]
        await until(lambda: not server.connections)
        assert errors_of(server) == []


async def test_a_ping_after_their_close_is_refused(serve: Serve) -> None:
    async def use(socket: Socket) -> None:
        await socket.receive()
        with pytest.raises(WebSocketClosed, match="1000"):
            await socket.ping()
        await echo(socket)

    data = frame(TEXT, b"m") + close_frame(1000)
    async with serve(upgrading(use)) as server, dial(server, data) as peer:
        assert await peer.rest() == [(CLOSE, NORMAL)]
        assert errors_of(server) == []


async def test_bytes_after_a_close_are_dropped(serve: Serve) -> None:
    data = frame(TEXT, b"m") + close_frame(1000) + b"\xff" * 300_000
    async with serve(upgrading(echo)) as server, dial(server, data) as peer:
        assert [await peer.read(), await peer.read()] == [(TEXT, b"m"), (CLOSE, NORMAL)]
        assert errors_of(server) == []


async def test_a_peer_that_failed_behind_a_full_queue_is_heard_to_go(serve: Serve) -> None:
    """Not only at the end of `linger_timeout`: reading goes on, though nothing is taken."""
    ends: list[object] = []

    async def use(socket: Socket) -> None:
        await asyncio.sleep(0)
        ends.append(await socket.receive())
        ends.append(await end_of(socket))

    options = SocketOptions(compression=False, ping_interval=None, max_queue=1)
    data = frame(TEXT, b"m") + b"\xff" * 99
    async with (
        serve(upgrading(use, options), linger_timeout=1000) as server,
        dial(server, data) as peer,
    ):
        assert await peer.rest() == [(CLOSE, payload(1002, "15 is no opcode"))]
        peer.writer.close()
        async with asyncio.timeout(10):
            await until(lambda: not server.connections)
    assert ends == ["m", (1002, "15 is no opcode")]


async def fill(socket: Socket) -> WebSocketClosed:
    """Send until the peer takes no more; return what ends the wait."""
    try:
        while True:
            await (socket.send(bytes(100_000)) or asyncio.sleep(0))
    except WebSocketClosed as closed:
        return closed


def is_stuck(sockets: list[Socket]) -> bool:
    """Say whether the transport of the only socket has asked for a pause."""
    return any(isinstance(each, ServerSocket) and each.is_paused for each in sockets)


async def test_our_close_to_a_peer_that_does_not_read_is_bounded(serve: Serve) -> None:
    ends: list[object] = []
    has_stopped = asyncio.Event()

    async def use(socket: Socket) -> None:
        await has_stopped.wait()
        sending = asyncio.create_task(fill(socket))
        await until_stuck_for_good(socket)
        await socket.close(4000, "enough")
        ends.append((await sending).code)
        ends.append(socket.close_code)

    async with serve(upgrading(use, QUICK)) as server, dial(server) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        has_stopped.set()
        await until(lambda: len(ends) == 2)
        assert errors_of(server) == []
    assert ends == [1006, 1006]  # no Close came back


async def until_stuck_for_good(socket: Socket) -> None:
    """Return when the kernel has taken nothing for many turns of the loop."""
    quiet, buffered = 0, -1
    while quiet < 200:
        is_still = is_stuck([socket]) and socket.buffered == buffered
        quiet, buffered = (quiet + 1 if is_still else 0), socket.buffered
        await asyncio.sleep(0)


async def test_their_close_is_noticed_though_they_do_not_read(serve: Serve) -> None:
    ends: list[object] = []
    sockets: list[Socket] = []

    async def use(socket: Socket) -> None:
        sockets.append(socket)
        closed = await fill(socket)
        ends.append((closed.code, closed.reason))
        await socket.wait_closed()
        ends.append(socket.close_code)

    async with serve(upgrading(use, QUICK)) as server, dial(server) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: is_stuck(sockets))
        peer.send(close_frame(4005, b"too much"))
        await until(lambda: len(ends) == 2)
        assert errors_of(server) == []
    assert ends == [(4005, "too much"), 4005]


async def test_pings_of_a_peer_that_does_not_read_are_answered_once(serve: Serve) -> None:
    """RFC 6455, 5.5.3: the last pong may stand for those before; else they fill the memory."""
    sizes: list[int] = []
    go_on = asyncio.Event()
    sockets: list[Socket] = []

    def has_come(sockets: list[Socket]) -> bool:
        return any(isinstance(each, ServerSocket) and each._queue for each in sockets)

    async def use(socket: Socket) -> None:
        sockets.append(socket)
        while (waiting := socket.send(bytes(100_000))) is None:
            pass
        before = socket.buffered
        await go_on.wait()
        sizes.append(socket.buffered - before)
        await waiting
        await echo(socket)

    async with serve(upgrading(use)) as server, dial(server) as peer:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: is_stuck(sockets))
        peer.send(*(frame(PING, b"%d" % n) for n in range(1000)), frame(TEXT, b"mark"))
        await until(lambda: has_come(sockets))
        go_on.set()
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        while (seen := await peer.read())[0] == BINARY:
            pass
        rest = [seen, await peer.read()]
    assert max(sizes) <= 0
    assert sorted(rest) == [(TEXT, b"mark"), (PONG, b"999")]
