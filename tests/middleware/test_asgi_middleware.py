"""ASGI middleware of others inside the chain: written out, and of Starlette and others."""

import asyncio
import gc
import gzip
import weakref
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket as StarletteSocket

from ohia import Context, Next, Ohia, WebSocketClosed
from ohia.middleware.asgi import asgi
from ohia.middleware.asgi_middleware import asgi_middleware
from ohia.middleware.mount import mount
from ohia.signature import middleware_name
from ohia.testing import Client, ResponseCut, UpgradeRefused

PASSED: ContextVar[str] = ContextVar("PASSED", default="")


class Pass:
    """Middleware that leaves all alone but for a header and a context variable."""

    def __init__(self, app: Any, *, name: str = "pass") -> None:
        self.app = app
        self.name = name.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def wrapped(message: Any) -> None:
            if message["type"] in {
                "http.response.start",
                "websocket.accept",
                "websocket.http.response.start",
            }:
                message["headers"] = [*message.get("headers", []), (b"x-passed", self.name)]
            await send(message)

        PASSED.set(self.name.decode())
        await self.app(scope, receive, wrapped)


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(**{"env": "test", **options})
    app.use(*middleware)
    return app


def changing(change: Any) -> Any:
    """Return ASGI middleware that calls `change(scope)`."""

    def factory(app: Any) -> Any:
        async def changed(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                scope = {**scope, **change(scope)}
            await app(scope, receive, send)

        return changed

    return asgi_middleware(factory)


async def hello(ctx: Context) -> None:
    ctx.body = "hello"


async def test_the_rest_of_the_chain_is_its_application() -> None:
    seen: list[Any] = []

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set("X-Up", "1")
        ctx.state.user = "tobi"
        await next()
        seen.extend([ctx.status, ctx.body, ctx.response.get("X-Passed"), ctx.header_sent])
        seen.append(PASSED.get())
        ctx.set("X-After", ctx.response.get("X-Down"))

    async def downstream(ctx: Context) -> None:
        ctx.set("X-Down", ctx.state.user)
        ctx.body = {"passed": PASSED.get()}

    app = app_of(upstream, asgi_middleware(Pass, name="it"), downstream)
    async with Client(app) as client:
        response = await client.get("/")
    assert seen == [200, {"passed": "it"}, "it", False, "it"]
    assert response.json() == {"passed": "it"}
    headers = response.headers
    assert (headers["x-up"], headers["x-after"], headers["x-passed"]) == ("1", "tobi", "it")
    assert headers["content-length"] == str(len(response.content))


async def test_nothing_stays_nothing_for_upstream() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        assert (ctx.status, ctx.body, ctx.type) == (404, None, "")
        ctx.body = "<p>found after all"

    app = app_of(upstream, asgi_middleware(Pass), lambda ctx: None)
    async with Client(app) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (200, "<p>found after all")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    async with Client(app_of(asgi_middleware(Pass))) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (404, "Not Found")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 204, 304, 302])
async def test_responses_are_as_without_it(status: int, method: str) -> None:
    async def downstream(ctx: Context) -> None:
        ctx.body = {"a": [1, 2, 3]}
        ctx.status = status
        ctx.etag = "x"

    answers = []
    for middleware in ([downstream], [asgi_middleware(lambda app: app), downstream]):
        async with Client(app_of(*middleware)) as client:
            response = await client.request(method, "/")
        lines = sorted((name.lower(), value) for name, value in response.headers.lines())
        answers.append((response.status, response.content, lines))
    assert answers[0] == answers[1]


async def test_it_may_change_where_the_request_goes_and_what_it_says() -> None:
    seen: list[Any] = []

    async def upstream(ctx: Context, next: Next) -> None:
        seen.append((ctx.path, ctx.get("X-A"), ctx.ip, ctx.protocol, ctx.method))
        await next()
        seen.append((ctx.path, ctx.get("X-A"), ctx.ip, ctx.protocol, ctx.method))

    async def downstream(ctx: Context) -> None:
        seen.append((ctx.path, ctx.get("X-A"), ctx.ip, ctx.protocol, ctx.method))
        ctx.body = ctx.scope["user"]

    change = {
        "path": "/new",
        "raw_path": b"/new",
        "headers": [(b"x-a", b"new")],
        "client": ("10.0.0.1", 1),
        "scheme": "https",
        "method": "PUT",
        "user": "tobi",
    }
    app = app_of(upstream, changing(lambda scope: change), downstream)
    async with Client(app) as client:
        assert (await client.get("/old", headers={"X-A": "old"})).text == "tobi"
    old = ("/old", "old", "127.0.0.1", "http", "GET")
    assert seen == [old, ("/new", "new", "10.0.0.1", "https", "PUT"), old]


async def test_what_upstream_rewrote_stays_where_it_changes_nothing() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.url = "/rewritten?b"
        await next()

    async def downstream(ctx: Context) -> None:
        ctx.body = f"{ctx.url} {ctx.original_url} {ctx.scope['path']}"

    async with Client(app_of(upstream, asgi_middleware(Pass), downstream)) as client:
        assert (await client.get("/first?a")).text == "/rewritten?b /first?a /rewritten"


async def test_it_may_answer_by_itself() -> None:
    app = app_of(asgi_middleware(TrustedHostMiddleware, allowed_hosts=["good.example"]), hello)
    async with Client(app) as client:
        assert (await client.get("http://good.example/")).text == "hello"
        response = await client.get("http://evil.example/")
    assert (response.status, response.text) == (400, "Invalid host header")


async def test_it_may_wrap_what_is_received() -> None:
    def factory(app: Any) -> Any:
        async def shouting(scope: Any, receive: Any, send: Any) -> None:
            async def wrapped() -> Any:
                message = await receive()
                return {**message, "body": message.get("body", b"").upper()}

            await app(scope, wrapped if scope["type"] == "http" else receive, send)

        return shouting

    async def downstream(ctx: Context) -> None:
        ctx.body = await ctx.request.text()

    async with Client(app_of(asgi_middleware(factory), downstream)) as client:
        assert (await client.post("/", content=b"loud")).text == "LOUD"


async def test_errors_pass_with_what_is_sticky() -> None:
    async def downstream(ctx: Context) -> None:
        ctx.set("X-Kept", "1", sticky=True)
        ctx.set("X-Lost", "1")
        ctx.throw(418, "short and stout")

    caught: list[BaseException] = []

    async def upstream(ctx: Context, next: Next) -> None:
        try:
            await next()
        except Exception as error:
            caught.append(error)
            raise

    app = app_of(upstream, asgi_middleware(Pass), downstream)
    async with Client(app) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (418, "short and stout")
    assert (response.headers["x-kept"], "x-lost" in response.headers) == ("1", False)
    assert [str(error) for error in caught] == ["short and stout"]


async def test_the_page_of_one_that_answers_errors_stands_and_the_error_is_told() -> None:
    async def broken(ctx: Context) -> None:
        raise LookupError("boom")

    errors: list[BaseException] = []
    app = app_of(asgi_middleware(ServerErrorMiddleware), broken)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (500, "Internal Server Error")
    assert [str(error) for error in errors] == ["boom"]


async def test_it_cannot_run_the_rest_twice() -> None:
    def factory(app: Any) -> Any:
        async def twice(scope: Any, receive: Any, send: Any) -> None:
            await app(scope, receive, send)
            await app(scope, receive, send)

        return twice

    app = app_of(asgi_middleware(factory), hello)
    async with Client(app) as client:
        with pytest.raises(RuntimeError, match="once"):
            await client.get("/")


# --- bodies in pieces ------------------------------------------------------------------------


async def pieces(ctx: Context) -> None:
    async def numbers() -> AsyncIterator[str]:
        for number in range(3):
            yield f"{number} "

    ctx.body = numbers()


async def streaming(ctx: Context) -> None:
    async with ctx.stream() as out:
        for number in range(3):
            await out.write(f"{number} ")


@pytest.mark.parametrize("downstream", [pieces, streaming])
async def test_streams_go_through_it_and_detach(downstream: Any) -> None:
    log: list[Any] = []

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.on_detach(lambda ctx: log.append("detached"))
        ctx.before_send(lambda ctx: ctx.set("X-Before", ctx.response.get("X-Passed")))
        await next()
        log.extend([ctx.status, ctx.header_sent])

    app = app_of(upstream, asgi_middleware(Pass), downstream)
    async with Client(app) as client:
        response = await client.get("/")
        assert (response.text, response.headers["x-before"]) == ("0 1 2 ", "pass")
        assert log == ["detached", 200, True]
        assert (await client.head("/")).content == b""


async def test_files_go_through_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("file")

    async def downstream(ctx: Context) -> None:
        ctx.body = tmp_path / "a.txt"

    async with Client(app_of(asgi_middleware(Pass), downstream)) as client:
        response = await client.get("/")
    assert (response.text, response.headers["content-length"]) == ("file", "4")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_stream_that_fails_is_cut() -> None:
    async def failing(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("half")
            raise LookupError("boom")

    app = app_of(asgi_middleware(Pass), failing)
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(ResponseCut):
            await client.get("/")


async def test_a_client_that_goes_is_seen_through_it() -> None:
    seen: list[bool] = []

    async def downstream(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("begin")
            await ctx.disconnected.wait()
            seen.append(ctx.disconnected.is_set())

    app = app_of(asgi_middleware(Pass), downstream)
    async with Client(app) as client, client.stream("GET", "/") as response:
        assert await anext(response) == b"begin"
    assert seen == [True]


# --- WebSockets ------------------------------------------------------------------------------


async def echo(ctx: Context) -> None:
    ctx.set("X-Down", "1")
    socket = await ctx.upgrade(subprotocols=["b"], origins=["https://friend.example"])
    async for message in socket:
        if message == "boom":
            raise LookupError("boom")
        if message == "bye":
            return
        await socket.send(message)


async def test_sockets_go_through_it_with_the_headers_of_all() -> None:
    log: list[Any] = []

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set("X-Up", "1")
        ctx.on_detach(lambda ctx: log.append(ctx.status))
        await next()
        log.append(ctx.websocket is not None and ctx.websocket.closed)

    app = app_of(upstream, asgi_middleware(Pass), echo)
    friend = {"Origin": "https://friend.example"}
    async with (
        Client(app) as client,
        client.websocket("/", headers=friend, subprotocols=["a", "b"]) as socket,
    ):
        names = ("x-up", "x-down", "x-passed")
        assert [socket.headers[name] for name in names] == ["1", "1", "pass"]
        assert socket.subprotocol == "b"
        await socket.send("hi")
        assert await socket.receive() == "hi"
        await socket.send("bye")
        with pytest.raises(WebSocketClosed) as closed:
            await socket.receive()
    assert closed.value.code == 1000
    assert log == [101, True]


async def test_an_error_in_a_socket_closes_it_with_1011_and_is_told_once() -> None:
    errors: list[BaseException] = []
    app = app_of(asgi_middleware(Pass), echo)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client, client.websocket("/") as socket:
        await socket.send("boom")
        with pytest.raises(WebSocketClosed) as closed:
            await socket.receive()
    assert closed.value.code == 1011
    assert [str(error) for error in errors] == ["boom"]


async def test_a_refused_handshake_is_an_ordinary_answer() -> None:
    async def downstream(ctx: Context) -> None:
        if ctx.path == "/origin":
            await ctx.upgrade()
        ctx.status = 401
        ctx.body = {"login": "first"}

    app = app_of(asgi_middleware(Pass), downstream)
    async with Client(app) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                raise AssertionError
        response = refused.value.response
        assert (response.status, response.json()) == (401, {"login": "first"})
        assert response.headers["x-passed"] == "pass"
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/origin", headers={"Origin": "https://evil.example"}):
                raise AssertionError
        assert refused.value.response.status == 403


# --- of others -------------------------------------------------------------------------------


async def test_correlation_ids_are_seen_downstream_and_upstream() -> None:
    seen: list[str | None] = []

    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        seen.append(correlation_id.get())

    async def downstream(ctx: Context) -> None:
        ctx.body = correlation_id.get()

    app = app_of(upstream, asgi_middleware(CorrelationIdMiddleware), downstream)
    async with Client(app) as client:
        response = await client.get("/")
    assert response.headers["x-request-id"] == response.text == seen[0]


async def test_cors_of_starlette() -> None:
    middleware = asgi_middleware(
        CORSMiddleware, allow_origins=["https://a.example"], allow_methods=["PUT"]
    )
    async with Client(app_of(middleware, hello)) as client:
        origin = {"Origin": "https://a.example"}
        response = await client.get("/", headers=origin)
        assert response.headers["access-control-allow-origin"] == "https://a.example"
        preflight = {**origin, "Access-Control-Request-Method": "PUT"}
        response = await client.options("/", headers=preflight)
        assert response.headers["access-control-allow-methods"] == "PUT"
        evil = await client.get("/", headers={"Origin": "https://a.example.evil"})
        assert "access-control-allow-origin" not in evil.headers


@pytest.mark.parametrize("downstream", ["whole", "pieces"])
async def test_gzip_of_starlette(downstream: str) -> None:
    async def large(ctx: Context) -> None:
        if downstream == "whole":
            ctx.body = "large " * 1000
            return
        async with ctx.stream() as out:
            for _ in range(1000):
                await out.write("large ")

    app = app_of(asgi_middleware(GZipMiddleware), large)
    async with Client(app) as client:
        response = await client.get("/", headers={"Accept-Encoding": "gzip"})
        assert response.headers["content-encoding"] == "gzip"
        assert gzip.decompress(response.content) == b"large " * 1000
        plain = await client.get("/")
    assert plain.content == b"large " * 1000


async def test_sessions_of_starlette_are_shared_by_both_kinds_of_applications() -> None:
    async def count(ctx: Context, next: Next) -> None:
        session = ctx.scope["session"]
        session["count"] = session.get("count", 0) + 1
        await next()

    async def show(request: Request) -> JSONResponse:
        return JSONResponse(request.session)

    middleware = asgi_middleware(SessionMiddleware, secret_key="secret")
    app = app_of(middleware, count, asgi(Starlette(routes=[Route("/", show)])))
    async with Client(app) as client:
        assert (await client.get("/")).json() == {"count": 1}
        assert (await client.get("/")).json() == {"count": 2}


async def test_base_http_middleware_of_starlette() -> None:
    class Timing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["X-Timing"] = request.url.path
            return response

    async def downstream(ctx: Context) -> None:
        ctx.body = await ctx.request.text()

    app = app_of(asgi_middleware(Timing), downstream)
    async with Client(app) as client:
        response = await client.post("/a", content=b"body")
    assert (response.text, response.headers["x-timing"]) == ("body", "/a")


async def test_one_inside_another() -> None:
    app = app_of(
        asgi_middleware(CorrelationIdMiddleware),
        asgi_middleware(Pass),
        asgi_middleware(GZipMiddleware),
        pieces,
    )
    async with Client(app) as client:
        response = await client.get("/")
    assert response.text == "0 1 2 "
    assert response.headers["x-passed"] == "pass"


async def test_its_lifespan_runs_with_that_of_the_app() -> None:
    log: list[str] = []

    def factory(app: Any) -> Any:
        async def living(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                log.append("start")
            await app(scope, receive, send)
            if scope["type"] == "lifespan":
                log.append("stop")

        return living

    async with Client(app_of(asgi_middleware(factory), hello)) as client:
        assert (await client.get("/")).text == "hello"
        assert log == ["start"]
    assert log == ["start", "stop"]


def test_its_name_in_logs_says_which_it_is() -> None:
    assert middleware_name(asgi_middleware(CORSMiddleware)) == "asgi_middleware CORSMiddleware"


def test_what_makes_no_application_is_refused() -> None:
    with pytest.raises(TypeError, match="is no ASGI middleware"):
        asgi_middleware(lambda app: None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("path", ["/", "/stream"])
async def test_a_request_goes_without_the_cycle_collector(path: str) -> None:
    seen: list[weakref.ref[Context]] = []

    async def upstream(ctx: Context, next: Next) -> None:
        seen.append(weakref.ref(ctx))
        await next()

    async def downstream(ctx: Context) -> None:
        if ctx.path == "/stream":
            async with ctx.stream() as out:
                await out.write("piece")

    app = app_of(upstream, asgi_middleware(Pass), downstream, env="production")
    async with Client(app) as client:
        gc.collect()
        gc.disable()
        try:
            await client.get(path)
            await asyncio.sleep(0)  # what waited for the client's going ends
            assert seen[0]() is None
        finally:
            gc.enable()


async def test_mounted_applications_stand_below_and_above_it() -> None:
    async def downstream(ctx: Context) -> None:
        if ctx.upgradable:
            socket = await ctx.upgrade()
            await socket.send(ctx.path)
            return
        ctx.body = f"{ctx.mount_path} {ctx.path}"

    inner = app_of(asgi_middleware(Pass, name="inner"), downstream)
    app = app_of(asgi_middleware(Pass, name="outer"), mount("/in", inner))
    async with Client(app) as client:
        response = await client.get("/in/a")
        assert response.text == "/in /a"
        assert response.headers.get_all("x-passed") == ["inner", "outer"]
        async with client.websocket("/in/b") as socket:
            assert socket.headers.get_all("x-passed") == ["inner", "outer"]
            assert await socket.receive() == "/b"
        assert (await client.get("/other")).status == 404


async def named_pieces(ctx: Context) -> AsyncIterator[str]:
    yield f"{ctx.app.name},"
    await asyncio.sleep(0)
    yield f"{ctx.app.name}"


async def answers_by_path(ctx: Context) -> None:
    if ctx.upgradable:
        await (await ctx.upgrade()).send("hello")
    elif ctx.path == "/pieces":
        ctx.body = named_pieces(ctx)
    else:
        async with ctx.stream() as out:
            await out.write("inner,")
            await out.write(str(ctx.app.name))


@pytest.mark.parametrize("place", ["/stream", "/socket", "/pieces"])
async def test_hooks_above_it_run_as_there_whatever_is_mounted_below(place: str) -> None:
    apps = [Ohia(env="test", name=name) for name in ("outer", "middle", "inner")]
    seen: list[tuple[str, str, bool]] = []

    def hooked(app: Ohia) -> Any:
        async def hooked(ctx: Context, next: Next) -> None:
            def hook(ctx: Context) -> None:
                seen.append((str(app.name), str(ctx.app.name), isinstance(ctx, app.context)))

            ctx.before_send(hook)
            ctx.on_detach(hook)
            await next()

        return hooked

    outer, middle, inner = apps
    outer.use(hooked(outer), asgi_middleware(Pass, name="outer"), mount("/a", middle))
    middle.use(hooked(middle), asgi_middleware(Pass, name="middle"), mount("/b", inner))
    inner.use(hooked(inner), answers_by_path)
    async with Client(outer) as client:
        if place == "/socket":
            async with client.websocket("/a/b/socket") as socket:
                assert await socket.receive() == "hello"
        else:
            assert (await client.get(f"/a/b{place}")).text == "inner,inner"
    assert len(seen) == 6
    assert all(name == shown and is_own for name, shown, is_own in seen)


async def test_what_a_socket_sent_without_waiting_arrives_before_an_error_closes_it() -> None:
    async def downstream(ctx: Context) -> None:
        socket = await ctx.upgrade()
        socket.send("last words")
        raise LookupError("boom")

    app = app_of(asgi_middleware(Pass), downstream)
    async with Client(app, raise_errors=False) as client, client.websocket("/") as socket:
        assert await socket.receive() == "last words"
        with pytest.raises(WebSocketClosed) as closed:
            await socket.receive()
    assert closed.value.code == 1011


async def test_foreign_sockets_go_through_foreign_middleware() -> None:
    async def greet(socket: StarletteSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.headers["x-seen"])
        await socket.close(4000)

    seen = changing(lambda scope: {"headers": [*scope["headers"], (b"x-seen", b"1")]})
    app = app_of(seen, asgi(Starlette(routes=[WebSocketRoute("/", greet)])))
    async with Client(app) as client, client.websocket("/") as socket:
        assert await socket.receive() == "1"
        with pytest.raises(WebSocketClosed) as closed:
            await socket.receive()
    assert closed.value.code == 4000


class Passing(BaseHTTPMiddleware):
    """Runs what it wraps in a task of its own."""

    async def dispatch(self, request: Request, call_next: Any) -> Any:
        return await call_next(request)


@pytest.mark.parametrize("is_failing", [False, True])
async def test_downstream_keeps_its_side_while_hooks_of_upstream_wait(is_failing: bool) -> None:
    asked, go = asyncio.Event(), asyncio.Event()
    told: list[str] = []

    async def slow(ctx: Context) -> None:
        asked.set()
        await go.wait()
        ctx.set("X-Late", ctx.status)

    async def upstream(ctx: Context, next: Next) -> None:
        exchange = ctx.req
        ctx.before_send(slow)
        try:
            await next()
        finally:
            assert ctx.req is exchange

    async def downstream(ctx: Context) -> None:
        async with ctx.stream() as out:
            mine = ctx.req
            await out.write("a")
            await asked.wait()
            assert ctx.req is mine
            ctx.app.hold(asyncio.get_running_loop().create_task(letting()))
            assert [piece async for piece in ctx.request.stream()] == [b"body"]
            if is_failing:
                raise LookupError("boom")
            await out.write("b")

    async def letting() -> None:
        go.set()

    app = app_of(upstream, asgi_middleware(Passing), downstream)
    app.on("error", lambda error: told.append(repr(error)))
    async with Client(app, raise_errors=False) as client, asyncio.timeout(10):
        if is_failing:
            with pytest.raises(ResponseCut):
                await client.post("/", content=b"body")
            assert told == ["LookupError('boom')"]
        else:
            response = await client.post("/", content=b"body")
            assert (response.text, response.headers["X-Late"]) == ("ab", "200")


async def test_a_stream_that_has_ended_is_whole_whatever_fails_behind_it() -> None:
    async def failing(ctx: Context, next: Next) -> None:
        await next()
        raise LookupError("boom")

    async def streaming(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("whole")

    app = app_of(asgi_middleware(Passing), failing, streaming)
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).text == "whole"


async def test_a_stream_that_fails_stays_cut_when_the_middleware_ends_it_in_order() -> None:
    class Ending(Pass):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            try:
                await self.app(scope, receive, send)
            except LookupError:
                if scope["type"] == "http":
                    await send({"type": "http.response.body", "body": b""})

    async def failing(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write("half")
            raise LookupError("boom")

    async with Client(app_of(asgi_middleware(Ending), failing), raise_errors=False) as client:
        with pytest.raises(ResponseCut):
            await client.get("/")


async def test_a_body_that_upstream_has_decoded_is_decoded_downstream() -> None:
    async def upper(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in body:
            yield piece.upper()

    async def decoding(ctx: Context, next: Next) -> None:
        ctx.request.filter(upper)
        await ctx.request.read()
        await next()

    async def downstream(ctx: Context) -> None:
        ctx.body = [await ctx.request.text(), "content-encoding" in ctx.headers, ctx.request.length]

    app = app_of(decoding, asgi_middleware(Pass), downstream)
    async with Client(app) as client:
        response = await client.post("/", content=b"abc", headers={"Content-Encoding": "lower"})
    assert response.json() == ["ABC", False, 3]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("middleware", [Pass, Passing])
async def test_what_stops_a_program_is_an_error_of_its_request_and_stops_no_server(
    error: BaseException, middleware: Any
) -> None:
    async def failing(ctx: Context) -> None:
        raise error

    told: list[BaseException] = []
    app = app_of(asgi_middleware(middleware), failing)
    app.on("error", told.append)
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).status == 500
    assert told == [error]
