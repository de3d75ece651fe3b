"""BlackSheep."""

from contextlib import suppress

from asked import BINARY, HELLO, LAYERS, WORKLOAD, document, pieces
from blacksheep import (
    Application,
    Content,
    Request,
    Response,
    StreamedContent,
    WebSocket,
    WebSocketDisconnectError,
    json,
    text,
)

app = Application()


async def layer(request, handler):
    return await handler(request)


async def hello():
    return text(HELLO)


async def document_as_json():
    return json(document())


async def echo(request: Request):
    return Response(200, content=Content(BINARY.encode(), await request.read()))


async def user(id: str):
    return text(id)


async def stream():
    return Response(200, content=StreamedContent(BINARY.encode(), pieces))


async def socket(websocket: WebSocket):
    await websocket.accept()
    with suppress(WebSocketDisconnectError):
        while message := await websocket.receive():
            if message.get("text") is None:
                await websocket.send_bytes(message["bytes"])
            else:
                await websocket.send_text(message["text"])


for _ in range(LAYERS):
    app.middlewares.append(layer)

if WORKLOAD == "socket":
    app.router.ws("/")(socket)
elif WORKLOAD == "echo":
    app.router.post("/")(echo)
elif WORKLOAD == "route":
    app.router.get("/users/:id")(user)
else:
    app.router.get("/")({"json": document_as_json, "stream": stream}.get(WORKLOAD, hello))
