"""One chain with an application of each framework in it, over sockets: ohia's server, uvicorn."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import django  # type: ignore[import-untyped]
import pytest
import uvicorn
from asgi_correlation_id import CorrelationIdMiddleware
from django.conf import settings  # type: ignore[import-untyped]
from django.core.handlers.asgi import ASGIHandler, ASGIRequest  # type: ignore[import-untyped]
from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from fastapi import FastAPI, Request, WebSocket
from flask import Flask
from flask import request as flask_request
from pydantic import BaseModel
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import StreamingResponse
from websockets.asyncio.client import connect

from ohia import Context, Next, Ohia
from ohia.middleware.asgi import asgi
from ohia.middleware.asgi_middleware import asgi_middleware
from ohia.middleware.wsgi import wsgi


class Item(BaseModel):
    name: str
    price: float


def fastapi_app(log: list[str]) -> FastAPI:
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        log.append("fastapi starts")
        yield
        log.append("fastapi stops")

    api = FastAPI(lifespan=life)

    @api.post("/items/{shop}")
    def create(shop: str, item: Item) -> dict[str, Any]:
        return {"shop": shop, "name": item.name}

    @api.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(50):
                yield b"x" * 10_000

        return StreamingResponse(pieces())

    @api.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(f"fastapi {text}")

    return api


def django_hello(request: HttpRequest, name: str) -> HttpResponse:
    response = HttpResponse(
        f"{name} {request.path} {request.body.decode()} {request.GET['q']}", status=201
    )
    response.set_cookie("django", "1")
    return response


def django_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    is_async = isinstance(request, ASGIRequest)
    return StreamingHttpResponse(pieces() if is_async else iter([b"one ", b"two"]))


def django_apps() -> tuple[ASGIHandler, WSGIHandler]:
    if not settings.configured:
        settings.configure(
            DEBUG=False,
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=(path("hello/<name>", django_hello), path("stream", django_stream)),
            SECRET_KEY="made up",
            MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
            USE_TZ=True,
        )
        django.setup(set_prefix=False)
    return ASGIHandler(), WSGIHandler()


def flask_app() -> Flask:
    app = Flask("flask")

    @app.post("/echo")
    def echo() -> str:
        return f"{flask_request.script_root} {flask_request.get_data(as_text=True)}"

    return app


def at(prefix: str, middleware: Any) -> Any:
    """Do what `mount` does, without its care."""

    async def at(ctx: Context, next: Next) -> None:
        whole, mount_path = ctx.path, ctx.mount_path
        if not whole.startswith(f"{prefix}/"):
            await next()
            return
        ctx.path, ctx.mount_path = whole.removeprefix(prefix), mount_path + prefix
        await middleware(ctx, next)
        ctx.path, ctx.mount_path = whole, mount_path

    at.lifespan = middleware.lifespan  # type: ignore[attr-defined]
    return at


def whole_app(log: list[str]) -> Ohia:
    async def mark(ctx: Context, next: Next) -> None:
        ctx.set("X-Chain", "ohia")
        ctx.before_send(lambda ctx: ctx.set("X-Status", ctx.status))
        await next()

    async def rest(ctx: Context) -> None:
        if ctx.upgradable:
            socket = await ctx.upgrade()
            async for message in socket:
                await socket.send(message)
            return
        ctx.body = {"path": ctx.path}

    asgi_django, wsgi_django = django_apps()
    app: Ohia = Ohia(env="test")
    app.use(
        mark,
        asgi_middleware(CorrelationIdMiddleware),
        asgi_middleware(GZipMiddleware, minimum_size=100),
        at("/fastapi", asgi(fastapi_app(log))),
        at("/django", asgi(asgi_django)),
        at("/wsgi-django", wsgi(wsgi_django)),
        at("/flask", wsgi(flask_app())),
        rest,
    )
    return app


@asynccontextmanager
async def ohia_server(app: Ohia) -> AsyncIterator[int]:
    async with app.listen(0) as server:
        yield server.port or 0


@asynccontextmanager
async def uvicorn_server(app: Ohia) -> AsyncIterator[int]:
    config = uvicorn.Config(
        app, port=0, log_config=None, proxy_headers=False, ws="websockets-sansio", lifespan="on"
    )
    server = uvicorn.Server(config)
    with server.capture_signals():
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        loop = asyncio.create_task(server.main_loop())
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        await loop
        await server.shutdown()


async def ask(port: int, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send one request over a connection of its own, and read the answer to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    method, target, *fields = head.split("\n")
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    raw, _, rest = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *answer = raw.decode().split("\r\n")
    headers = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in answer}
    if headers.get("transfer-encoding") == "chunked":
        rest = unchunked(rest)
    return int(status.split(" ")[1]), headers, rest


def unchunked(rest: bytes) -> bytes:
    pieces = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        pieces.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return b"".join(pieces)


@pytest.mark.parametrize("server", [ohia_server, uvicorn_server], ids=["ohia", "uvicorn"])
async def test_all_of_them_answer_requests_streams_and_sockets(server: Any) -> None:
    log: list[str] = []
    async with server(whole_app(log)) as port:
        assert log == ["fastapi starts"]

        item = json.dumps({"name": "tea", "price": 2}).encode()
        kind = "Content-Type: application/json"
        status, headers, body = await ask(port, f"POST\n/fastapi/items/a%20b\n{kind}", item)
        assert (status, json.loads(body)) == (200, {"shop": "a b", "name": "tea"})
        assert (headers["x-chain"], headers["x-status"]) == ("ohia", "200")
        assert "x-request-id" in headers
        assert (await ask(port, f"POST\n/fastapi/items/a\n{kind}", b"{"))[0] == 422

        _, headers, body = await ask(port, "GET\n/fastapi/stream")
        assert body == b"x" * 500_000
        _, headers, body = await ask(port, "GET\n/fastapi/stream\nAccept-Encoding: gzip")
        assert headers["content-encoding"] == "gzip"
        assert len(body) < 500_000

        for prefix in ("/django", "/wsgi-django"):
            status, headers, body = await ask(port, f"POST\n{prefix}/hello/x%20y?q=1", b"body")
            assert (status, body) == (201, f"x y {prefix}/hello/x y body 1".encode())
            assert headers["set-cookie"] == "django=1; Path=/"
            assert (await ask(port, f"GET\n{prefix}/stream"))[2] == b"one two"

        assert (await ask(port, "POST\n/flask/echo", b"body"))[2] == b"/flask body"
        assert json.loads((await ask(port, "GET\n/other"))[2]) == {"path": "/other"}

        async with connect(f"ws://127.0.0.1:{port}/fastapi/echo") as socket:
            await socket.send("hi")
            assert await socket.recv() == "fastapi hi"
            assert socket.response is not None
            assert socket.response.headers["X-Chain"] == "ohia"
        async with connect(f"ws://127.0.0.1:{port}/other") as socket:
            await socket.send(b"bytes")
            assert await socket.recv() == b"bytes"
    assert log == ["fastapi starts", "fastapi stops"]


async def test_a_limit_of_the_server_is_answered_whatever_the_application_makes_of_it() -> None:
    api = FastAPI()

    @api.post("/")
    async def read(request: Request) -> int:
        return len(await request.body())

    app: Ohia = Ohia(env="test")
    app.use(asgi(api))
    async with app.listen(0, max_request_body=10) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
        await writer.wait_closed()
