"""The 101 that opens a socket carries the headers and cookies set so far, like any answer."""

from ohia import Ohia

app = Ohia(keys=["i like turtle"])


@app.use
async def count(ctx, next):
    ctx.state.visits = int(ctx.cookies.get("visits") or 0) + 1
    ctx.cookies.set("visits", ctx.state.visits)
    await next()


@app.use
async def tell(ctx):
    text = f"visit {ctx.state.visits}"
    if ctx.upgradable:
        socket = await ctx.upgrade()
        await socket.send(text)
    else:
        ctx.body = text


if __name__ == "__main__":
    app.run()
