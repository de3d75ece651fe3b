"""A WebSocket that says back what it hears, until the peer closes."""

from ohia import Ohia

app = Ohia()


@app.use
async def echo(ctx, next):
    if ctx.upgradable:
        socket = await ctx.upgrade()
        async for message in socket:  # str or bytes
            await socket.send(message)
    else:
        await next()


@app.use
async def page(ctx):
    ctx.body = "Open a WebSocket here"


if __name__ == "__main__":
    app.run()
