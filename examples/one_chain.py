"""One chain for requests and sockets: logger, session and router meet both.

With two chains each of them would have to be used twice. Here only the last two differ.
"""

from ohia import Ohia

app = Ohia()


@app.use
async def logger(ctx, next):
    print(">>", ctx.method, ctx.path)
    await next()
    print("<<", ctx.method, ctx.path, ctx.status)


@app.use
async def user(ctx, next):
    ctx.state.user = ctx.query.get("user", "nobody")
    ctx.set("X-User", ctx.state.user)
    await next()


@app.use
async def live(ctx, next):
    if ctx.upgradable:
        socket = await ctx.upgrade()
        await socket.send(f"Hello {ctx.state.user}, live")
    else:
        await next()


@app.use
async def page(ctx):
    ctx.body = f"Hello {ctx.state.user}"


if __name__ == "__main__":
    app.run()
