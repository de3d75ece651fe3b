"""ASGI without a framework."""

import json

from asked import BINARY, HELLO, LAYERS, WORKLOAD, document, pieces

encode = json.JSONEncoder(separators=(",", ":")).encode


def layered(inner):
    async def layer(scope, receive, send):
        await inner(scope, receive, send)

    return layer


async def answer(send, media_type, body):
    headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    await answer(send, b"text/plain; charset=utf-8", HELLO.encode())


async def document_as_json(scope, receive, send):
    await answer(send, b"application/json", encode(document()).encode())


async def echo(scope, receive, send):
    chunks = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, BINARY.encode(), b"".join(chunks))


async def stream(scope, receive, send):
    headers = [(b"content-type", BINARY.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for piece in pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def socket(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
        else:
            await send({"type": "websocket.send", "text": text})


HANDLERS = {"json": document_as_json, "echo": echo, "stream": stream, "socket": socket}
app = HANDLERS.get(WORKLOAD, hello)
for _ in range(LAYERS):
    app = layered(app)
