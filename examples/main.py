"""The idea of ohia in one application: `make run`, then http://127.0.0.1:3000 in a browser.

One chain serves the page and its WebSocket: the clock, the logger and the signed cookie stand
around both. Without the cookie the socket is refused, with a real 401.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from ohia import Ohia, WebSocketClosed, upgrade

PAGE = Path(__file__).with_name("main.html")
ANIMALS = ("ferret", "turtle", "otter", "heron", "marten", "newt", "lynx", "stoat")

app = Ohia(name="main", keys=[os.environ.get("SECRET") or secrets.token_hex()])
upgrade(app, max_message_size=4096)
people = {}  # the sockets that are open, and who is behind each


@app.use
async def response_time(ctx, next):
    """Tell how long the answer took; the 101 of a socket is an answer too."""
    start = perf_counter()

    def tell(ctx):
        ctx.set("X-Response-Time", f"{1000 * (perf_counter() - start):.1f}ms")

    ctx.before_send(tell)
    await next()


@app.use
async def logger(ctx, next):
    """Print a line when it is over: for a socket that is when it closed."""
    start = perf_counter()
    try:
        await next()
    finally:
        kind = "socket" if ctx.websocket else "request"
        print(f"{kind} {ctx.method} {ctx.url} {1000 * (perf_counter() - start):.1f}ms", flush=True)


@app.use
async def hello(ctx, next):
    if ctx.path == "/hello":
        ctx.body = "Hello World"
    else:
        await next()


@app.use
async def page(ctx, next):
    """Count the visits and give the visitor a name, both in cookies that nobody can forge."""
    if ctx.path != "/":
        await next()
        return
    visits = int(ctx.cookies.get("visits") or 0) + 1
    name = ctx.cookies.get("name") or f"{secrets.choice(ANIMALS)} {secrets.randbelow(90) + 10}"
    ctx.cookies.set("visits", visits, same_site="lax")
    ctx.cookies.set("name", name, same_site="lax")
    ctx.type = "html"
    ctx.body = PAGE.read_text("utf-8").replace("{name}", name).replace("{visits}", str(visits))


@app.use
async def chat(ctx, next):
    """Pass on what each socket says to all of them."""
    if ctx.path != "/chat":
        await next()
        return
    name = ctx.cookies.get("name")
    ctx.assert_(name, 401, "Open the page first: it gives you a name")  # noqa: PT009 - no unittest
    socket = await ctx.upgrade()
    people[socket] = name
    tell_all({"text": f"{name} came"})
    try:
        async for message in socket:
            if isinstance(message, str) and message.strip():
                tell_all({"from": name, "text": message.strip()[:500]})
    finally:
        del people[socket]
        tell_all({"text": f"{name} went"})


def tell_all(message):
    for socket in list(people):
        with suppress(WebSocketClosed):  # its own chain takes it off the list
            socket.send_json({**message, "present": len(people)})


if __name__ == "__main__":
    app.run(access_log=False)  # the logger above tells more
