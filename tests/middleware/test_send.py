"""`send`: one file as the answer of a handler."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.errors import NotFound
from ohia.middleware.mount import mount
from ohia.middleware.router import Router
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
        ("/50%25%20off.txt", "50% off.txt"),
        ("50% off.txt", "50% off.txt"),
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
        *("/none", "", "/", "../outside.txt", "/%2e%2e/outside.txt", "/%zz", ".hidden", "a.txt/"),
        *(
            "%61.txt",
            "50%25%20off.txt",
            "./a.txt",
            "x//a.txt",
            "a\x00b",
            "\ud800",
            "..\\outside.txt",
        ),
        *(PurePosixPath("../outside.txt"), PurePosixPath("/etc/passwd"), PurePosixPath("%61.txt")),
        PurePosixPath("."),
    ],
)
async def test_where_there_is_nothing_to_send_it_raises_not_found(root: Path, path: Any) -> None:
    assert (await answer(root, path)).status == 404


@pytest.mark.parametrize(
    "url",
    [
        *("/admin/key.txt", "/%61dmin/key.txt", "/admin%2Fkey.txt", "/admin%2fkey.txt"),
        *("//admin/key.txt", "/%2Fadmin/key.txt", "/%2Fadmin%2Fkey.txt", "/admin//key.txt"),
        *("/%2561dmin/key.txt", "/admin%252Fkey.txt", "/admin%5Ckey.txt", "/admin\\key.txt"),
        *("/./admin/key.txt", "/x/../admin/key.txt", "/%2e/admin/key.txt", "/admin/./key.txt"),
    ],
)
@pytest.mark.parametrize("kind", ["wildcard", "wildcard below", "segment", "path", "cut path"])
async def test_no_spelling_gets_past_a_guard(root: Path, kind: str, url: str) -> None:
    (root / "admin").mkdir()
    (root / "admin" / "key.txt").write_text("a secret")

    async def guard(ctx: Context) -> None:
        ctx.throw(401)

    async def files(ctx: Context) -> None:
        paths: dict[str, Callable[[], str]] = {
            "wildcard": lambda: ctx.params["path"],
            "wildcard below": lambda: f"/{ctx.params['path']}",
            "segment": lambda: ctx.params["name"],
            "path": lambda: ctx.path,
            "cut path": lambda: ctx.path[1:],
        }
        await send(ctx, paths[kind](), root=root)

    router = Router()
    router.use("/admin", guard)
    router.get("/:name" if kind == "segment" else "/*path", files)
    routed, mounted = Ohia(env="test"), Ohia(env="test")
    routed.use(router)
    mounted.use(mount("/admin", guard), router)
    for app in (routed, mounted):
        async with Client(app, raise_errors=False) as client:
            assert (await client.get(url)).status in {401, 404}, url


@pytest.mark.parametrize("path", ["page.txt", PurePosixPath("errors/page.txt")])
async def test_a_fixed_file_is_sent_whatever_was_asked_for(root: Path, path: Any) -> None:
    (root / "errors").mkdir()
    for name in ("page.txt", "errors/page.txt"):
        (root / name).write_text("no such page")
    app = Ohia(env="test")

    @app.use
    async def handler(ctx: Context) -> None:
        ctx.status = 404
        await send(ctx, path, root=root)

    async with Client(app) as client:
        for url in ("/a", "//a", "/a%2Fb", "/%zz"):
            assert (await client.get(url)).text == "no such page"


async def test_a_wildcard_names_files_and_folders_with_any_character(root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "100% #1?.txt").write_text("odd")
    (root / "sub" / "index.html").write_text("index")
    app, router = Ohia(env="test"), Router(prefix="/files")
    app.use(router)

    @router.get("/*path")
    async def files(ctx: Context) -> None:
        await send(ctx, ctx.params["path"], root=root, index="index.html")

    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/files/sub/100%25%20%231%3F.txt")).text == "odd"
        assert (await client.get("/files/sub/")).text == "index"
        assert (await client.get("/files/sub/index.html/")).status == 404


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
