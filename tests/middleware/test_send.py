"""`send`: one file as the answer of a handler."""

import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.errors import NotFound
from ohia.middleware.send import send
from ohia.testing import Client, Response
from ohia.testing.client import UpgradeRefused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "files"
    root.mkdir()
    for name in ("a.txt", "50% off.txt", "index.html", ".hidden"):
        (root / name).write_text(name)
        os.utime(root / name, (1_000_000_000, 1_000_000_000))
    (tmp_path / "outside.txt").write_text("a secret")
    return root


async def answer(root: Path, path: Any, method: str = "GET", **options: Any) -> Response:
    app = Ohia(env="test")

    @app.use
    async def handler(ctx: Context) -> None:
        sent = await send(ctx, path, root=root, **options)
        ctx.set("X-Sent", Path(sent).name.replace(" ", "_"))

    async with Client(app) as client:
        return await client.request(method, "/any")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/a.txt", "a.txt"),
        ("a.txt", "a.txt"),
        ("/%61.txt", "a.txt"),
        ("50%25%20off.txt", "50% off.txt"),
        (PurePosixPath("50% off.txt"), "50% off.txt"),
    ],
)
async def test_it_sends_a_file_and_tells_which(root: Path, path: Any, text: str) -> None:
    response = await answer(root, path)
    assert (response.status, response.text) == (200, text)
    assert response.headers["x-sent"] == text.replace(" ", "_")


@pytest.mark.parametrize(
    "path",
    [
        *("/none", "", "/", "../outside.txt", "/%2e%2e/outside.txt", "%zz", ".hidden", "a.txt/"),
        *(PurePosixPath("../outside.txt"), PurePosixPath("/etc/passwd"), PurePosixPath("%61.txt")),
        PurePosixPath("."),
    ],
)
async def test_where_there_is_nothing_to_send_it_raises_not_found(root: Path, path: Any) -> None:
    assert (await answer(root, path)).status == 404


async def test_an_index_answers_where_it_is_asked_for(root: Path) -> None:
    for path in ("/", "", PurePosixPath(".")):
        assert (await answer(root, path, index="index.html")).text == "index.html"


async def test_it_answers_a_post_too(root: Path) -> None:
    assert (await answer(root, "a.txt", "POST")).text == "a.txt"


async def test_what_is_set_already_is_kept(root: Path) -> None:
    app = Ohia(env="test")

    @app.use
    async def not_found(ctx: Context) -> None:
        ctx.status = 404
        ctx.type = "html"
        ctx.set("Cache-Control", "no-store")
        await send(ctx, "a.txt", root=root)

    async with Client(app) as client:
        asked = {"If-Modified-Since": "Sun, 09 Sep 2001 01:46:40 GMT", "Range": "bytes=0-1"}
        response = await client.get("/", headers=asked)
    assert (response.status, response.text) == (404, "a.txt")  # a page of its own, sent whole
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"


async def test_a_folder_that_the_url_does_not_name_is_no_redirect(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "index.html").write_text("sub")
    assert (await answer(root, "sub", index="index.html")).text == "sub"


async def test_what_upstream_does_to_bodies_works_on_files(root: Path) -> None:
    (root / "large.bin").write_bytes(b"x" * 600_000)
    app = Ohia(env="test")

    @app.use
    async def handler(ctx: Context) -> None:
        async def upper(pieces: Any) -> Any:
            async for piece in pieces:
                yield piece.upper()

        ctx.response.filter(upper)
        await send(ctx, ctx.path, root=root)

    async with Client(app) as client:
        assert (await client.get("/a.txt")).text == "A.TXT"
        assert (await client.get("/large.bin")).content == b"X" * 600_000


async def test_a_file_gives_way_to_another_body(root: Path) -> None:
    (root / "large.bin").write_bytes(b"x" * 600_000)
    app = Ohia(env="test")

    @app.use
    async def handler(ctx: Context) -> None:
        await send(ctx, "large.bin", root=root)
        ctx.body = "other"

    async with Client(app) as client:
        assert (await client.get("/")).text == "other"


async def test_a_handshake_gets_no_file(root: Path) -> None:
    app = Ohia(env="test")

    @app.use
    async def handler(ctx: Context) -> None:
        with pytest.raises(NotFound):
            await send(ctx, "a.txt", root=root)

    async with Client(app) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                raise AssertionError
    assert refused.value.response.status == 404
