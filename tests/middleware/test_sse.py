"""Events to a page, over one response that stays open."""

import asyncio
import contextlib
import gc
import weakref
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd

from ohia import ClientDisconnect, Context, Next, Ohia
from ohia.middleware.compress import compress
from ohia.middleware.sse import sse
from ohia.testing import Client
from ohia.testing.client import StreamedResponse


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(env="test")
    app.use(sse(**options), *middleware)
    return app


async def forever(ctx: Context) -> None:
    async with ctx.sse() as events:
        await events.send("begun")
        await asyncio.Event().wait()


async def read(response: StreamedResponse, length: int) -> str:
    got = b""
    while len(got) < length:
        got += await anext(response)
    return got.decode()


async def test_events_are_sent_as_they_happen() -> None:
    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            await events.send("hello")
            await events.send({"a": [1, None]}, event="tick", id=7, retry=2.5)
            await events.send(0, retry=timedelta(seconds=1))
            await events.send(id="8")
            await events.comment("no event")

    async with Client(app_of(answer)) as client:
        response = await client.get("/")
    assert response.text == (
        "data: hello\n\n"
        'event: tick\nid: 7\nretry: 2500\ndata: {"a":[1,null]}\n\n'
        "retry: 1000\ndata: 0\n\n"
        "id: 8\n\n"
        ": no event\n\n"
    )
    headers = response.headers
    assert (response.status, headers["content-type"]) == (200, "text/event-stream")
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")


async def test_the_retry_is_told_first_and_cache_control_is_kept() -> None:
    async def answer(ctx: Context) -> None:
        ctx.set("Cache-Control", "no-store")
        async with ctx.sse(retry=3):
            pass

    async with Client(app_of(answer, retry=1)) as client:
        response = await client.get("/")
    assert (response.text, response.headers["cache-control"]) == ("retry: 3000\n\n", "no-store")


@pytest.mark.parametrize(
    ("field", "expected"),
    [("7", "7"), (None, ""), ("é".encode().decode("latin-1"), "é"), ("\xff", "\ufffd")],
)
async def test_the_last_event_id_is_read_as_utf_8(field: str | None, expected: str) -> None:
    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            await events.send(f"after <{events.last_event_id}>")

    headers = {"Last-Event-ID": field}
    async with Client(app_of(answer)) as client:
        response = await client.get("/", headers=headers)
    assert response.text == f"data: after <{expected}>\n\n"


@pytest.mark.parametrize(
    "fields",
    [{"id": "1\n\ndata: forged"}, {"event": "a\rb"}, {"id": "\0"}, {"event": "\r\n"}],
)
async def test_forged_fields_are_refused_and_data_is_split(fields: Any) -> None:
    """Security, row 76."""

    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            with pytest.raises(ValueError, match="no CR, LF or NUL"):
                await events.send("x", **fields)
            await events.send("a\r\n\r\nid: 1")

    async with Client(app_of(answer)) as client:
        assert (await client.get("/")).text == "data: a\ndata: \ndata: id: 1\n\n"


async def test_a_comment_is_sent_where_nothing_happens() -> None:
    async with (
        Client(app_of(forever, heartbeat=timedelta(milliseconds=1))) as client,
        client.stream("GET", "/") as response,
    ):
        assert await read(response, 19) == "data: begun\n\n:\n\n:\n\n"


@pytest.mark.parametrize("heartbeat", [0, -1, timedelta(0)])
def test_a_heartbeat_takes_time(heartbeat: Any) -> None:
    with pytest.raises(ValueError, match="heartbeat"):
        sse(heartbeat=heartbeat)


@pytest.mark.parametrize("option", ["heartbeat", "retry"])
async def test_a_text_is_no_time_and_opens_nothing(option: str) -> None:
    async def answer(ctx: Any) -> None:
        with pytest.raises(TypeError, match=f"{option} is seconds or a timedelta, got '15'"):
            ctx.sse(**{option: "15"})
        ctx.body = "still closed"

    async with Client(app_of(answer)) as client:
        assert (await client.get("/")).text == "still closed"


# --- the end ---------------------------------------------------------------------------------


def noting(seen: list[Any]) -> Callable[..., Any]:
    async def note(ctx: Context, next: Next) -> None:
        ctx.on_finished(lambda error, ctx: seen.append(type(error)))
        try:
            await next()
            seen.append("end")
        except BaseException as error:
            seen.append(type(error))
            raise

    return note


async def test_the_clients_going_ends_it_wherever_it_waits() -> None:
    seen: list[Any] = []
    errors: list[Any] = []
    app = app_of(noting(seen), forever, heartbeat=None)
    app.on("error", errors.append)
    async with Client(app) as client:
        before = asyncio.all_tasks()
        async with client.stream("GET", "/") as response:
            await anext(response)
        assert seen == [ClientDisconnect, ClientDisconnect]
        assert asyncio.all_tasks() == before
    assert errors == []


async def test_a_client_that_went_leaves_nothing_to_the_cycle_collector() -> None:
    app: Ohia = Ohia(env="production")
    app.use(sse())
    contexts: list[weakref.ref[Context]] = []
    ended = asyncio.Event()

    @app.use
    async def answer(ctx: Context) -> None:
        contexts.append(weakref.ref(ctx))
        ctx.on_finished(lambda error, ctx: ended.set())
        await forever(ctx)

    async with app.listen(0) as server:
        gc.collect()
        gc.disable()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"begun")
            writer.transport.abort()
            await ended.wait()
            await asyncio.sleep(0)
            assert [each() for each in contexts] == [None]
        finally:
            gc.enable()


async def test_draining_ends_it_quietly_wherever_it_waits() -> None:
    seen: list[Any] = []
    app = app_of(noting(seen), forever)
    async with Client(app) as client, client.stream("GET", "/") as response:
        assert await anext(response) == b"data: begun\n\n"
        app.draining = True
        assert [piece async for piece in response] == []
    assert seen == ["end", type(None)]


async def test_an_application_that_drains_already_ends_it_at_once() -> None:
    app = app_of(forever)
    app.draining = True
    async with Client(app) as client:
        assert (await client.get("/")).text in {"", "data: begun\n\n"}


async def test_HEAD_gets_the_head_and_ends_at_once() -> None:  # noqa: N802
    async with Client(app_of(forever)) as client:
        response = await client.head("/")
    assert response.headers["content-type"] == "text/event-stream"


async def test_HEAD_ends_what_sends_without_a_pause() -> None:  # noqa: N802
    sent: list[int] = []

    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            for number in range(1000):
                sent.append(number)
                await events.send(number)

    async with Client(app_of(answer)) as client:
        assert (await client.head("/")).status == 200
    assert len(sent) < 100


async def test_an_error_in_the_block_is_told_and_cuts() -> None:
    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            await events.send("x")
            raise ValueError("of mine")

    errors: list[Any] = []
    app = app_of(answer)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.get("/")
    assert [str(each) for each in errors] == ["of mine"]


async def test_a_time_out_of_ones_own_passes_through() -> None:
    seen: list[str] = []

    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            seen.append("went on")
            await events.send("x")

    async with Client(app_of(answer)) as client:
        assert (await client.get("/")).text == "data: x\n\n"
    assert seen == ["went on"]


async def test_what_upstream_holds_open_is_open_until_the_end() -> None:
    seen: list[str] = []

    async def holding(ctx: Context, next: Next) -> None:
        ctx.on_detach(lambda ctx: seen.append("detached"))
        await next()
        seen.append("released")

    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            await events.send("x")
            seen.append("sent")

    async with Client(app_of(holding, answer)) as client:
        await client.get("/")
    assert seen == ["detached", "sent", "released"]


async def test_an_upgraded_request_passes_through_it() -> None:
    async def answer(ctx: Context) -> None:
        socket = await ctx.upgrade()
        await socket.send("x")
        with pytest.raises(RuntimeError, match="already"):
            await ctx.sse().__aenter__()

    async with Client(app_of(answer)) as client, client.websocket("/") as socket:
        assert await socket.receive() == "x"


async def test_a_filter_gets_a_flush_behind_each_event() -> None:
    async def squeeze(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        packed = zlib.compressobj()
        async for piece in pieces:
            yield packed.compress(piece) + (b"" if piece else packed.flush(zlib.Z_SYNC_FLUSH))

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.response.filter(squeeze)
        await next()

    inflate = zlib.decompressobj().decompress
    async with (
        Client(app_of(upstream, forever)) as client,
        client.stream("GET", "/") as response,
    ):
        got = b""
        while got != b"data: begun\n\n":
            got += inflate(await anext(response))


@pytest.mark.parametrize(
    ("coding", "inflater"),
    [
        ("gzip", lambda: zlib.decompressobj(31).decompress),
        ("br", lambda: brotli.Decompressor().process),
        ("zstd", lambda: zstd.ZstdDecompressor().decompress),
    ],
)
async def test_compressed_events_arrive_without_delay(coding: str, inflater: Any) -> None:
    heard = asyncio.Event()

    async def answer(ctx: Context) -> None:
        async with ctx.sse() as events:
            for number in range(3):
                await events.send(str(number))
                await heard.wait()
                heard.clear()

    inflate = inflater()
    headers = {"Accept-Encoding": coding}
    async with (
        Client(app_of(compress(), answer)) as client,
        client.stream("GET", "/", headers=headers) as response,
    ):
        assert response.headers["content-encoding"] == coding
        for number in range(3):
            assert inflate(await anext(response)) == f"data: {number}\n\n".encode()
            heard.set()


# --- over the wire ---------------------------------------------------------------------------


async def test_a_stopping_server_ends_the_streams_and_goes() -> None:
    app = app_of(forever)
    async with app.listen(0, access_log=False, grace=10) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"data: begun\n\n\r\n")
        await server.close()
        assert await reader.read() == b"0\r\n\r\n"
        writer.close()
