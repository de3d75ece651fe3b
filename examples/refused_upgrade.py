"""Who may not open the socket gets an ordinary answer: 401, and why."""

from ohia import Ohia

app = Ohia()


@app.use
async def authorized(ctx, next):
    if ctx.get("Authorization") != "Bearer turtle":
        ctx.throw(401, "Who are you?", headers={"WWW-Authenticate": "Bearer"})
    await next()


@app.use
async def secret(ctx):
    socket = await ctx.upgrade()
    await socket.send("the ferret is in the box")


if __name__ == "__main__":
    app.run()
