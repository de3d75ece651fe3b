"""Ohia: on its own server by `python ohia_app.py`, on an ASGI server as `ohia_app:app`."""

from asked import HELLO, LAYERS, MAX_BODY, WORKERS, WORKLOAD, document, pieces

from ohia import Ohia

app = Ohia(json_spaces=0, max_body=MAX_BODY)


async def layer(ctx, next):
    await next()


def generator(ctx, next):
    yield next


async def hello(ctx):
    ctx.body = HELLO


async def json(ctx):
    ctx.body = document()


async def echo(ctx):
    ctx.body = await ctx.request.read()


async def stream(ctx):
    ctx.body = pieces()


async def socket(ctx):
    socket = await ctx.upgrade(compression=False)
    async for message in socket:
        await socket.send(message)


for _ in range(LAYERS):
    app.use(generator if WORKLOAD == "generators" else layer)
app.use({"json": json, "echo": echo, "stream": stream, "socket": socket}.get(WORKLOAD, hello))


if __name__ == "__main__":
    app.run(access_log=False, workers=WORKERS)
