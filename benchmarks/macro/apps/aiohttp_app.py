"""aiohttp on its own server, in uvloop."""

import json
from functools import partial

import uvloop
from aiohttp import WSMsgType, web
from asked import BINARY, HELLO, LAYERS, MAX_BODY, PORT, WORKLOAD, document, pieces

dumps = partial(json.dumps, separators=(",", ":"))


@web.middleware
async def layer(request, handler):
    return await handler(request)


async def hello(request):
    return web.Response(text=HELLO)


async def document_as_json(request):
    return web.json_response(document(), dumps=dumps)


async def echo(request):
    return web.Response(body=await request.read(), content_type=BINARY)


async def user(request):
    return web.Response(text=request.match_info["id"])


async def stream(request):
    response = web.StreamResponse()
    response.content_type = BINARY
    await response.prepare(request)
    async for piece in pieces():
        await response.write(piece)
    return response


async def socket(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


app = web.Application(middlewares=[layer] * LAYERS, client_max_size=MAX_BODY)
HANDLERS = {"json": document_as_json, "echo": echo, "route": user, "stream": stream}
HANDLERS["socket"] = socket
path = "/users/{id}" if WORKLOAD == "route" else "/"
app.router.add_route("*", path, HANDLERS.get(WORKLOAD, hello))

web.run_app(
    app, host="127.0.0.1", port=PORT, access_log=None, print=None, loop=uvloop.new_event_loop()
)
