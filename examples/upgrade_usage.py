"""A WebSocket is a request that some middleware chose to upgrade.

The socket closes by itself at the end of the chain. `send` need not be awaited: the message goes
out before the close.
"""

from ohia import Ohia, upgrade

app = Ohia()
upgrade(app)


@app.use
def hello(ctx):
    if ctx.get("Connection") == "Upgrade":
        connection = yield ctx.upgrade()
        connection.send("Hello World!")
    else:
        ctx.status = 400
        ctx.body = "A upgrade request was expected"


if __name__ == "__main__":
    app.run()
