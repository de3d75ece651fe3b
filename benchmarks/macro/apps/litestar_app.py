"""Litestar; its layers are ASGI middleware, the fastest of its forms."""

from asked import BINARY, HELLO, LAYERS, MAX_BODY, WORKLOAD, document, pieces
from litestar import Litestar, MediaType, Request, WebSocket, get, post, websocket
from litestar.response import Stream


def layer(app):
    async def middleware(scope, receive, send):
        await app(scope, receive, send)

    return middleware


@get("/", media_type=MediaType.TEXT)
async def hello() -> str:
    return HELLO


@get("/")
async def json() -> dict[str, object]:
    return document()


@post("/", media_type=BINARY, status_code=200)
async def echo(request: Request) -> bytes:
    return await request.body()


@get("/users/{id:str}", media_type=MediaType.TEXT)
async def user(id: str) -> str:
    return id


@get("/", media_type=BINARY)
async def stream() -> Stream:
    return Stream(pieces())


@websocket("/")
async def socket(socket: WebSocket) -> None:
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("text") is None:
            await socket.send_bytes(message["bytes"])
        else:
            await socket.send_text(message["text"])


HANDLERS = {"json": json, "echo": echo, "route": user, "stream": stream, "socket": socket}
app = Litestar(
    [HANDLERS.get(WORKLOAD, hello)],
    middleware=[layer] * LAYERS,
    openapi_config=None,
    request_max_body_size=MAX_BODY,
)
