"""Ohia: on its own server by `python ohia_app.py`, on an ASGI server as `ohia_app:app`."""

from asked import HELLO, LAYERS, MAX_BODY, WORKERS, WORKLOAD, document, pieces

from ohia import Ohia
from ohia.middleware.router import Router

app = Ohia(json_spaces=0, max_body=MAX_BODY, keys=["a key"])
router = Router()


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


@router.get("/users/:id")
async def user(ctx):
    ctx.body = ctx.params["id"]


async def cookie(ctx):
    ctx.body = ctx.cookies.get("user")


async def stream(ctx):
    ctx.body = pieces()


async def socket(ctx):
    socket = await ctx.upgrade(compression=False)
    async for message in socket:
        await socket.send(message)


for _ in range(LAYERS):
    app.use(generator if WORKLOAD == "generators" else layer)
HANDLERS = {"json": json, "echo": echo, "route": router, "cookie": cookie}
app.use((HANDLERS | {"stream": stream, "socket": socket}).get(WORKLOAD, hello))


if __name__ == "__main__":
    app.run(access_log=False, workers=WORKERS)
