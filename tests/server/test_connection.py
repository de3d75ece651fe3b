"""The connection's own machinery: order, waits, isolation, cost; `wire/` has the grammar."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar

import pytest

from ohia.errors import ClientDisconnect, HTTPError
from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.server import connection
from ohia.server.exchange import ServerExchange
from ohia.server.server import Server

Serve = Callable[..., AbstractAsyncContextManager[Server]]
Talk = Callable[[Server, bytes], Awaitable[bytes]]
Read = Callable[..., list[tuple[int, Headers, bytes]]]
Answer = Callable[[Exchange], Awaitable[None]]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + body


async def hello(exchange: Exchange) -> None:
    await sent(exchange.send_response(200, "OK", Headers({"Content-Type": "text/plain"}), b"hello"))


async def echo(exchange: Exchange) -> None:
    """Answer with the method, the target and the body; an error of the body with its status."""
    body = b""
    try:
        while piece := await exchange.read():
            body += piece
    except HTTPError as error:
        await sent(exchange.send_response(error.status, error.message, Headers(), b""))
        return
    text = f"{exchange.method} {exchange.target} {exchange.http_version} ".encode() + body
    await sent(exchange.send_response(200, "OK", Headers(), text))


async def sent(waiting: Awaitable[None] | None) -> None:
    if waiting is not None:
        await waiting


async def send_for_ever(exchange: Exchange) -> None:
    while True:
        await sent(exchange.send_piece(bytes(65536)))


# --- Responses


async def test_a_large_body_is_not_copied_into_its_head(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    large = bytes(range(256)) * 4096

    async def answer(exchange: Exchange) -> None:
        await sent(exchange.send_response(200, "OK", Headers(), large))

    async with serve(answer) as server:
        data = await talk(server, GET + LAST)
    assert [body for _, _, body in read_responses(data, "GET", "GET")] == [large, large]


async def test_a_closed_exchange_keeps_its_facts_and_sends_nothing(serve: Serve) -> None:
    kept: list[Exchange] = []

    async def answer(exchange: Exchange) -> None:
        kept.append(exchange)
        await hello(exchange)

    async with serve(answer) as server:
        await everything(server, LAST)
    [exchange] = kept
    assert (exchange.method, exchange.headers["host"]) == ("GET", "a")
    assert not exchange.can_send
    assert not exchange.disconnected.is_set()
    with pytest.raises(RuntimeError, match="closed"):
        exchange.send_response(200, "OK", Headers(), b"")


async def everything(server: Server, data: bytes) -> bytes:
    """Return what comes until the connection is closed, or cut."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(data)
    known = b""
    try:
        while piece := await reader.read(65536):
            known += piece
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return known


# --- The connection's life


async def test_what_is_sent_ahead_is_answered_in_order_one_at_a_time(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    running = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        await echo(exchange)
        running -= 1

    ahead = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" % n for n in range(500)
    )
    async with serve(answer) as server:
        data = await talk(server, ahead)
    bodies = [body for _, _, body in read_responses(data, *["POST"] * 500)]
    assert bodies == [b"POST /%d 1.1 x" % n for n in range(500)]


async def test_a_client_that_has_gone_is_told_of_while_nothing_is_written(serve: Serve) -> None:
    told = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.disconnected.wait()
        assert not exchange.can_send
        told.set()

    async with serve(answer) as server:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        writer.close()
        await told.wait()


async def test_a_client_that_stops_reading_a_stream_is_told_of(serve: Serve) -> None:
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())
        with pytest.raises(ClientDisconnect):
            await send_for_ever(exchange)
        told.set_result(exchange.disconnected.is_set())

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        await reader.readexactly(100)
        writer.transport.abort()
        assert await told


async def test_sending_waits_for_a_client_that_does_not_read(serve: Serve) -> None:
    waits: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())
        count = 0
        while (waiting := exchange.send_piece(bytes(65536))) is None:
            count += 1
        waits.set_result(count)
        with pytest.raises(ClientDisconnect):
            await waiting

    async with serve(answer) as server:
        _, writer = await asyncio.open_connection(*server.address, limit=1)
        writer.write(GET)
        assert await waits < 1000
        writer.transport.abort()


async def test_a_body_that_the_client_cuts_is_told_to_the_reader(serve: Serve) -> None:
    errors: list[Exception] = []
    pieces: list[bytes] = []

    async def answer(exchange: Exchange) -> None:
        pieces.append(await exchange.read())
        try:
            await exchange.read()
        except ClientDisconnect as error:
            errors.append(error)
        assert exchange.disconnected.is_set()

    async with serve(answer) as server:
        assert await everything_after_eof(server, post(b"Content-Length: 9", b"abc")) == b""
    assert pieces == [b"abc"]
    assert len(errors) == 1


async def test_a_client_may_end_its_side_in_a_body_that_it_sent_ahead(serve: Serve) -> None:
    caught: list[BaseException] = []

    async def answer(exchange: Exchange) -> None:
        if not exchange.content_length:
            await asyncio.sleep(0.1)  # the end comes before the next request begins
        try:
            body = await exchange.read() + await exchange.read()
        except ClientDisconnect as error:
            caught.append(error)
            assert exchange.disconnected.is_set()
            body = b"cut"
        await sent(exchange.send_response(200, "OK", Headers(), body))

    async with serve(answer) as server, asyncio.timeout(5):
        data = await everything_after_eof(server, GET + post(b"Content-Length: 9", b"abc"))
    assert data.endswith(b"\r\n\r\ncut")
    assert len(caught) == 1


async def everything_after_eof(server: Server, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(data)
    writer.write_eof()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_a_client_that_ended_its_side_may_read_slowly(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HALF_CLOSED", 0.01)
    size = 12_000_000  # bytes: more than two kernels hold

    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers({"Content-Length": str(size)}))
        for _ in range(size // 100_000):
            await sent(exchange.send_piece(bytes(100_000)))
        await sent(exchange.end())

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address, limit=1)
        writer.write(GET)
        writer.write_eof()
        await asyncio.sleep(0.1)
        assert await count_to_eof(reader) > size
        writer.close()


async def test_a_client_may_end_its_side_before_it_reads_what_was_not_waited_for(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    size = 8_000_000  # bytes: more than two kernels hold

    async def answer(exchange: Exchange) -> None:
        exchange.send_response(200, "OK", Headers(), bytes(size))

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address, limit=1)
        writer.write(GET * 2)
        await asyncio.sleep(0.1)
        writer.write_eof()
        await asyncio.sleep(0.1)
        assert await count_to_eof(reader) > 2 * size
        writer.close()
    told = [each for each in caplog.records if each.name == "asyncio"]
    assert not [each for each in told if each.levelno > logging.INFO]  # connection_lost twice


async def count_to_eof(reader: asyncio.StreamReader) -> int:
    """Return the bytes that come; `read()` would take as few at once as the reader's limit says."""
    count = 0
    while piece := await reader.read(1_000_000):
        count += len(piece)
    return count


async def stuck(writer: asyncio.StreamWriter) -> None:
    """Return when nothing more of what was written goes out."""
    left = -1
    while left != (left := writer.transport.get_write_buffer_size()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # the kernel tells nobody


async def test_reading_stops_while_nobody_takes_the_body(serve: Serve) -> None:
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def answer(exchange: Exchange) -> None:
        await go_on.wait()
        while piece := await exchange.read():
            sizes.append(len(piece))
        await hello(exchange)

    size = 40_000_000
    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(post(b"Connection: close\r\nContent-Length: %d" % size))
        writer.write(bytes(size))
        await stuck(writer)
        go_on.set()
        assert (await reader.read()).endswith(b"hello")
        writer.close()
    assert sum(sizes) == size
    assert sizes[0] < 1_000_000


async def test_a_client_that_takes_nothing_is_cut(serve: Serve) -> None:
    gone = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        waiting = exchange.send_response(200, "OK", Headers(), bytes(40_000_000))
        assert waiting is not None
        with pytest.raises(ClientDisconnect):
            await waiting
        gone.set()

    async with serve(answer, body_timeout=0.05) as server:
        _, writer = await asyncio.open_connection(*server.address, limit=1)
        writer.write(GET)
        await gone.wait()
        writer.close()


# --- Isolation and cost


async def test_requests_of_one_connection_do_not_share_context_variables(
    serve: Serve, talk: Talk
) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(variable.get())
        variable.set(exchange.target)
        await echo(exchange)

    ahead = post(b"Content-Length: 100000", bytes(100_000))
    async with serve(answer) as server:
        await talk(server, GET + ahead + GET)
    assert seen == ["unset"] * 3


async def test_a_request_leaves_nothing_for_the_cycle_collector(serve: Serve) -> None:
    kept: list[int] = []

    async def answer(exchange: Exchange) -> None:
        kept.append(id(exchange))
        assert exchange.disconnected is exchange.disconnected
        assert exchange.headers is exchange.headers
        await echo(exchange)

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                writer.write(post(b"Content-Length: 3", b"abc"))
                await reader.readuntil(b"abc")
            left = sum(isinstance(each, ServerExchange) for each in gc.get_objects())
        finally:
            gc.enable()
            writer.close()
    assert len(kept) == 20
    assert left <= 1
