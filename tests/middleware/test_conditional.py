"""`conditional`: 304 and 412 for what downstream made."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.conditional import conditional
from ohia.middleware.etag import etag
from ohia.testing import Client, Response

DATE = "Sat, 01 Jan 2000 00:00:00 GMT"
EARLIER = "Fri, 31 Dec 1999 23:59:59 GMT"


async def page(ctx: Context) -> None:
    ctx.etag = "a"
    ctx.last_modified = datetime(2000, 1, 1, tzinfo=UTC)
    ctx.body = {"page": 1}


async def ask(headers: dict[str, str], *middleware: Any, method: str = "GET") -> Response:
    app = Ohia(env="test")
    app.use(conditional(), *(middleware or [page]))
    async with Client(app) as client:
        return await client.request(method, "/", headers=headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"If-None-Match": '"a"'}, 304),
        ({"If-None-Match": 'W/"a"'}, 304),
        ({"If-None-Match": '"b"'}, 200),
        ({"If-None-Match": '"a"', "Cache-Control": "no-cache"}, 200),
        ({"If-Modified-Since": DATE}, 304),
        ({"If-Modified-Since": EARLIER}, 200),
        ({"If-Match": '"a"'}, 200),
        ({"If-Match": '"b"'}, 412),
        ({"If-Unmodified-Since": EARLIER}, 412),
        ({"If-Unmodified-Since": DATE, "If-None-Match": '"a"'}, 304),
    ],
)
async def test_what_a_condition_leads_to(headers: dict[str, str], status: int, method: str) -> None:
    assert (await ask(headers, method=method)).status == status


async def test_a_304_has_no_body_and_keeps_its_validators() -> None:
    response = await ask({"If-None-Match": '"a"'})
    assert (response.status, response.content) == (304, b"")
    assert (response.headers["etag"], response.headers["last-modified"]) == ('"a"', DATE)
    assert "content-type" not in response.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_what_changes_something_is_left_alone(method: str) -> None:
    for headers in ({"If-None-Match": '"a"'}, {"If-Match": '"b"'}):
        assert (await ask(headers, method=method)).status == 200


@pytest.mark.parametrize("status", [404, 500, 302])
async def test_only_a_success_is_judged(status: int) -> None:
    async def other(ctx: Context) -> None:
        ctx.status = status
        await page(ctx)

    for headers in ({"If-None-Match": '"a"'}, {"If-Match": '"b"'}):
        assert (await ask(headers, other)).status == status


async def test_it_works_with_etag() -> None:
    async def text(ctx: Context) -> None:
        ctx.body = "Hello World"

    tag = (await ask({}, etag(), text)).headers["etag"]
    assert (await ask({"If-None-Match": tag}, etag(), text)).status == 304


async def test_an_in_chain_stream_is_judged_when_it_begins() -> None:
    async def streaming(ctx: Context) -> None:
        ctx.etag = "a"
        async with ctx.stream() as out:
            ctx.state.wanted = out.wanted
            await out.write("streamed")

    assert (await ask({"If-None-Match": '"b"'}, streaming)).text == "streamed"
    fresh = await ask({"If-None-Match": '"a"'}, streaming)
    assert (fresh.status, fresh.content) == (304, b"")
    assert (await ask({"If-Match": '"b"'}, streaming)).status == 412


async def test_a_body_in_pieces_is_closed_unread() -> None:
    closed: list[bool] = []

    class Pieces:
        def __aiter__(self) -> "Pieces":
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError

        async def aclose(self) -> None:
            closed.append(True)

    async def pieces(ctx: Context) -> None:
        ctx.etag = "a"
        ctx.body = Pieces()

    assert (await ask({"If-None-Match": '"a"'}, pieces)).status == 304
    assert closed == [True]


async def test_an_upgraded_request_passes_through_it() -> None:
    app = Ohia(env="test")
    app.use(conditional())

    @app.use
    async def echo(ctx: Context) -> None:
        ctx.etag = "a"
        socket = await ctx.upgrade()
        await socket.send("hello")

    async with Client(app) as client:
        headers = {"If-None-Match": '"a"', "If-Match": '"b"'}
        async with client.websocket("/", headers=headers) as socket:
            assert await socket.receive() == "hello"
