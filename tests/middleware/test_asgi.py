"""ASGI applications of others in the chain: written out, and of Starlette, FastAPI, Django."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware as StarletteMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket as StarletteSocket

from ohia import ClientDisconnect, Context, Next, Ohia, WebSocketClosed
from ohia.middleware.asgi import around, asgi
from ohia.testing import Client, ResponseCut, UpgradeRefused


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(**{"env": "test", **options})
    app.use(*middleware)
    return app


def below(prefix: str, middleware: Any) -> Any:
    """Do what `mount` does, without its care."""

    async def below(ctx: Context, next: Next) -> None:
        path, mount_path = ctx.path, ctx.mount_path
        ctx.path, ctx.mount_path = path.removeprefix(prefix), mount_path + prefix
        await middleware(ctx, next)
        ctx.path, ctx.mount_path = path, mount_path

    below.lifespan = middleware.lifespan  # type: ignore[attr-defined]
    return below


def sending(*messages: dict[str, Any]) -> Any:
    """Return an ASGI application that sends just that."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        for message in messages:
            await send(message)

    return application


START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"a/b")],
}
END: dict[str, Any] = {"type": "http.response.body", "body": b"whole"}


async def test_a_body_in_one_message_is_the_body_of_ctx() -> None:
    seen: list[Any] = []

    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        seen.extend([ctx.status, ctx.body, ctx.type, ctx.header_sent])
        ctx.set("X-After", "1")

    start = {**START, "status": 201}
    async with Client(app_of(upstream, asgi(sending(start, END)))) as client:
        response = await client.get("/")
    assert seen == [201, b"whole", "a/b", False]
    assert (response.status, response.content) == (201, b"whole")
    assert response.headers["x-after"] == "1"
    assert response.headers["content-type"] == "a/b"


async def test_so_is_one_whose_first_message_has_all_of_its_length() -> None:
    seen: list[Any] = []

    async def upstream(ctx: Context, next: Next) -> None:
        await next()
        seen.append(ctx.body)

    start = {**START, "headers": [(b"content-length", b"5")]}
    piece = {**END, "more_body": True}
    async with Client(
        app_of(upstream, asgi(sending(start, piece, {**END, "body": b""})))
    ) as client:
        assert (await client.get("/")).text == "whole"
    assert seen == [b"whole"]


async def test_headers_and_cookies_of_upstream_are_merged_into_the_answer() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set({"X-Up": "1", "X-Both": "ours"})
        ctx.cookies.set("ours", "1")
        ctx.vary("Origin")
        await next()

    fields = [(b"set-cookie", b"theirs=1"), (b"x-both", b"theirs"), (b"vary", b"Cookie, Accept")]
    start = {**START, "headers": fields}
    async with Client(app_of(upstream, asgi(sending(start, END)))) as client:
        response = await client.get("/")
    headers = response.headers
    assert (headers["x-up"], headers["x-both"]) == ("1", "theirs")
    assert headers["vary"] == "Origin, Cookie, Accept"
    assert headers.get_all("set-cookie") == ["ours=1; path=/; httponly", "theirs=1"]
    assert "content-type" not in headers  # it sent none, and none is guessed


@pytest.mark.parametrize(
    ("status", "length", "method", "expected"),
    [
        (200, b"5", "HEAD", "5"),  # the length of what GET has, though nothing was sent
        (200, None, "HEAD", None),
        (302, b"0", "GET", "0"),
        (204, None, "GET", None),
        (304, b"5", "GET", None),
    ],
)
async def test_lengths_without_a_body(
    status: int, length: bytes | None, method: str, expected: str | None
) -> None:
    fields = [(b"content-length", length)] if length is not None else []
    start = {"type": "http.response.start", "status": status, "headers": fields}
    end = {"type": "http.response.body"}
    async with Client(app_of(asgi(sending(start, end)))) as client:
        response = await client.request(method, "/")
    assert (response.status, response.content) == (status, b"")
    assert response.headers.get("content-length") == expected


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "ended before its response was whole"),
        ([START], "ended before its response was whole"),
        ([END], "a body comes after the start"),
        ([START, START], "begun already"),
        ([START, END, END], "a body comes after the start"),
        (
            [{**START, "headers": [(b"content-length", b"5")]}, {**END, "more_body": True}, END],
            "longer than its Content-Length",
        ),
        ([{"type": "http.response.push"}], "unexpected ASGI message"),
        ([{**START, "headers": [(b"content-length", b"9")]}, END], "its Content-Length says 9"),
        (
            [{**START, "headers": [(b"content-length", b"9")]}, {"type": "http.response.body"}],
            "sent 0 bytes, its Content-Length says 9",
        ),
        ([{**START, "headers": [(b"x", b"a\r\nb: c")]}, END], "invalid character"),
    ],
    ids=str,
)
async def test_what_is_no_response_is_an_error(messages: list[Any], reason: str) -> None:
    errors: list[BaseException] = []
    app = app_of(asgi(sending(*messages)))
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert response.status == (200 if messages == [START, END, END] else 500)
    assert "b" not in response.headers
    assert [reason in str(error) for error in errors] == [True]


async def test_pieces_wait_for_the_client_and_are_cut_with_their_source() -> None:
    sent: list[int] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for number in range(100):
            await send({"type": "http.response.body", "body": b"piece", "more_body": True})
            sent.append(number)

    app = app_of(asgi(application))
    async with Client(app) as client:
        async with client.stream("GET", "/") as response:
            assert await anext(response) == b"piece"
        assert len(sent) < 10  # it was told that the client has gone


async def test_a_stream_that_fails_or_ends_too_early_is_cut() -> None:
    piece = {"type": "http.response.body", "body": b"piece", "more_body": True}

    async with Client(app_of(asgi(sending(START, piece))), raise_errors=False) as client:
        with pytest.raises(ResponseCut):
            await client.get("/")


async def test_a_stream_detaches_and_passes_the_filters_of_upstream() -> None:
    detached: list[int] = []

    async def upstream(ctx: Context, next: Next) -> None:
        async def loud(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for piece in pieces:
                yield piece.upper()

        ctx.response.filter(loud)
        ctx.on_detach(lambda ctx: detached.append(ctx.status))
        ctx.before_send(lambda ctx: ctx.set("X-Status", ctx.status))
        await next()

    messages: list[dict[str, Any]] = [
        {"type": "http.response.start", "status": 201},
        {"type": "http.response.body", "body": b"one ", "more_body": True},
        {"type": "http.response.body", "body": b"two"},
    ]
    async with Client(app_of(upstream, asgi(sending(*messages)))) as client:
        response = await client.get("/")
    assert response.text == "ONE TWO"
    assert response.headers["x-status"] == "201"
    assert detached == [201]


async def test_the_scope_is_that_of_the_specification() -> None:
    seen: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        await send(START)
        await send(END)

    app = app_of(below("/%C3%A9t%C3%A9", asgi(application)))
    async with Client(app) as client:
        await client.get("/%C3%A9t%C3%A9/a%2Fb%20c?x=%20&y", headers={"X-A": "1"})
    assert seen["path"] == "/été/a/b c"
    assert seen["raw_path"] == b"/%C3%A9t%C3%A9/a%2Fb%20c"
    assert seen["root_path"] == "/été"
    assert seen["query_string"] == b"x=%20&y"
    assert (b"x-a", b"1") in seen["headers"]
    assert (seen["type"], seen["method"], seen["scheme"]) == ("http", "GET", "http")


async def test_the_scope_says_what_a_trusted_proxy_says_and_else_nothing_of_it() -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["scheme"], scope["client"]))
        await send(START)
        await send(END)

    forwarded = {"X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "https"}
    for proxy in (1, False):
        async with Client(app_of(asgi(application), proxy=proxy)) as client:
            await client.get("/", headers=forwarded)
    assert seen == [("https", ("10.1.2.3", 0)), ("http", ("127.0.0.1", 50000))]


async def test_a_body_is_streamed_in_or_comes_as_upstream_has_kept_it() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        pieces = []
        more = True
        while more:
            message = await receive()
            pieces.append(message["body"])
            more = message["more_body"]
        await send(START)
        await send({"type": "http.response.body", "body": b"|".join(pieces)})

    async def upload() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async def reader(ctx: Context, next: Next) -> None:
        assert await ctx.request.read() == b"onetwo"
        await next()

    async with Client(app_of(asgi(application))) as client:
        assert (await client.post("/", content=upload())).text == "one|two|"
    async with Client(app_of(reader, asgi(application))) as client:
        assert (await client.post("/", content=upload())).text == "onetwo|"


async def test_a_receive_that_is_cancelled_loses_nothing_of_the_body() -> None:
    go = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        go.set()
        message = await receive()
        await send(START)
        await send({"type": "http.response.body", "body": message["body"]})

    async def upload() -> AsyncIterator[bytes]:
        await go.wait()
        yield b"late"

    async with Client(app_of(asgi(application))) as client:
        assert (await client.post("/", content=upload())).text == "late"


async def test_a_client_that_goes_is_told_by_receive_and_by_send() -> None:
    told: list[Any] = []
    begun = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        begun.set()
        told.append((await receive())["type"])
        try:
            await send({"type": "http.response.body", "body": b"2", "more_body": True})
        except OSError as error:
            told.append(type(error))

    errors: list[BaseException] = []
    app = app_of(asgi(application))
    app.on("error", errors.append)
    async with Client(app) as client, client.stream("GET", "/"):
        await begun.wait()
    assert told == ["http.disconnect", ClientDisconnect]
    assert errors == []


async def test_what_runs_after_the_response_does_not_delay_it_and_the_app_waits_for_it() -> None:
    answered = asyncio.Event()
    log: list[str] = []
    api = FastAPI()

    async def slowly() -> None:
        await answered.wait()
        log.append("background")
        raise LookupError("in the background")

    @api.get("/")
    def hello(tasks: BackgroundTasks) -> str:
        tasks.add_task(slowly)
        return "hello"

    app = app_of(asgi(api))
    app.on("error", lambda error: log.append(repr(error)))
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).json() == "hello"
        assert log == []
        answered.set()
    assert log == ["background", "LookupError('in the background')"]


async def test_the_page_that_starlette_gives_for_an_error_stands_and_the_error_is_told() -> None:
    async def broken(request: Request) -> None:
        raise LookupError("boom")

    errors: list[BaseException] = []
    app = app_of(asgi(Starlette(routes=[Route("/", broken)])))
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (500, "Internal Server Error")
    assert [str(error) for error in errors] == ["boom"]


async def test_an_error_before_the_response_goes_up_the_chain() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("boom")

    async def upstream(ctx: Context, next: Next) -> None:
        try:
            await next()
        except LookupError as error:
            ctx.body = f"caught {error}"

    async with Client(app_of(upstream, asgi(application))) as client:
        assert (await client.get("/")).text == "caught boom"


async def test_cancelling_downstream_cancels_the_application() -> None:
    ended: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(scope["path"])

    async def impatient(ctx: Context, next: Next) -> None:
        try:
            async with asyncio.timeout(0):
                await next()
        except TimeoutError:
            ctx.body = "enough"

    async with Client(app_of(impatient, asgi(application))) as client:
        assert (await client.get("/a")).text == "enough"
    assert ended == ["/a"]


# --- WebSockets ------------------------------------------------------------------------------


async def echo(socket: StarletteSocket) -> None:
    await socket.accept("b" if "b" in socket.scope["subprotocols"] else None, [(b"x-in", b"1")])
    async for message in socket.iter_text():
        if message == "bye":
            await socket.close(4001, "was asked to")
            return
        await socket.send_text(f"{socket.url.path} {message}")


async def refuse(socket: StarletteSocket) -> None:
    await socket.receive()
    await socket.send_denial_response(JSONResponse({"no": 1}, 401, {"X-Why": "login"}))


async def close_at_once(socket: StarletteSocket) -> None:
    await socket.close()


SOCKETS = Starlette(
    routes=[
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/refuse", refuse),
        WebSocketRoute("/close", close_at_once),
    ]
)


async def test_a_socket_goes_through_with_the_headers_of_both_sides() -> None:
    detached: list[int] = []

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set("X-Up", "1")
        ctx.on_detach(lambda ctx: detached.append(ctx.status))
        await next()

    app = app_of(upstream, below("/ws", asgi(SOCKETS)))
    async with (
        Client(app) as client,
        client.websocket("/ws/echo", subprotocols=["a", "b"]) as socket,
    ):
        assert (socket.headers["x-up"], socket.headers["x-in"]) == ("1", "1")
        assert socket.subprotocol == "b"
        await socket.send("hi")
        assert await socket.receive() == "/ws/echo hi"
        await socket.send("bye")
        with pytest.raises(WebSocketClosed) as closed:
            await socket.receive()
    assert (closed.value.code, closed.value.reason) == (4001, "was asked to")
    assert detached == [101]


async def test_the_close_of_the_client_is_told() -> None:
    told: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == {"type": "websocket.connect"}
        await send({"type": "websocket.accept"})
        told.append(await receive())
        told.append(await receive())

    async with Client(app_of(asgi(application))) as client, client.websocket("/") as socket:
        await socket.send(b"bytes")
        await socket.close(4000, "enough")
    assert told == [
        {"type": "websocket.receive", "bytes": b"bytes"},
        {"type": "websocket.disconnect", "code": 4000, "reason": "enough"},
    ]


@pytest.mark.parametrize(
    ("path", "status", "body"), [("/refuse", 401, '{"no":1}'), ("/close", 403, ""), ("/", 403, "")]
)
async def test_a_refusal_is_an_ordinary_answer(path: str, status: int, body: str) -> None:
    async with Client(app_of(asgi(SOCKETS))) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket(path):
                raise AssertionError
    response = refused.value.response
    assert (response.status, response.text) == (status, body)
    assert response.headers.get("x-why") == ("login" if status == 401 else None)


async def test_pages_of_other_hosts_may_not_open_sockets_unless_that_is_asked_for() -> None:
    evil = {"Origin": "https://evil.example"}
    async with Client(app_of(asgi(SOCKETS))) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/echo", headers=evil):
                raise AssertionError
        assert refused.value.response.status == 403
    app = app_of(asgi(SOCKETS, origins="*"))
    async with Client(app) as client, client.websocket("/echo", headers=evil) as socket:
        await socket.send("hi")
        assert await socket.receive() == "/echo hi"


# --- lifespans -------------------------------------------------------------------------------


async def test_the_lifespan_runs_with_that_of_the_app_and_gives_its_state() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[dict[str, str]]:
        log.append("start")
        yield {"who": "tobi"}
        log.append("stop")

    async def who(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.who)

    app = app_of(asgi(Starlette(routes=[Route("/", who)], lifespan=life)))
    for _ in range(2):
        async with Client(app) as client:
            assert (await client.get("/")).text == "tobi"
    assert log == ["start", "stop", "start", "stop"]


async def test_a_lifespan_that_cannot_start_stops_the_app() -> None:
    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        raise LookupError("no database")
        yield

    with pytest.raises(RuntimeError, match="no database"):
        async with Client(app_of(asgi(Starlette(lifespan=life)))):
            raise AssertionError


async def test_an_application_without_a_lifespan_is_served_all_the_same() -> None:
    async with Client(app_of(asgi(sending(START, END)))) as client:
        assert (await client.get("/")).text == "whole"


# --- with others -----------------------------------------------------------------------------


async def test_starlette_below_a_path_makes_right_urls() -> None:
    async def show(request: Request) -> JSONResponse:
        return JSONResponse([str(request.url), str(request.url_for("show", name="x"))])

    inner = Starlette(routes=[Mount("/in", routes=[Route("/{name}", show, name="show")])])
    app = app_of(below("/out", asgi(inner)))
    async with Client(app) as client:
        response = await client.get("/out/in/a%20b?q=1")
    here, there = response.json()
    assert here == "http://testserver/out/in/a b?q=1"  # Starlette decodes
    assert there == "http://testserver/out/in/x"


async def test_starlette_streams() -> None:
    async def count(request: Request) -> StreamingResponse:
        async def numbers() -> AsyncIterator[str]:
            for number in range(3):
                yield f"{number} "

        return StreamingResponse(numbers(), media_type="text/plain")

    async with Client(app_of(asgi(Starlette(routes=[Route("/", count)])))) as client:
        assert (await client.get("/")).text == "0 1 2 "
        assert (await client.head("/")).text == ""


async def test_a_chain_around_an_application_is_middleware_for_starlette() -> None:
    async def mark(ctx: Context, next: Next) -> None:
        await next()
        ctx.set("X-Status", ctx.status)

    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    host = Starlette(
        routes=[Route("/", hello)], middleware=[StarletteMiddleware(around, mark, env="test")]
    )
    async with Client(app_of(asgi(host))) as client:
        response = await client.get("/")
    assert (response.text, response.headers["x-status"]) == ("hello", "200")


def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(TypeError, match="takes an ASGI application"):
        asgi("module:app")  # type: ignore[arg-type]


async def test_a_request_goes_without_the_cycle_collector() -> None:
    seen: list[weakref.ref[Context]] = []

    async def upstream(ctx: Context, next: Next) -> None:
        seen.append(weakref.ref(ctx))
        await next()

    app = app_of(upstream, asgi(sending(START, END)), env="production")
    async with Client(app) as client:
        gc.collect()
        gc.disable()
        try:
            await client.get("/")
            assert seen[0]() is None
        finally:
            gc.enable()


async def test_what_starlette_raises_for_a_client_that_went_is_no_error() -> None:
    ended: list[str] = []
    told: list[BaseException] = []

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"piece"
            await asyncio.sleep(0)

    async def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(pieces())

    async def echo(socket: StarletteSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text(await socket.receive_text())

    async def noting(ctx: Context, next: Next) -> None:
        ctx.on_finished(lambda error, _: ended.append(type(error).__name__))
        await next()

    routes = [Route("/", stream), WebSocketRoute("/socket", echo)]
    app = app_of(noting, asgi(Starlette(routes=routes)))
    app.on("error", told.append)
    async with Client(app) as client:
        async with client.stream("GET", "/") as response:
            assert await anext(response) == b"piece"
        async with client.websocket("/socket") as socket:
            await socket.send("hi")
            assert await socket.receive() == "hi"
    assert (ended, told) == (["ClientDisconnect", "WebSocketClosed"], [])


async def test_an_error_of_that_name_is_one_while_the_client_is_there() -> None:
    class ClientDisconnect(Exception):
        """Of a client of the application's own."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raise ClientDisconnect

    async with Client(app_of(asgi(failing)), raise_errors=False) as client:
        assert (await client.get("/")).status == 500


@pytest.mark.parametrize("pieces", [[b'{"a":', b"1}"], [b'{"a":1}']])
async def test_a_body_that_upstream_has_decoded_comes_with_its_own_length(
    pieces: list[bytes],
) -> None:
    seen: list[Any] = []

    async def upper(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in body:
            yield piece.upper()

    async def decoding(ctx: Context, next: Next) -> None:
        ctx.request.filter(upper)
        if len(pieces) == 1:
            await ctx.request.read()
        await next()

    async def application(request: Request) -> PlainTextResponse:
        names = ("content-encoding", "content-length", "transfer-encoding")
        seen.append({name: request.headers[name] for name in names if name in request.headers})
        return PlainTextResponse(await request.body())

    starlette = Starlette(routes=[Route("/", application, methods=["POST"])])
    async with Client(app_of(decoding, asgi(starlette))) as client:
        headers = {"Content-Encoding": "lower", "Content-Length": "7"}
        response = await client.post("/", content=b"".join(pieces), headers=headers)
    assert response.content == b'{"A":1}'
    assert seen == [
        {"content-length": "7"} if len(pieces) == 1 else {"transfer-encoding": "chunked"}
    ]


LATE = [{"type": "lifespan.startup.complete"}]


@pytest.mark.parametrize("answers", [LATE, [*LATE, *LATE]])
async def test_a_lifespan_that_fails_after_its_start_is_told_when_the_app_stops(
    answers: list[Any],
) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for answer in answers:
            await send(answer)
        await receive()
        raise LookupError("the pool would not close")

    with pytest.raises(RuntimeError, match="failed in its lifespan"):
        async with Client(app_of(asgi(failing))):
            pass


@pytest.mark.parametrize("is_stubborn", [False, True])
async def test_what_fails_while_it_is_cancelled_is_told(is_stubborn: bool) -> None:
    told: list[str] = []
    begun, go = asyncio.Event(), asyncio.Event()

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            while is_stubborn and not go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await go.wait()
            raise LookupError("clean-up broke")

    async def upstream(ctx: Context, next: Next) -> None:
        task = asyncio.ensure_future(next())
        await begun.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.wait([task], timeout=0)
        await asyncio.wait([task])
        ctx.body = "enough"

    app = app_of(upstream, asgi(failing))
    app.on("error", lambda error: told.append(str(error)))
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).text == "enough"
        assert told == ([] if is_stubborn else ["clean-up broke"])
        go.set()
    assert told == ["clean-up broke"]


STOPS = [SystemExit(1), KeyboardInterrupt()]


@pytest.mark.parametrize("error", STOPS, ids=repr)
@pytest.mark.parametrize("is_answered", [False, True])
async def test_what_stops_a_program_is_an_error_of_its_request_and_stops_no_server(
    error: BaseException, is_answered: bool
) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        if is_answered:
            await send(START)
            await send(END)
        await asyncio.sleep(0)
        raise error

    told: list[BaseException] = []
    app = app_of(asgi(failing))
    app.on("error", told.append)
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).status == (200 if is_answered else 500)
    assert told == [error]
