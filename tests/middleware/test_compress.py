"""Bodies in zstd, brotli or gzip, by what the client accepts."""

import asyncio
import gzip as gzip_module
import io
import resource
import sys
import threading
import weakref
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd

from ohia import Context, Next, Ohia
from ohia.middleware.compress import compress
from ohia.middleware.compress.body import compressing
from ohia.middleware.compress.codings import MakeCompressor, make_gzip, make_zstd
from ohia.middleware.compress.compressible import compressible
from ohia.middleware.conditional import conditional
from ohia.testing import Client, Response

TEXT = "a text that is long enough to be worth it, over and over. " * 100
DATA = TEXT.encode()

DECODE: dict[str, Callable[[bytes], Any]] = {
    "zstd": zstd.decompress,
    "br": brotli.decompress,
    "gzip": gzip_module.decompress,
}


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(env="test")
    app.use(compress(**options), *middleware)
    return app


async def get(
    app: Ohia, accepted: str | None = "gzip", *, method: str = "GET", url: str = "/"
) -> Response:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    async with Client(app, raise_errors=False) as client:
        return await client.request(method, url, headers=headers)


def text(ctx: Context) -> None:
    ctx.body = TEXT


def decoded(response: Response) -> bytes:
    whole: bytes = DECODE[response.headers["content-encoding"]](response.content)
    return whole


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
async def test_each_coding_is_read_back(coding: str) -> None:
    response = await get(app_of(text), coding)
    assert response.headers["content-encoding"] == coding
    assert response.headers["content-length"] == str(len(response.content))
    assert len(response.content) < len(DATA) / 10
    assert decoded(response) == DATA


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),  # equally liked: our order
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.9", "gzip"),
        ("gzip;q=0.2, identity;q=0.5", None),
        ("gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("*", "gzip"),  # as koa-compress
        ("*, br", "br"),  # named before what only * covers
        ("br;q=0, *", "zstd"),
        ("deflate", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
        (None, None),
    ],
)
async def test_the_client_chooses_by_its_weights(accepted: str | None, coding: str | None) -> None:
    response = await get(app_of(text), accepted)
    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["identity;q=0", "*;q=0", "deflate, identity;q=0"])
async def test_a_client_that_accepts_nothing_of_ours_gets_406(accepted: str) -> None:
    response = await get(app_of(text), accepted)
    assert response.status == 406
    assert response.text == "supported encodings: zstd, br, gzip, identity"
    assert "content-encoding" not in response.headers


async def test_a_coding_can_be_left_out_or_given_options() -> None:
    best = await get(app_of(text, zstd=False, br={"quality": 11}, gzip={"level": 9}), "zstd, br")
    assert best.headers["content-encoding"] == "br"
    assert (await get(app_of(text, zstd=False, br=False), "zstd, br")).content == DATA


@pytest.mark.parametrize(
    "options",
    [{"gzip": {"levle": 1}}, {"br": {"level": 1}}, {"zstd": {"quality": 1}}],
)
def test_an_option_that_no_coding_has_is_refused_at_use(options: Any) -> None:
    with pytest.raises(TypeError, match="takes"):
        compress(**options)


async def test_an_async_filter_would_be_true_for_every_type() -> None:
    async def wants(_type: str) -> bool:
        return False

    with pytest.raises(TypeError, match="filter is a plain function, got the async"):
        compress(filter=wants)  # type: ignore[arg-type]
    response = await get(app_of(text, filter=lambda name: wants(f"{name}")), "gzip")
    assert response.status == 500


def test_a_value_that_the_library_refuses_is_told_at_use() -> None:
    with pytest.raises(ValueError, match=r".+"):
        compress(zstd={"level": 1000})


@pytest.mark.parametrize(
    ("module", "package"), [("brotli", "brotli"), ("backports.zstd", "backports.zstd")]
)
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="zstd is built in")
def test_a_missing_library_is_named_with_its_extra(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {package}: .*ohia\[compress\]"):
        compress()
    compress(br=False, zstd=False)


@pytest.mark.parametrize(
    ("options", "length", "is_compressed"),
    [
        ({}, 1023, False),
        ({}, 1024, True),
        ({"threshold": 5}, 5, True),
        ({"threshold": 0}, 0, False),
    ],
)
async def test_what_is_below_the_threshold_goes_as_it_is(
    options: Any, length: int, *, is_compressed: bool
) -> None:
    def answer(ctx: Context) -> None:
        ctx.body = "x" * length

    response = await get(app_of(answer, **options))
    assert ("content-encoding" in response.headers) is is_compressed
    assert response.headers["vary"] == "Accept-Encoding"


async def test_json_is_compressed_by_its_encoded_length() -> None:
    def answer(ctx: Context) -> None:
        ctx.body = [ctx.path] * (10 if ctx.path == "/few" else 1000)

    few = await get(app_of(answer), url="/few")
    assert few.json() == ["/few"] * 10
    many = await get(app_of(answer), url="/many")
    assert many.headers["content-type"] == "application/json; charset=utf-8"
    assert decoded(many).count(b"/many") == 1000


# --- every kind of body ----------------------------------------------------------------------


async def pieces() -> AsyncIterator[str]:
    for _ in range(100):
        yield TEXT[: len(TEXT) // 100]


def sync_pieces() -> Iterator[bytes]:
    yield DATA[:10]
    yield DATA[10:]


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
@pytest.mark.parametrize(
    "body", [pieces, sync_pieces, lambda: io.BytesIO(DATA)], ids=["async", "sync", "file"]
)
async def test_a_body_in_pieces_is_compressed_without_a_length(body: Any, coding: str) -> None:
    def answer(ctx: Context) -> None:
        ctx.type = "txt"
        ctx.body = body()

    response = await get(app_of(answer), coding)
    assert "content-length" not in response.headers
    assert decoded(response) == DATA


async def test_a_file_is_compressed(tmp_path: Path) -> None:
    large, small = tmp_path / "large.css", tmp_path / "small.css"
    large.write_bytes(DATA * 100)
    small.write_bytes(b"x")

    def answer(ctx: Context) -> None:
        ctx.set("Accept-Ranges", "bytes")
        ctx.body = large if ctx.path == "/large" else small

    response = await get(app_of(answer), url="/large")
    assert decoded(response) == DATA * 100
    assert "content-length" not in response.headers
    assert "accept-ranges" not in response.headers
    response = await get(app_of(answer), url="/small")
    assert (response.content, response.headers["content-length"]) == (b"x", "1")
    assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
async def test_an_in_chain_stream_passes_through_it_with_its_effect(coding: str) -> None:
    async def answer(ctx: Context) -> None:
        ctx.type = "html"
        ctx.length = len(DATA)
        async with ctx.stream() as out:
            await out.write(DATA[:100])
            await out.write(DATA[100:])

    response = await get(app_of(answer), coding)
    assert response.headers["vary"] == "Accept-Encoding"
    assert "content-length" not in response.headers
    assert decoded(response) == DATA


async def test_an_upgraded_request_passes_through_it_untouched() -> None:
    async def answer(ctx: Context) -> None:
        socket = await ctx.upgrade()
        await socket.send(TEXT)

    async with (
        Client(app_of(answer)) as client,
        client.websocket("/", headers={"Accept-Encoding": "gzip"}) as socket,
    ):
        assert await socket.receive() == TEXT
        assert "content-encoding" not in socket.headers
        assert "vary" not in socket.headers


async def test_what_refuses_an_upgrade_is_compressed() -> None:
    async with Client(app_of(text)) as client:
        response = await client.get(
            "/", headers={"Accept-Encoding": "gzip", "Upgrade": "websocket"}
        )
    assert decoded(response) == DATA


# --- pieces that are waited for --------------------------------------------------------------

INFLATE: dict[str, Callable[[], Callable[[bytes], Any]]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstd.ZstdDecompressor().decompress,
}


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
@pytest.mark.parametrize("type", ["text/event-stream", "application/x-ndjson"])
async def test_each_piece_of_an_event_stream_arrives_before_the_next_is_made(
    type: str, coding: str
) -> None:
    taken = asyncio.Event()

    async def events() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
            await taken.wait()
            taken.clear()

    def answer(ctx: Context) -> None:
        ctx.type = type
        ctx.body = events()

    inflate = INFLATE[coding]()
    headers = {"Accept-Encoding": coding}
    async with (
        Client(app_of(answer)) as client,
        client.stream("GET", "/", headers=headers) as response,
    ):
        for number in range(3):
            assert inflate(await anext(response)) == f"data: {number}\n\n".encode()
            taken.set()


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
async def test_a_flush_of_a_stream_pushes_out_what_was_written(coding: str) -> None:
    read = asyncio.Event()

    async def answer(ctx: Context) -> None:
        ctx.type = "html"
        async with ctx.stream() as out:
            for piece in ("<p>", "a", "</p>"):
                await out.write(piece)
            await out.flush()
            await out.flush()
            await read.wait()
            await out.write("the end")

    inflate = INFLATE[coding]()
    headers = {"Accept-Encoding": coding}
    async with (
        Client(app_of(answer)) as client,
        client.stream("GET", "/", headers=headers) as response,
    ):
        got = b""
        while got != b"<p>a</p>":
            got += inflate(await anext(response))
        read.set()
        async for piece in response:
            got += inflate(piece)
    assert got == b"<p>a</p>the end"


async def test_the_head_of_a_slow_body_waits_for_its_first_piece_only() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    def answer(ctx: Context) -> None:
        ctx.type = "txt"
        ctx.body = slow()

    headers = {"Accept-Encoding": "br"}
    async with (
        Client(app_of(answer)) as client,
        client.stream("GET", "/", headers=headers) as response,
    ):
        assert response.headers["content-encoding"] == "br"


async def endless_events(closed: list[str]) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"\n"
            await asyncio.sleep(0)
    finally:
        closed.append("body")


async def stream_events(ctx: Context, closed: list[str]) -> None:
    async with ctx.stream() as out:
        async for piece in endless_events(closed):
            await out.write(piece)


@pytest.mark.parametrize("in_chain", [False, True])
async def test_all_is_closed_when_the_client_goes(*, in_chain: bool) -> None:
    closed: list[str] = []

    async def answer(ctx: Context) -> None:
        ctx.type = "text/event-stream"
        if in_chain:
            await stream_events(ctx, closed)
        else:
            ctx.body = endless_events(closed)

    async with Client(app_of(answer)) as client:
        before = asyncio.all_tasks()
        async with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as response:
            await anext(response)
        await asyncio.sleep(0)  # the loop closes the generator that the stream's loop left
        assert closed == ["body"]
        assert asyncio.all_tasks() == before


async def test_a_compressor_is_freed_with_its_body() -> None:
    class Plain:
        def compress(self, piece: bytes) -> bytes:
            return piece

        def flush(self) -> bytes:
            return b""

        finish = flush

    made: list[weakref.ref[Plain]] = []

    def make() -> Plain:
        compressor = Plain()
        made.append(weakref.ref(compressor))
        return compressor

    coded: Any = compressing(make, is_live=True)(endless_events([]))
    assert await anext(coded) == b"\n"
    assert made[0]() is not None
    await coded.aclose()
    assert made[0]() is None


# --- what is never compressed ----------------------------------------------------------------


def answer_with(**fields: Any) -> Callable[[Context], None]:
    def answer(ctx: Context) -> None:
        ctx.body = TEXT
        ctx.status = fields.get("status", 200)
        ctx.compress = fields.get("compress")
        if "type" in fields:
            ctx.type = fields["type"]
        ctx.set(fields.get("headers", {}))

    return answer


@pytest.mark.parametrize(
    "fields",
    [
        {"compress": False},
        {"type": "png"},
        {"headers": {"Content-Encoding": "br"}},
        {"headers": {"Cache-Control": "public, no-transform"}},
        {"headers": {"Cache-Control": "No-Transform,max-age=1"}},
        {"status": 206},
        {"headers": {"Content-Range": "bytes 0-9/*"}},
    ],
)
async def test_what_must_stay_as_it_is(fields: Any) -> None:
    """Security, row 61: not for parts, `no-transform`, what is coded; a switch per response."""
    response = await get(app_of(answer_with(**fields)))
    assert response.content == DATA
    assert response.headers.get("content-encoding") == fields.get("headers", {}).get(
        "Content-Encoding"
    )


@pytest.mark.parametrize(
    ("fields", "varies"),
    [
        ({"status": 206}, True),  # of a text whose whole is compressed
        ({"status": 304}, True),
        ({"status": 204}, False),
        ({"compress": False}, False),
        ({"type": "png"}, False),
    ],
)
async def test_vary_is_set_where_another_answer_could_be_compressed(
    fields: Any, *, varies: bool
) -> None:
    response = await get(app_of(answer_with(**fields)))
    assert ("vary" in response.headers) is varies
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("known", ['"a"', 'W/"a"', '"b", W/"a"'])
async def test_a_304_has_the_tag_that_the_client_knows(known: str) -> None:
    app = app_of(conditional(), answer_with(headers={"ETag": '"a"'}))
    async with Client(app) as client:
        response = await client.get("/", headers={"If-None-Match": known})
    assert response.status == 304
    assert response.headers["etag"] == ('W/"a"' if "W/" in known else '"a"')


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that tells")
@pytest.mark.parametrize("make", [make_zstd({}), make_gzip({})], ids=["zstd", "gzip"])
def test_a_body_that_stays_open_takes_little_memory(make: MakeCompressor) -> None:
    count = 100
    before = resident()
    compressors = [make(True) for _ in range(count)]  # noqa: FBT003 - it is live
    for each in compressors:
        assert each.compress(b": \n\n") + each.flush()
    assert resident() - before < count * 250_000  # zstd's own tables would be three times that


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def test_ctx_compress_overrules_the_filter() -> None:
    forced = await get(app_of(answer_with(type="png", compress=True)))
    assert decoded(forced) == DATA
    none = app_of(answer_with(type="txt"), filter=lambda name: name == "image/png")
    assert (await get(none)).content == DATA


async def test_HEAD_is_not_compressed_and_claims_nothing_that_GET_does_not() -> None:  # noqa: N802
    def answer(ctx: Context) -> None:
        ctx.body = TEXT
        ctx.etag = "a"

    head = (await get(app_of(answer), method="HEAD")).headers
    assert (head["etag"], head["vary"]) == ('W/"a"', "Accept-Encoding")
    assert "content-encoding" not in head
    assert "content-length" not in head
    plain = (await get(app_of(answer), None, method="HEAD")).headers
    assert (plain["etag"], plain["content-length"]) == ('"a"', str(len(DATA)))


@pytest.mark.parametrize(("tag", "sent"), [('"a"', 'W/"a"'), ('W/"a"', 'W/"a"')])
async def test_an_etag_becomes_weak(tag: str, sent: str) -> None:
    def answer(ctx: Context) -> None:
        ctx.body = TEXT
        ctx.etag = tag

    assert (await get(app_of(answer))).headers["etag"] == sent
    assert (await get(app_of(answer), None)).headers["etag"] == tag


async def test_an_etag_that_is_set_upstream_becomes_weak_too() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        ctx.etag = "a"

    app: Ohia = Ohia(env="test")
    app.use(upstream, compress(), text)
    assert (await get(app)).headers["etag"] == 'W/"a"'


@pytest.mark.parametrize("body", [None, ""])
async def test_a_body_that_is_taken_away_upstream_leaves_no_coding_behind(body: Any) -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        ctx.body = body

    app: Ohia = Ohia(env="test")
    app.use(upstream, compress(), text)
    response = await get(app)
    assert response.content == b""
    assert "content-encoding" not in response.headers


async def test_another_body_upstream_is_compressed_instead() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        ctx.body = "short"

    app: Ohia = Ohia(env="test")
    app.use(upstream, compress(), text)
    assert decoded(await get(app)) == b"short"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_error_is_answered_as_without_it(method: str) -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        ctx.throw(400, "No")

    app: Ohia = Ohia(env="test")
    app.use(upstream, compress(), text)
    response = await get(app, method=method)
    assert (response.status, response.text) == (400, "No" if method == "GET" else "")
    assert "content-encoding" not in response.headers


async def test_what_follows_flushed_headers_goes_as_it_is() -> None:
    async def answer(ctx: Context) -> None:
        ctx.type = "txt"
        ctx.status = 200
        await ctx.flush_headers()
        ctx.body = TEXT

    response = await get(app_of(answer))
    assert response.content == DATA
    assert "content-encoding" not in response.headers


async def test_twice_in_a_chain_it_compresses_once() -> None:
    assert decoded(await get(app_of(compress(), text))) == DATA


# --- work ------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
async def test_a_large_body_is_compressed_off_the_loop(coding: str) -> None:
    def answer(ctx: Context) -> None:
        ctx.body = "".join(f"<p>{number}</p>" for number in range(300_000))

    turns = 0
    done = asyncio.Event()

    async def count_turns() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    response = await get(app_of(answer), coding)
    done.set()
    await counting
    threads = {each.name for each in threading.enumerate()}
    assert len(decoded(response)) > 3_000_000
    assert turns > 20
    assert any("asyncio" in name for name in threads)


async def test_many_small_pieces_that_never_wait_let_others_run() -> None:
    def flood() -> Iterator[bytes]:
        for _ in range(20_000):
            yield b"x"

    def answer(ctx: Context) -> None:
        ctx.type = "txt"
        ctx.body = flood()

    turns = 0
    done = asyncio.Event()

    async def count_turns() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    response = await get(app_of(answer))
    done.set()
    await counting
    assert decoded(response) == b"x" * 20_000
    assert turns > 100


@pytest.mark.parametrize(
    ("type", "is_compressible"),
    [
        ("text/anything", True),
        ("application/vnd.api+json", True),
        ("IMAGE/SVG+XML", True),
        ("application/wasm", True),
        ("font/woff2", False),
        ("video/mp4", False),
        ("application/zip", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_which_types_get_smaller(type: str, *, is_compressible: bool) -> None:
    assert compressible(type) is is_compressible
