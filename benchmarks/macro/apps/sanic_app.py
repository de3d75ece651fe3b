"""Sanic on its own server; its layers are request middleware, which has no way back."""

from asked import BINARY, HELLO, LAYERS, MAX_BODY, PORT, WORKLOAD, document, pieces
from sanic import Sanic
from sanic.response import json, raw, text

app = Sanic("benchmark", configure_logging=False)
app.config.REQUEST_MAX_SIZE = MAX_BODY
app.config.ACCESS_LOG = False


async def layer(request):
    pass


async def hello(request):
    return text(HELLO)


async def document_as_json(request):
    return json(document())


async def echo(request):
    return raw(request.body)


async def user(request, id):
    return text(id)


async def stream(request):
    response = await request.respond(content_type=BINARY)
    async for piece in pieces():
        await response.send(piece)
    await response.eof()


async def socket(request, ws):
    async for message in ws:
        await ws.send(message)


for _ in range(LAYERS):
    app.register_middleware(layer, "request")

if WORKLOAD == "socket":
    app.add_websocket_route(socket, "/")
elif WORKLOAD == "echo":
    app.add_route(echo, "/", methods=["POST"])
elif WORKLOAD == "route":
    app.add_route(user, "/users/<id>")
else:
    app.add_route({"json": document_as_json, "stream": stream}.get(WORKLOAD, hello), "/")


if __name__ == "__main__":
    app.run("127.0.0.1", PORT, single_process=True, access_log=False, motd=False)
