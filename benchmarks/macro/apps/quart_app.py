"""Quart; its layers are before_request hooks, which have no way back."""

import json

from asked import BINARY, HELLO, LAYERS, MAX_BODY, WORKLOAD, document, pieces
from quart import Quart, Response, request, websocket

app = Quart(__name__, static_folder=None)
app.config["MAX_CONTENT_LENGTH"] = MAX_BODY


async def layer():
    pass


async def hello():
    return Response(HELLO, mimetype="text/plain")


async def document_as_json():
    return Response(json.dumps(document(), separators=(",", ":")), mimetype="application/json")


async def echo():
    return Response(await request.get_data(), mimetype=BINARY)


async def user(id):
    return Response(id, mimetype="text/plain")


async def stream():
    return Response(pieces(), mimetype=BINARY)


async def socket():
    while True:
        await websocket.send(await websocket.receive())


for _ in range(LAYERS):
    app.before_request(layer)

if WORKLOAD == "socket":
    app.websocket("/")(socket)
elif WORKLOAD == "echo":
    app.post("/")(echo)
elif WORKLOAD == "route":
    app.get("/users/<id>")(user)
else:
    app.get("/")({"json": document_as_json, "stream": stream}.get(WORKLOAD, hello))
