"""`favicon`: the icon that browsers ask for by themselves."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.favicon import favicon
from ohia.testing import Client, Response


@pytest.fixture
def icon(tmp_path: Path) -> Path:
    path = tmp_path / "icon.ico"
    path.write_bytes(b"\x00\x00\x01\x00")
    return path


async def ask(
    *args: Any, url: str = "/favicon.ico", method: str = "GET", headers: Any = None, **options: Any
) -> Response:
    app = Ohia(env="test")
    app.use(favicon(*args, **options))

    @app.use
    async def other(ctx: Context) -> None:
        ctx.body = "other"

    async with Client(app) as client:
        return await client.request(method, url, headers=headers)


async def test_the_icon_is_sent_for_a_day(icon: Path) -> None:
    response = await ask(icon)
    assert (response.status, response.content) == (200, b"\x00\x00\x01\x00")
    assert response.headers["content-type"] == "image/vnd.microsoft.icon"
    assert response.headers["cache-control"] == "public, max-age=86400"


async def test_a_client_that_has_it_gets_a_304(icon: Path) -> None:
    tag = (await ask(icon)).headers["etag"]
    response = await ask(icon, headers={"If-None-Match": tag})
    assert (response.status, response.content) == (304, b"")


async def test_the_type_is_that_of_the_file_or_as_told(icon: Path) -> None:
    svg = icon.with_name("icon.svg")
    svg.write_text("<svg/>")
    assert (await ask(svg)).headers["content-type"] == "image/svg+xml"
    assert (await ask(icon, type="image/x-icon")).headers["content-type"] == "image/x-icon"


@pytest.mark.parametrize(
    ("max_age", "seconds"),
    [(0, 0), (60.5, 60), (-1, 0), (10**9, 31_536_000), (timedelta(hours=1), 3600)],
)
async def test_how_long_it_is_kept(icon: Path, max_age: Any, seconds: int) -> None:
    response = await ask(icon, max_age=max_age)
    assert response.headers["cache-control"] == f"public, max-age={seconds}"


async def test_without_an_icon_nothing_downstream_is_asked() -> None:
    assert (await ask()).status == 404
    assert (await ask(url="/other")).text == "other"


@pytest.mark.parametrize("url", ["/", "/favicon.ico/", "/favicon", "/x/favicon.ico"])
async def test_other_paths_go_downstream(icon: Path, url: str) -> None:
    assert (await ask(icon, url=url)).text == "other"


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("POST", 405), ("PUT", 405)])
async def test_other_methods_learn_what_is_allowed(icon: Path, method: str, status: int) -> None:
    response = await ask(icon, method=method)
    assert (response.status, response.headers["allow"]) == (status, "GET, HEAD, OPTIONS")


async def test_head_has_the_length_of_get(icon: Path) -> None:
    response = await ask(icon, method="HEAD")
    assert (response.content, response.headers["content-length"]) == (b"", "4")


def test_an_icon_that_is_not_there_raises_at_once(icon: Path) -> None:
    with pytest.raises(FileNotFoundError):
        favicon(icon.with_name("none.ico"))


async def test_handshakes_and_streams_pass_through_it(icon: Path) -> None:
    app = Ohia(env="test")
    app.use(favicon(icon))

    @app.use
    async def both(ctx: Context) -> None:
        if ctx.upgradable:
            socket = await ctx.upgrade()
            await socket.send("hello")
            return
        async with ctx.stream() as out:
            await out.write("streamed")

    async with Client(app) as client:
        async with client.websocket("/favicon.ico") as socket:
            assert await socket.receive() == "hello"
        assert (await client.get("/stream")).text == "streamed"
