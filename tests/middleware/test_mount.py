from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohia import Ohia
from ohia.middleware.mount import mount
from ohia.middleware.router import Router
from ohia.testing import Client
from ohia.testing.client import Response


async def ask(app: Ohia, url: str, method: str = "GET") -> Response:
    async with Client(app, raise_errors=False) as client:
        return await client.request(method, url)


def application(*middleware: Any) -> Ohia:
    app = Ohia(env="test", json_spaces=0)
    app.use(*middleware)
    return app


async def show(ctx: Any) -> None:
    ctx.body = [ctx.path, ctx.mount_path, ctx.url, ctx.original_url]


@pytest.mark.parametrize(
    ("prefix", "path", "below"),
    [
        ("/a", "/a", "/"),
        ("/a", "/a/", "/"),
        ("/a", "/a/b/c", "/b/c"),
        ("/a", "/a//b", "//b"),
        ("/a", "/%61/b%20c", "/b%20c"),
        ("/a", "/ab", None),
        ("/a", "/A", None),
        ("/a", "/a%2Fb", None),
        ("/a", "//a", None),
        ("/a", "/./a", None),
        ("/a/", "/a", None),
        ("/a/", "/a/", "/"),
        ("/a/", "/a/b", "/b"),
        ("/a/b", "/a/b/c", "/c"),
        ("/a/b", "/a", None),
        ("/é x", "/%C3%A9%20x/y", "/y"),
        ("/", "/a/b", "/a/b"),
    ],
)
async def test_the_prefix_is_cut_off(prefix: str, path: str, below: str | None) -> None:
    answer = await ask(application(mount(prefix, show)), path)
    assert (answer.json()[0] if answer.status == 200 else None) == below


async def test_what_is_cut_off_is_told_and_the_query_stays() -> None:
    app = application(mount("/a", mount("/b", show)))
    assert (await ask(app, "/a/b/c?d=e")).json() == ["/c", "/a/b", "/c?d=e", "/a/b/c?d=e"]


async def test_path_and_mount_path_are_as_before_around_next_and_afterwards() -> None:
    seen: list[tuple[str, str, str]] = []

    def note(label: str) -> Any:
        async def note(ctx: Any, next: Any) -> None:
            seen.append((label, ctx.path, ctx.mount_path))
            await next()
            seen.append((label, ctx.path, ctx.mount_path))

        return note

    await ask(application(note("up"), mount("/a", note("in")), note("down")), "/a/b")
    assert seen[:3] == [("up", "/a/b", ""), ("in", "/b", "/a"), ("down", "/a/b", "")]
    assert seen[3:] == seen[2::-1]


async def test_they_are_restored_after_an_error_and_a_rewritten_path() -> None:
    seen: list[tuple[str, str]] = []

    async def fail(ctx: Any) -> None:
        ctx.path = "/other"
        raise OSError("failed")

    async def note(ctx: Any, next: Any) -> None:
        try:
            await next()
        finally:
            seen.append((ctx.path, ctx.mount_path))

    assert (await ask(application(note, mount("/a", fail)), "/a/b")).status == 500
    assert seen == [("/a/b", "")]


async def test_a_list_is_a_chain_and_one_argument_is_mounted_at_the_root() -> None:
    async def first(ctx: Any, next: Any) -> None:
        await next()
        ctx.body = ["first", *ctx.body]

    assert (await ask(application(mount("/a", [first, show])), "/a/b")).json()[:2] == [
        "first",
        "/b",
    ]
    assert (await ask(application(mount(show)), "/a/b")).json()[0] == "/a/b"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("a", show), "begins with a slash"),
        (("", show), "begins with a slash"),
        ((5, show), "begins with a slash"),
        (("/a%20b", show), "written decoded"),
        (("/a//b", show), "without gaps"),
        (("/a/../b", show), "without gaps"),
        (("/a", "show"), "must be a function"),
    ],
)
def test_what_could_never_run_is_refused(arguments: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        mount(*arguments)


async def test_a_guard_on_a_path_and_a_router_read_every_spelling_alike() -> None:
    async def guard(ctx: Any, next: Any) -> None:
        ctx.throw(401)

    router = Router()
    router.get("/admin/secret", show)
    router.get("/public/*rest", show)
    app = application(mount("/admin", guard), router)
    for path in (
        "/admin/secret",
        "/admin/secret/",
        "/%61dmin/secret",
        "/admin/%73ecret",
        "/admin/./secret",
    ):
        assert (await ask(app, path)).status == 401, path
    for path in (
        "/admin%2Fsecret",
        "//admin/secret",
        "/./admin/secret",
        "/public/../admin/secret",
        "/public/%2e%2e/admin/secret",
        "/Admin/secret",
        "/%61dmin%zz/secret",
    ):
        assert (await ask(app, path)).status == 404, path


async def test_the_template_of_a_router_has_the_path_of_its_mounts() -> None:
    seen: list[str | None] = []

    async def logger(ctx: Any, next: Any) -> None:
        await next()
        seen.append(ctx.route)

    router = Router()
    router.get("/users/:id", show)
    inner = Ohia(env="test")
    inner.use(router)
    await ask(application(logger, mount("/a", mount("/b", inner))), "/a/b/users/7")
    assert seen == ["/a/b/users/:id"]


async def test_a_mounted_application_keeps_its_own_settings_and_class() -> None:
    inner = Ohia(env="test", name="inner", keys=["inner secret"], json_spaces=4, proxy=True)
    inner.context.greeting = "hello"  # type: ignore[attr-defined]
    seen: list[Any] = []

    @inner.use
    async def answer(ctx: Any) -> None:
        ctx.cookies.set("who", "inner")
        seen.append((ctx.app.name, ctx.greeting, ctx.ip, ctx.request.app.name))
        ctx.body = {"a": 1}

    app = Ohia(env="test", name="outer", json_spaces=0)

    @app.use
    async def upstream(ctx: Any, next: Any) -> None:
        await next()
        seen.append((ctx.app.name, hasattr(ctx, "greeting"), ctx.ip, ctx.request.app.name))
        ctx.cookies.set("outside", "unsigned")

    app.use(mount("/in", inner))
    async with Client(app) as client:
        answered = await client.get("/in", headers={"X-Forwarded-For": "9.9.9.9"})
    assert answered.text == '{\n    "a": 1\n}'
    assert seen[0] == ("inner", "hello", "9.9.9.9", "inner")
    assert seen[1][0::3] == ("outer", "outer")
    assert seen[1][1] is False
    assert seen[1][2] != "9.9.9.9"
    assert set(answered.cookies) == {"who", "who.sig", "outside"}


async def test_lifespans_of_what_is_mounted_run_with_the_outer_one() -> None:
    inner, app, events = Ohia(), Ohia(), list[str]()

    @inner.lifespan
    async def life(each: Ohia) -> AsyncIterator[dict[str, str]]:
        assert each is inner
        events.append("up")
        yield {"pool": "a pool"}
        events.append("down")

    @inner.use
    async def answer(ctx: Any) -> None:
        ctx.body = ctx.state.pool

    app.use(mount("/a", [mount("/b", inner)]))
    async with Client(app) as client:
        assert events == ["up"]
        assert (await client.get("/a/b")).text == "a pool"
    assert events == ["up", "down"]


async def test_a_socket_and_a_stream_below_a_mount() -> None:
    inner = Ohia(env="test")

    @inner.use
    async def answer(ctx: Any) -> None:
        if ctx.upgradable:
            socket = await ctx.upgrade()
            await socket.send(f"{ctx.mount_path} {ctx.path}")
            return
        async with ctx.stream() as out:
            await out.write(ctx.path.encode())

    async def upstream(ctx: Any, next: Any) -> None:
        ctx.set("X-Upstream", "1")
        await next()

    app = application(upstream, mount("/in", inner))
    async with Client(app) as client, client.websocket("/in/x") as socket:
        assert socket.headers["x-upstream"] == "1"
        assert await socket.receive() == "/in /x"
    assert (await ask(app, "/in/y")).text == "/y"
