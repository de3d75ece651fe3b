"""The applications of the guard."""

from ohia import Ohia
from ohia.middleware.router import Router

PIECES = 16
PIECE = bytes(range(256)) * 40
VALUE = {
    "id": 1,
    "name": "ohia",
    "tags": ["a", "b", "c"],
    "price": 9.99,
    "nested": {"ok": True, "none": None},
}


async def hello(ctx):
    ctx.body = "Hello World"


async def layer(ctx, next):
    await next()


def generator_layer(ctx, next):
    yield next


async def json(ctx):
    ctx.body = VALUE


async def echo(ctx):
    ctx.body = await ctx.request.read()


async def stream(ctx):
    async def pieces():
        for _ in range(PIECES):
            yield PIECE

    ctx.body = pieces()


async def socket_echo(ctx):
    websocket = await ctx.upgrade()
    async for message in websocket:
        await websocket.send(message)


async def not_found(ctx):
    ctx.throw(404)


async def cookie(ctx):
    ctx.cookies.set("visit", "1", signed=True)
    ctx.body = "Hello World"


router = Router()


@router.get("/users/:id")
async def user(ctx):
    ctx.body = ctx.params["id"]


def make_app(*middleware):
    app = Ohia(env="production", keys=["a secret of the guard"], json_spaces=0)
    app.use(*middleware)
    return app
