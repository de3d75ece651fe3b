"""`ctx.stream()`: a response written inside the chain."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohia import ClientDisconnect, Context, Next, Ohia
from ohia.testing import Client, Response


async def answer(*middleware: Any, method: str = "GET") -> Response:
    app = Ohia(env="test")
    app.use(*middleware)
    async with Client(app, raise_errors=False) as client:
        return await client.request(method, "/")


async def test_it_sends_inside_the_chain() -> None:
    async def middleware(ctx: Context) -> None:
        async with ctx.stream() as out:
            assert out.wanted
            assert ctx.header_sent
            await out.write("a")
            await out.write(b"b")
            await out.write(b"")

    response = await answer(middleware)
    assert (response.status, response.content) == (200, b"ab")
    assert response.headers["content-type"] == "application/octet-stream"


async def test_what_upstream_holds_open_is_still_open() -> None:
    events: list[str] = []

    async def holder(ctx: Context, next: Next) -> None:
        await next()
        events.append("released")

    async def middleware(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("a")
            events.append("written")

    await answer(holder, middleware)
    assert events == ["written", "released"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_writes_are_dropped_where_no_body_is_wanted(method: str, status: int) -> None:
    async def middleware(ctx: Context) -> None:
        ctx.status = status
        async with ctx.stream() as out:
            assert not out.wanted
            await out.write("a")

    response = await answer(middleware, method=method)
    assert (response.status, response.content) == (status, b"")


async def test_a_piece_that_was_sent_is_not_kept() -> None:
    freed = asyncio.Event()

    class Piece(bytes):
        def __del__(self) -> None:
            freed.set()

    async def pieces() -> AsyncIterator[bytes]:
        yield Piece(b"a")
        async with asyncio.timeout(5):
            await freed.wait()
        yield b"b"

    app = Ohia(env="test")

    @app.use
    async def answer(ctx: Context) -> None:
        ctx.body = pieces()

    async with app.listen(0) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"\r\n\r\nab")
        writer.close()


async def test_what_is_written_for_nobody_ends_when_the_client_goes() -> None:
    ended: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    app = Ohia(env="test")

    @app.use
    async def endless(ctx: Context) -> None:
        ctx.on_finished(lambda error, _: ended.set_result(error))
        async with ctx.stream() as out:
            while True:
                await out.write("a")

    async with app.listen(0) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")  # so others run
        writer.close()
        assert isinstance(await ended, ClientDisconnect)


async def test_the_clients_going_is_raised_by_a_write() -> None:
    caught: list[BaseException] = []
    errors: list[Any] = []

    async def middleware(ctx: Context) -> None:
        async with ctx.stream() as out:
            try:
                while True:
                    await out.write("x")
            except ClientDisconnect as error:
                caught.append(error)
                raise

    app = Ohia(env="test")
    app.use(middleware)
    app.on("error", errors.append)
    async with Client(app) as client, client.stream("GET", "/") as response:
        await anext(aiter(response))
    assert (len(caught), errors) == (1, [])


async def test_an_error_inside_cuts_the_response() -> None:
    async def middleware(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("x")
            raise ValueError

    app = Ohia(env="test")
    app.use(middleware)
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.get("/")


async def test_detach_hooks_run_when_it_begins() -> None:
    events: list[str] = []

    async def middleware(ctx: Context) -> None:
        ctx.on_detach(lambda ctx: events.append("detached"))
        async with ctx.stream() as out:
            events.append("open")
            await out.write("x")

    await answer(middleware)
    assert events == ["detached", "open"]


async def test_filters_get_each_piece_and_a_flush_as_an_empty_one() -> None:
    seen: list[bytes] = []

    async def hold(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        held = b""
        async for piece in pieces:
            seen.append(piece)
            held += piece
            if not piece:
                yield held
                held = b""
        yield held + b"."

    async def middleware(ctx: Context) -> None:
        ctx.response.filter(hold)
        async with ctx.stream() as out:
            await out.write("a")
            await out.flush()
            await out.write("b")

    response = await answer(middleware)
    assert (response.content, seen) == (b"ab.", [b"a", b"", b"b"])


async def test_a_filter_may_wait_with_a_time_out() -> None:
    async def patient(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        while True:
            try:
                piece = await asyncio.wait_for(anext(pieces), 5)
            except StopAsyncIteration:
                return
            yield piece * 2

    async def middleware(ctx: Context) -> None:
        ctx.response.filter(patient)
        async with ctx.stream() as out:
            await out.write("a")
            await out.write("b")

    assert (await answer(middleware)).content == b"aabb"


async def test_a_filter_that_fails_fails_the_write_and_cuts() -> None:
    async def broken(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for _ in pieces:
            raise ValueError("broken filter")
            yield b""

    errors: list[Any] = []

    async def middleware(ctx: Context) -> None:
        ctx.response.filter(broken)
        async with ctx.stream() as out:
            await out.write("a")

    app = Ohia(env="test")
    app.use(middleware)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.get("/")
    assert [str(each) for each in errors] == ["broken filter"]


async def test_a_second_stream_is_an_error() -> None:
    async def middleware(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("a")
        with pytest.raises(RuntimeError, match="already"):
            await ctx.stream().__aenter__()
        with pytest.raises(RuntimeError, match="not open"):
            await out.write("b")

    assert (await answer(middleware)).content == b"a"


async def test_respond_False_lets_another_task_go_on() -> None:  # noqa: N802
    tasks: list[asyncio.Task[None]] = []

    async def middleware(ctx: Context) -> None:
        ctx.respond = False
        out = await ctx.stream().__aenter__()

        async def later() -> None:
            await out.write("later")
            await out.__aexit__(None, None, None)

        tasks.append(asyncio.create_task(later()))

    assert (await answer(middleware)).content == b"later"
    await asyncio.gather(*tasks)
