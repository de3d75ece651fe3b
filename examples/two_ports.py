"""One application on two ports, in one process."""

import os

from ohia import Ohia, Server, run

app = Ohia()
PORT = int(os.environ.get("PORT", "3000"))


@app.use
async def hello(ctx):
    ctx.body = f"Hello from port {ctx.socket.local_port}"


if __name__ == "__main__":
    first = Server(app.callback()).listen(PORT)
    second = Server(app.callback()).listen(PORT and PORT + 1)  # 0 takes any free port
    run(first, second)
