from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohia import Ohia
from ohia.middleware.vhost import vhost
from ohia.testing import Client
from ohia.testing.client import Response


async def ask(app: Ohia, host: str) -> Response:
    async with Client(app, raise_errors=False) as client:
        return await client.get("/", headers={"Host": host})


def says(text: str) -> Any:
    async def say(ctx: Any) -> None:
        ctx.body = text

    return say


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("blog.test", "blog"),
        ("BLOG.test:3000", "blog"),
        ("a.shop.test", "shop"),
        ("shop.test", "other"),
        ("blog.test@evil.com", "other"),
        ("blog.test/x", "other"),
    ],
)
async def test_each_host_has_its_chain(host: str, text: str) -> None:
    app, blog = Ohia(env="test"), Ohia(env="test", name="blog")
    blog.use(says("blog"))
    app.use(vhost({"blog.test": blog, "*.shop.test": [says("shop")]}), says("other"))
    assert (await ask(app, host)).text == text


async def test_one_host_is_named_alone() -> None:
    app = Ohia(env="test")
    app.use(vhost("a.test", says("a")))
    assert (await ask(app, "a.test")).text == "a"
    assert (await ask(app, "b.test")).status == 404


@pytest.mark.parametrize(("host", "target"), [("a/b", says("x")), ("a.test", "x")])
def test_what_could_never_run_is_refused(host: str, target: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"a host is|must be a function"):
        vhost(host, target)


async def test_lifespans_of_its_applications_are_handed_on() -> None:
    inner, app, events = Ohia(), Ohia(), list[str]()

    @inner.lifespan
    async def life(each: Ohia) -> AsyncIterator[None]:
        events.append("up")
        yield

    app.use(vhost("a.test", inner))
    async with app.lifespan_context():
        assert events == ["up"]


async def test_a_socket_reaches_its_host() -> None:
    async def echo(ctx: Any) -> None:
        socket = await ctx.upgrade()
        await socket.send(ctx.hostname)

    app = Ohia(env="test")
    app.use(vhost("a.test", echo))
    async with (
        Client(app) as client,
        client.websocket("/", headers={"Host": "a.test"}) as socket,
    ):
        assert await socket.receive() == "a.test"
