"""WSGI applications of others in the chain: written out, and of Flask and Django."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flask import Flask, request, url_for

from ohia import Context, Next, Ohia
from ohia.middleware.wsgi import wsgi
from ohia.testing import Client, ResponseCut


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(**{"env": "test", **options})
    app.use(*middleware)
    return app


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


def environ_of(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR")
    http = sorted(name for name in environ if name.startswith(("HTTP_X", "HTTP_P")))
    return [repr([environ[name] for name in names] + http).encode("latin-1")]


def mounted(prefix: str, middleware: Any) -> Any:
    async def mounted(ctx: Context, next: Next) -> None:
        path = ctx.path
        ctx.path, ctx.mount_path = path.removeprefix(prefix), prefix
        await middleware(ctx, next)
        ctx.path, ctx.mount_path = path, ""

    return mounted


async def test_it_answers_with_what_upstream_set() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set("X-Up", "1")
        ctx.cookies.set("a", "1")
        await next()
        ctx.set("X-Status", ctx.status)

    async with Client(app_of(upstream, wsgi(hello))) as client:
        response = await client.get("/")
        assert (response.status, response.text) == (200, "hello")
        headers = response.headers
        assert (headers["x-up"], headers["set-cookie"]) == ("1", "a=1; path=/; httponly")
        assert (await client.head("/")).headers["content-length"] == "5"


async def test_the_environment_is_that_of_the_mount_and_holds_no_forged_fields() -> None:
    forged = {"X_Forwarded_For": "1.1.1.1", "Proxy": "http://evil", "X-Good": "1"}
    async with Client(app_of(mounted("/shop", wsgi(environ_of)))) as client:
        response = await client.get("/shop/%C3%A9t%C3%A9?a=%20", headers=forged)
    assert response.content.decode("latin-1") == repr(
        ["GET", "/shop", "/été".encode().decode("latin-1"), "a=%20", "127.0.0.1", "HTTP_X_GOOD"]
    )


async def test_a_handshake_is_the_request_that_it_is_and_streams_of_upstream_stay_possible() -> (
    None
):
    async def upstream(ctx: Context, next: Next) -> None:
        if ctx.path == "/socket":
            socket = await ctx.upgrade()
            await socket.send("mine")
        elif ctx.path == "/stream":
            async with ctx.stream() as out:
                await out.write("mine")
        else:
            await next()

    app = app_of(upstream, wsgi(hello))
    async with Client(app) as client:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
        assert (await client.get("/", headers=headers)).text == "hello"
        assert (await client.get("/stream")).text == "mine"
        async with client.websocket("/socket") as socket:
            assert await socket.receive() == "mine"


async def test_errors_go_up_the_chain() -> None:
    def broken(environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError("boom")

    async with Client(app_of(wsgi(broken))) as client:
        with pytest.raises(LookupError, match="boom"):
            await client.get("/")


async def test_at_most_so_many_requests_run_at_a_time() -> None:
    lock = threading.Lock()
    counts = {"now": 0, "most": 0}
    all_in = threading.Barrier(2)

    def counting(environ: Any, start_response: Any) -> list[bytes]:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        all_in.wait(10)
        with lock:
            counts["now"] -= 1
        return hello(environ, start_response)

    async with Client(app_of(wsgi(counting, workers=2))) as client:
        responses = await asyncio.gather(*(client.get("/") for _ in range(6)))
    assert [response.status for response in responses] == [200] * 6
    assert counts == {"now": 0, "most": 2}


async def test_a_client_that_goes_frees_the_thread() -> None:
    closed = threading.Event()

    def endless(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])

        def pieces() -> Iterator[bytes]:
            try:
                while True:
                    yield b"piece"
            finally:
                closed.set()

        return pieces()

    async with Client(app_of(wsgi(endless, workers=1))) as client:
        for _ in range(3):  # the only thread is free again each time
            async with client.stream("GET", "/") as response:
                assert await anext(response) == b"piece"
    assert closed.is_set()


async def test_a_request_that_is_cancelled_frees_the_thread() -> None:
    entered = threading.Event()
    go = threading.Event()

    def slow(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            entered.set()
            go.wait(10)
        return hello(environ, start_response)

    async def impatient(ctx: Context, next: Next) -> None:
        task = asyncio.ensure_future(next())
        if ctx.path == "/slow":
            await asyncio.to_thread(entered.wait, 10)
            task.cancel()
            await asyncio.wait([task])
            ctx.body = "enough"
            go.set()
        else:
            await task

    async with Client(app_of(impatient, wsgi(slow, workers=1))) as client:
        assert (await client.get("/slow")).text == "enough"
        assert (await client.get("/")).text == "hello"


async def test_a_body_that_is_cut_is_not_taken_for_whole() -> None:
    read: list[Any] = []

    def reading(environ: Any, start_response: Any) -> list[bytes]:
        try:
            read.append(environ["wsgi.input"].read())
        except OSError as error:
            read.append(type(error).__name__)
            raise
        return hello(environ, start_response)

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise LookupError("the client fell over")

    async with Client(app_of(wsgi(reading))) as client:
        with pytest.raises((LookupError, ResponseCut)):
            await client.post("/", content=half())
    assert read == ["ClientDisconnect"]


async def test_flask_below_a_path_with_a_body_in_chunks() -> None:
    flask = Flask("flask")

    @flask.post("/echo/<name>")
    def echo(name: str) -> str:
        text = request.get_data(as_text=True)
        return f"{name} {text} {url_for('echo', name='x')} {request.args['q']}"

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with Client(app_of(mounted("/f", wsgi(flask)))) as client:
        response = await client.post("/f/echo/a%20b?q=1", content=chunks())
        assert response.text == "a b onetwo /f/echo/x 1"
        assert (await client.get("/f/none")).status == 404


async def test_it_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a2wsgi", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "ohia\[wsgi\]"'):
        wsgi(hello)


def test_what_could_never_run_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a WSGI application"):
        wsgi("module:app")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one worker"):
        wsgi(hello, workers=0)


async def stopping(ctx: Context, next: Next) -> None:
    """Cancel what is downstream once `/slow` has begun, as a time-out does."""
    task = asyncio.ensure_future(next())
    if ctx.path == "/slow":
        await asyncio.to_thread(BEGUN.wait, 10)
        task.cancel()
        await asyncio.wait([task])
        ctx.body = "enough"
    else:
        await task


BEGUN = threading.Event()


async def test_a_request_that_is_cancelled_while_its_body_is_read_frees_the_thread() -> None:
    ends: list[str] = []
    BEGUN.clear()

    def reading(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            BEGUN.set()
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            ends.append(type(error).__name__)
            raise
        return hello(environ, start_response)

    async with app_of(stopping, wsgi(reading, workers=1)).listen(0) as server:
        _, slow = await ask(server.port, "/slow", length=10, body=b"half")
        fast, other = await ask(server.port, "/", length=5, body=b"whole")
        async with asyncio.timeout(20):
            assert (await fast.read()).endswith(b"hello")
        slow.close()
        other.close()
    assert ends == ["ClientDisconnect"]


async def ask(
    port: int | None, path: str, *, length: int, body: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}"
    writer.write(f"{head}\r\n\r\n".encode() + body)
    return reader, writer


async def test_a_request_that_is_cancelled_while_it_waits_for_a_thread_never_runs() -> None:
    go, busy = threading.Event(), threading.Event()
    ran: list[str] = []
    BEGUN.set()

    def noting(environ: Any, start_response: Any) -> list[bytes]:
        ran.append(environ["PATH_INFO"])
        busy.set()
        go.wait(10)
        return hello(environ, start_response)

    async with Client(app_of(stopping, wsgi(noting, workers=1))) as client:
        first = asyncio.create_task(client.get("/first"))
        await asyncio.to_thread(busy.wait, 10)
        assert (await client.get("/slow")).text == "enough"
        go.set()
        assert (await first).text == "hello"
    assert ran == ["/first"]


def too_long(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return (b"xx" for _ in range(100))


def two_lines(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("X-A", "a\r\nX-B: b")])
    return (b"xx" for _ in range(100))


@pytest.mark.parametrize(
    ("application", "error"), [(too_long, RuntimeError), (two_lines, ValueError)]
)
async def test_an_answer_that_cannot_be_sent_is_an_error_and_frees_the_thread(
    application: Any, error: type[Exception]
) -> None:
    async with asyncio.timeout(20):
        async with Client(app_of(wsgi(application, workers=1, queue=1))) as client:
            for _ in range(2):
                with pytest.raises(error):
                    await client.get("/")


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()], ids=repr)
async def test_what_stops_a_program_is_an_error_of_its_request_and_stops_no_server(
    error: BaseException,
) -> None:
    def failing(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    async with Client(app_of(wsgi(failing)), raise_errors=False) as client:
        assert [(await client.get("/")).status for _ in range(2)] == [500, 500]
