"""FastAPI; its layers are ASGI middleware, the fastest of its forms."""

from asked import BINARY, HELLO, LAYERS, WORKLOAD, document, pieces
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

app = FastAPI(openapi_url=None)


class Layer:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


for _ in range(LAYERS):
    app.add_middleware(Layer)


async def hello():
    return PlainTextResponse(HELLO)


async def json() -> dict[str, object]:
    return document()


async def echo(request: Request):
    return Response(await request.body(), media_type=BINARY)


async def user(id: str):
    return PlainTextResponse(id)


async def stream():
    return StreamingResponse(pieces(), media_type=BINARY)


async def socket(websocket: WebSocket):
    await websocket.accept()
    while (message := await websocket.receive())["type"] == "websocket.receive":
        if message.get("text") is None:
            await websocket.send_bytes(message["bytes"])
        else:
            await websocket.send_text(message["text"])


if WORKLOAD == "socket":
    app.websocket("/")(socket)
elif WORKLOAD == "echo":
    app.post("/")(echo)
elif WORKLOAD == "route":
    app.get("/users/{id}")(user)
else:
    app.get("/")({"json": json, "stream": stream}.get(WORKLOAD, hello))
