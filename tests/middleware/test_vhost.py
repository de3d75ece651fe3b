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


def streaming(events: list[str]) -> Ohia:
    """Return an application that streams inside its chain, and notes when what happens."""
    app = Ohia(env="test", name="blog")

    @app.use
    async def resource(ctx: Any, next: Any) -> None:
        ctx.before_send(lambda ctx: events.append(f"head of {ctx.app.name}"))
        ctx.on_detach(lambda ctx: events.append(f"detached in {ctx.app.name}"))
        ctx.on_finished(lambda error, ctx: events.append(f"finished in {ctx.app.name}: {error!r}"))
        await next()
        events.append("released")

    @app.use
    async def stream(ctx: Any) -> None:
        async with ctx.stream() as out:
            for piece in (b"one ", b"two "):
                await out.write(piece)
            events.append("written")
            if ctx.path == "/broken":
                raise OSError("broken")

    return app


async def upper(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece.upper()


async def test_a_stream_is_sent_while_the_frames_around_it_are_open() -> None:
    events: list[str] = []
    app = Ohia(env="test", name="outer")

    @app.use
    async def outside(ctx: Any, next: Any) -> None:
        ctx.on_detach(lambda ctx: events.append(f"detached in {ctx.app.name}"))
        ctx.response.filter(upper)
        await next()
        events.append(f"back in {ctx.app.name}")

    app.use(vhost("a.test", streaming(events)), says("other"))
    answer = await ask(app, "a.test")
    assert (answer.text, answer.headers.get("content-length")) == ("ONE TWO ", None)
    assert events == [
        "detached in outer",
        "detached in blog",
        "head of blog",
        "written",
        "released",
        "back in outer",
        "finished in blog: None",
    ]


async def test_a_stream_that_breaks_is_cut_and_told_once() -> None:
    events: list[str] = []
    app, blog = Ohia(env="test", name="outer"), streaming(events)
    app.on("error", lambda error: events.append(f"outer heard {error}"))
    blog.on("error", lambda error: events.append(f"blog heard {error}"))
    app.use(vhost("a.test", blog))
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(ConnectionError):
            await client.get("/broken", headers={"Host": "a.test"})
    assert events[-2:] == ["blog heard broken", "finished in blog: OSError('broken')"]


async def test_a_socket_is_detached_before_it_is_long_and_open_around_it() -> None:
    events: list[str] = []
    app, chat = Ohia(env="test", name="outer"), Ohia(env="test", name="chat")

    @app.use
    async def outside(ctx: Any, next: Any) -> None:
        ctx.set("X-Outer", "1")
        ctx.on_detach(lambda ctx: events.append(f"detached in {ctx.app.name}"))
        await next()
        events.append(f"back in {ctx.app.name}")

    @chat.use
    async def echo(ctx: Any) -> None:
        socket = await ctx.upgrade()
        events.append("open")
        await socket.send(await socket.receive())

    app.use(vhost({"a.test": chat}))
    async with (
        Client(app) as client,
        client.websocket("/", headers={"Host": "a.test"}) as socket,
    ):
        assert socket.headers["x-outer"] == "1"
        assert events == ["detached in outer", "open"]
        await socket.send("hello")
        assert await socket.receive() == "hello"
    assert events == ["detached in outer", "open", "back in outer"]
