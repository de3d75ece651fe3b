"""Compressed request bodies: inflated within the limits (security: 60)."""

import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from ohia import Context, Ohia
from ohia.errors import PayloadTooLarge
from ohia.middleware.body import body
from ohia.testing import Client, Response

brotli: Any = import_module("brotli")  # it names no types
Post = Callable[..., Awaitable[tuple[Any, Response]]]
MIB = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


COMPRESS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "br": ("br", partial(brotli.compress, quality=1)),
    "zstd": ("zstd", zstd.compress),
}
EACH = pytest.mark.parametrize("coding", COMPRESS)


def parsed(ctx: Context) -> Any:
    return ctx.request.body


def compressed(coding: str, data: bytes, media_type: str = "application/json") -> dict[str, Any]:
    name, compress = COMPRESS[coding]
    headers = {"Content-Type": media_type, "Content-Encoding": name}
    return {"content": compress(data), "headers": headers}


class Source:
    """A body, cut into pieces of `size` bytes, that counts how much of it was taken."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = size
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.data), self.size):
            piece = self.data[start : start + self.size]
            self.taken += len(piece)
            yield piece


@EACH
@pytest.mark.parametrize("data", [b"[1]", b'["' + b"x" * 900_000 + b'"]'], ids=["short", "long"])
async def test_a_compressed_body_is_read_as_it_was(post: Post, coding: str, data: bytes) -> None:
    async def look(ctx: Context) -> Any:
        return ctx.request.raw_body, await ctx.request.read()

    assert (await post(look, **compressed(coding, data)))[0] == (data, data)


@EACH
async def test_its_pieces_may_be_cut_anywhere(post: Post, coding: str) -> None:
    request = compressed(coding, b'{"a": "some text"}')
    request["content"] = Source(request["content"], 1)
    assert (await post(parsed, **request))[0] == {"a": "some text"}


@EACH
async def test_forms_are_inflated(post: Post, coding: str) -> None:
    request = compressed(coding, b"a=1", "application/x-www-form-urlencoded")
    assert dict((await post(parsed, **request))[0]) == {"a": "1"}


@EACH
async def test_a_form_that_was_too_large_may_be_asked_for_again(post: Post, coding: str) -> None:
    async def look(ctx: Context) -> Any:
        with pytest.raises(PayloadTooLarge):
            await ctx.request.form(form_limit=1)
        return dict(await ctx.request.form())

    request = compressed(coding, b"a=1", "application/x-www-form-urlencoded")
    assert (await post(look, enable_types=["json"], **request))[0] == {"a": "1"}


@EACH
async def test_multipart_is_inflated(post: Post, coding: str) -> None:
    data = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    request = compressed(coding, data, "multipart/form-data; boundary=x")
    assert dict((await post(parsed, **request))[0]) == {"a": "1"}


@EACH
async def test_a_bomb_is_413_as_soon_as_it_exceeds_the_limit(post: Post, coding: str) -> None:
    request = compressed(coding, bytes(64 * MIB))
    source = request["content"] = Source(request["content"], 64)
    _, response = await post(parsed, **request)
    assert response.status == 413
    assert source.taken < len(source.data) / 16 + 256  # what zstd and br pack into a few pieces


@EACH
async def test_a_bomb_in_one_piece_is_inflated_step_by_step(coding: str) -> None:
    sizes: list[int] = []
    app = Ohia(env="test")
    app.use(body())

    @app.use
    async def handler(ctx: Context) -> None:
        async for part in ctx.request.parts(max_file_size=None, multipart_limit=None):
            sizes.extend([len(piece) async for piece in part])

    app.middleware.insert(0, switch_off)
    head = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n'
    data = head + bytes(4 * MIB) + b"\r\n--x--\r\n"
    async with Client(app) as client:
        await client.post("/", **compressed(coding, data, "multipart/form-data; boundary=x"))
    assert sum(sizes) == 4 * MIB
    assert max(sizes) <= 128 * 1024


async def switch_off(ctx: Context, next: Callable[[], Awaitable[None]]) -> None:
    ctx.disable_body_parser = True
    await next()


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,br", "compress", "nonsense", "x" * 5000])
async def test_nested_and_unknown_codings_are_415(post: Post, coding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    _, response = await post(parsed, content=gzip.compress(b"[1]"), headers=headers)
    assert response.status == 415
    assert response.headers["accept-encoding"] == "gzip, deflate, br, zstd"


async def test_identity_is_no_coding(post: Post) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "identity"}
    assert (await post(parsed, content=b"[1]", headers=headers))[0] == [1]


async def test_it_can_be_switched_off(post: Post) -> None:
    _, response = await post(parsed, **compressed("gzip", b"[1]"), inflate=False)
    assert response.status == 415
    assert response.headers["accept-encoding"] == "identity"


@EACH
async def test_a_cut_body_is_400(post: Post, coding: str) -> None:
    request = compressed(coding, b'["' + bytes(range(97, 122)) * 10 + b'"]')
    request["content"] = request["content"][:-3]
    assert (await post(parsed, **request))[1].status == 400


@EACH
@pytest.mark.parametrize("size", [10_000, 1])
async def test_what_follows_the_end_is_400(post: Post, coding: str, size: int) -> None:
    request = compressed(coding, b"[1]")
    request["content"] = Source(request["content"] * 2, size)
    assert (await post(parsed, **request))[1].status == 400


async def test_a_zstd_window_that_the_web_does_not_allow_is_400(post: Post) -> None:
    options: dict[Any, int] = {zstd.CompressionParameter.window_log: 25}
    compressor = zstd.ZstdCompressor(options=options)
    request = compressed("zstd", b"")
    request["content"] = compressor.compress(bytes(40 * MIB)) + compressor.flush()
    assert (await post(parsed, **request))[1].status == 400


@EACH
@given(data=st.binary(min_size=1, max_size=200))
async def test_no_bytes_fail_in_an_unforeseen_way(coding: str, data: bytes) -> None:
    app = Ohia(env="test")
    app.use(body())
    app.use(lambda ctx: ctx.set("X", "y"))
    request = compressed(coding, b"")
    request["content"] = data
    async with Client(app) as client:
        assert (await client.post("/", **request)).status in {400, 404, 413}


async def test_what_nobody_parses_stays_compressed(post: Post) -> None:
    async def look(ctx: Context) -> bytes:
        return await ctx.request.read()

    request = compressed("gzip", b"png", "image/png")
    assert (await post(look, **request))[0] == request["content"]
