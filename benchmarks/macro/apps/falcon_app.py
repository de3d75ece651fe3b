"""Falcon; its layers are process_request hooks, which have no way back."""

import json
from contextlib import suppress
from functools import partial

from asked import BINARY, HELLO, LAYERS, WORKLOAD, document, pieces
from falcon import MEDIA_JSON, MEDIA_TEXT, WebSocketDisconnected, WebSocketPayloadType
from falcon.asgi import App
from falcon.media import BinaryBaseHandlerWS, JSONHandler, TextBaseHandlerWS


class Layer:
    async def process_request(self, req, resp):
        pass


class Hello:
    async def on_get(self, req, resp):
        resp.content_type = MEDIA_TEXT
        resp.text = HELLO


class Json:
    async def on_get(self, req, resp):
        resp.media = document()


class Echo:
    async def on_post(self, req, resp):
        resp.content_type = BINARY
        resp.data = await req.stream.read()


class User:
    async def on_get(self, req, resp, id):
        resp.content_type = MEDIA_TEXT
        resp.text = id


class Stream:
    async def on_get(self, req, resp):
        resp.content_type = BINARY
        resp.stream = pieces()


class Socket:
    async def on_websocket(self, req, ws):
        await ws.accept()
        with suppress(WebSocketDisconnected):
            while True:
                message = await ws.receive_media()
                if isinstance(message, str):
                    await ws.send_text(message)
                else:
                    await ws.send_data(message)


class Text(TextBaseHandlerWS):
    def deserialize(self, payload):
        return payload


class Bytes(BinaryBaseHandlerWS):
    def deserialize(self, payload):
        return payload


app = App(middleware=[Layer() for _ in range(LAYERS)])
app.resp_options.media_handlers[MEDIA_JSON] = JSONHandler(
    dumps=partial(json.dumps, separators=(",", ":"))
)
app.ws_options.media_handlers[WebSocketPayloadType.TEXT] = Text()
app.ws_options.media_handlers[WebSocketPayloadType.BINARY] = Bytes()
HANDLERS = {"json": Json, "echo": Echo, "route": User, "stream": Stream, "socket": Socket}
app.add_route("/users/{id}" if WORKLOAD == "route" else "/", HANDLERS.get(WORKLOAD, Hello)())
