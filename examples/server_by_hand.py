"""`app.listen(...)` is sugar for a server made of `app.callback()`."""

from ohia import Ohia, Server

app = Ohia()


@app.use
async def hello(ctx):
    ctx.body = "Hello World"


if __name__ == "__main__":
    Server(app.callback()).listen().run()
