"""`etag`: an entity tag for what downstream made."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.etag import etag
from ohia.testing import Client, Response

HELLO = '"b-Ck1VqNd45QIvq3AZd8XYQLvEhtA"'  # as npm's etag 1.8.1 makes it


async def ask(body: Any, *, status: int = 200, method: str = "GET", **options: Any) -> Response:
    app = Ohia(env="test", json_spaces=0)
    app.use(etag(**options))

    @app.use
    async def answer(ctx: Context) -> None:
        ctx.status = status
        ctx.body = body

    async with Client(app) as client:
        return await client.request(method, "/")


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        ("Hello World", HELLO),
        (b"Hello World", HELLO),
        (bytearray(b"Hello World"), HELLO),
        ("", '"0-2jmj7l5rSw0yVb/vlWAYkK/YBwk"'),
        ({"hello": "world"}, '"11-IkjuL6CqqtmReFMfkkvwC0sKj04"'),
    ],
)
async def test_what_is_sent_whole_has_a_tag_of_its_bytes(body: Any, tag: str) -> None:
    assert (await ask(body)).headers["etag"] == tag
    assert (await ask(body, weak=True)).headers["etag"] == f"W/{tag}"


async def test_head_has_the_tag_of_get() -> None:
    assert (await ask("Hello World", method="HEAD")).headers["etag"] == HELLO


async def test_a_file_has_a_weak_tag_of_its_state(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0123456789")
    os.utime(path, ns=(0, 255))
    assert (await ask(path)).headers["etag"] == 'W/"a-ff"'
    with path.open("rb") as file:
        assert (await ask(file)).headers["etag"] == 'W/"a-ff"'


async def test_only_a_file_is_looked_at_in_a_thread(tmp_path: Path) -> None:
    jobs = Jobs()
    asyncio.get_running_loop().set_default_executor(jobs)
    for body in (None, "text", {"a": 1}, iter([b"a"])):
        await ask(body)
    assert jobs.count == 0
    (tmp_path / "a").touch()
    await ask(tmp_path / "a")
    assert jobs.count > 0


class Jobs(ThreadPoolExecutor):
    """Threads that count what they are given."""

    count = 0

    def submit(self, fn: Any, /, *args: Any, **options: Any) -> Future[Any]:
        self.count += 1
        return super().submit(fn, *args, **options)


async def test_what_comes_in_pieces_has_none() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    assert "etag" not in (await ask(pieces())).headers
    assert "etag" not in (await ask(iter([b"a"]))).headers
    assert "etag" not in (await ask(io.BytesIO(b"a"))).headers


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_only_a_success_has_one(status: int) -> None:
    assert "etag" not in (await ask("Hello World", status=status)).headers


async def test_no_body_has_none() -> None:
    app = Ohia(env="test")
    app.use(etag())
    async with Client(app) as client:
        assert "etag" not in (await client.get("/")).headers
    assert "etag" not in (await ask(None, status=204)).headers


async def test_one_that_is_set_is_kept() -> None:
    app = Ohia(env="test")
    app.use(etag())

    @app.use
    async def answer(ctx: Context) -> None:
        ctx.etag = "mine"
        ctx.body = "Hello World"

    async with Client(app) as client:
        assert (await client.get("/")).headers["etag"] == '"mine"'


async def test_an_in_chain_stream_passes_through_it() -> None:
    app = Ohia(env="test")
    app.use(etag())

    @app.use
    async def streaming(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("streamed")

    async with Client(app) as client:
        response = await client.get("/")
    assert (response.text, "etag" in response.headers) == ("streamed", False)


async def test_an_upgraded_request_never_has_one() -> None:
    app = Ohia(env="test")
    app.use(etag())

    @app.use
    async def echo(ctx: Context) -> None:
        ctx.body = "before"
        socket = await ctx.upgrade()
        await socket.send("hello")

    async with Client(app) as client, client.websocket("/") as socket:
        assert await socket.receive() == "hello"
        assert "etag" not in socket.headers
