"""Starlette; its layers are ASGI middleware, the fastest of its forms."""

from asked import BINARY, HELLO, LAYERS, WORKLOAD, document, pieces
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute


class Layer:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


async def hello(request):
    return PlainTextResponse(HELLO)


async def json(request):
    return JSONResponse(document())


async def echo(request):
    return Response(await request.body(), media_type=BINARY)


async def user(request):
    return PlainTextResponse(request.path_params["id"])


async def stream(request):
    return StreamingResponse(pieces(), media_type=BINARY)


async def socket(websocket):
    await websocket.accept()
    while (message := await websocket.receive())["type"] == "websocket.receive":
        if message.get("text") is None:
            await websocket.send_bytes(message["bytes"])
        else:
            await websocket.send_text(message["text"])


if WORKLOAD == "socket":
    route = WebSocketRoute("/", socket)
elif WORKLOAD == "echo":
    route = Route("/", echo, methods=["POST"])
elif WORKLOAD == "route":
    route = Route("/users/{id}", user)
else:
    route = Route("/", {"json": json, "stream": stream}.get(WORKLOAD, hello))

app = Starlette(routes=[route], middleware=[Middleware(Layer)] * LAYERS)
