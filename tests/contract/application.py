"""The application that every server serves: one handler a path, public names only.

What a handler notices after its response is over (a disconnect, a close code) it notes under
the `key` of its query, and `/noted?key=...` tells as soon as it is known.
"""

import asyncio
import hashlib
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from ohia import ClientDisconnect, Context, Next, Ohia, WebSocketClosed

Ctx = Context[Any]
Handler = Callable[[Ctx], Awaitable[None]]

PIECE = bytes(64 * 1024)

handlers: dict[str, Handler] = {}


class Notes:
    """What was noticed, by key; `await` it if it is not yet known."""

    def __init__(self) -> None:
        self._known: dict[str, asyncio.Future[Any]] = {}

    def _future(self, key: str) -> "asyncio.Future[Any]":
        if key not in self._known:
            self._known[key] = asyncio.get_running_loop().create_future()
        return self._known[key]

    def write(self, key: str, value: object) -> None:
        future = self._future(key)
        if not future.done():
            future.set_result(value)

    async def read(self, key: str) -> object:
        async with asyncio.timeout(10):
            return await asyncio.shield(self._future(key))


def handle(path: str) -> Callable[[Handler], Handler]:
    def add(handler: Handler) -> Handler:
        handlers[path] = handler
        return handler

    return add


def note(ctx: Ctx, value: object) -> None:
    ctx.state.notes.write(ctx.query["key"], value)


async def route(ctx: Ctx, next: Next) -> None:
    handler = handlers.get(ctx.path)
    if handler is None:
        await next()
    else:
        await handler(ctx)


def make_app() -> Ohia[Any]:
    """Return a new application; its notes belong to the loop that it will run in."""
    app: Ohia[Any] = Ohia(env="test", keys=["secret"])
    notes = Notes()
    errors: list[str] = []
    sent: Counter[str] = Counter()

    @app.lifespan
    async def lifespan(app: Ohia[Any]) -> AsyncIterator[dict[str, object]]:
        yield {"started": True}

    @app.on("error")
    def keep(error: BaseException, ctx: Ctx) -> None:
        errors.append(f"{ctx.path} {error}")

    @app.use
    async def prepare(ctx: Ctx, next: Next) -> None:
        ctx.state.notes = notes
        ctx.state.sent = sent
        ctx.state.errors = errors
        await next()

    app.use(echo_in_a_generator, route)
    return app


# What the tests ask for by themselves


@handle("/size")
async def size(ctx: Ctx) -> None:
    ctx.on_finished(lambda _, ctx: note(ctx, ctx.res.size))
    if "pieces" not in ctx.query:
        ctx.body = "whole"
        return
    async with ctx.stream() as out:
        for _ in range(3):
            await out.write("piece")


@handle("/noted")
async def noted(ctx: Ctx) -> None:
    ctx.body = {"value": await ctx.state.notes.read(ctx.query["key"])}


@handle("/note")
async def note_now(ctx: Ctx) -> None:
    note(ctx, "told")
    ctx.body = "noted"


@handle("/errors")
async def errors(ctx: Ctx) -> None:
    ctx.body = [each for each in ctx.state.errors if ctx.query["of"] in each]


@handle("/started")
async def started(ctx: Ctx) -> None:
    ctx.body = {"started": ctx.state.started}


# Requests and whole responses


@handle("/request")
async def request(ctx: Ctx) -> None:
    ctx.body = {
        "method": ctx.method,
        "url": ctx.url,
        "original_url": ctx.original_url,
        "path": ctx.path,
        "query": ctx.query.get("q"),
        "header": ctx.get("X-Header"),
        "host": ctx.host,
        "protocol": ctx.protocol,
        "ip": ctx.ip,
        "cookie": ctx.cookies.get("a", signed=False),
        "upgradable": ctx.upgradable,
        "scope": ctx.scope["type"],
    }


@handle("/a%20b/c%2Fd")
async def encoded(ctx: Ctx) -> None:
    ctx.body = ctx.path


@handle("/echo")
async def echo(ctx: Ctx) -> None:
    ctx.type = ctx.get("Content-Type") or "application/octet-stream"
    ctx.body = await ctx.request.read()


@handle("/upload")
async def upload(ctx: Ctx) -> None:
    digest = hashlib.sha256()
    size = 0
    async for piece in ctx.request.stream():
        digest.update(piece)
        size += len(piece)
    ctx.body = {"size": size, "digest": digest.hexdigest()}


@handle("/upload/unread")
async def upload_unread(ctx: Ctx) -> None:
    ctx.status = 413
    ctx.body = "too much"


@handle("/upload/cut")
async def upload_cut(ctx: Ctx) -> None:
    try:
        async for _ in ctx.request.stream():
            note(ctx, "begun") if "begun" in ctx.query else None
    except ClientDisconnect:
        note(ctx, "cut")
        raise


@handle("/cookies")
async def cookies(ctx: Ctx) -> None:
    ctx.cookies.set("a", "1", signed=False)
    ctx.cookies.set("b", "2", signed=True)
    ctx.set("X-Header", "é")
    ctx.body = "set"


@handle("/redirect")
async def redirect(ctx: Ctx) -> None:
    ctx.redirect("/elsewhere")


@handle("/empty")
async def empty(ctx: Ctx) -> None:
    ctx.status = 204


@handle("/not-modified")
async def not_modified(ctx: Ctx) -> None:
    ctx.set("ETag", '"a"')
    ctx.status = 304


@handle("/teapot")
async def teapot(ctx: Ctx) -> None:
    ctx.status = 418


@handle("/message")
async def message(ctx: Ctx) -> None:
    ctx.status = 200
    ctx.message = "All Fine"


@handle("/throws")
async def throws(ctx: Ctx) -> None:
    ctx.throw(409, "taken", headers={"X-Reason": "because"})


@handle("/fails")
async def fails(ctx: Ctx) -> None:
    raise RuntimeError("a fault")


@handle("/upgrade-required")
async def upgrade_required(ctx: Ctx) -> None:
    await ctx.upgrade()


# Streams


async def three_pieces() -> AsyncIterator[bytes]:
    for piece in (b"one ", b"two ", b"three"):
        yield piece


@handle("/stream")
async def stream(ctx: Ctx) -> None:
    ctx.body = three_pieces()


@handle("/stream/in-chain")
async def stream_in_chain(ctx: Ctx) -> None:
    async with ctx.stream() as out:
        async for piece in three_pieces():
            await out.write(piece)


@handle("/stream/length")
async def stream_with_length(ctx: Ctx) -> None:
    ctx.length = 13
    ctx.body = three_pieces()


@handle("/stream/fails-at-once")
async def stream_fails_at_once(ctx: Ctx) -> None:
    async def source() -> AsyncIterator[bytes]:
        raise RuntimeError("no first piece")
        yield b""

    ctx.body = source()


@handle("/stream/breaks")
async def stream_breaks(ctx: Ctx) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("no second piece")

    ctx.body = source()


@handle("/stream/held")
async def stream_held(ctx: Ctx) -> None:
    """Send the head at once, the body when the test has seen it."""
    ctx.type = "text/plain"
    await ctx.flush_headers()
    await ctx.state.notes.read(ctx.query["key"])
    ctx.body = "released"


@handle("/stream/endless")
async def stream_endless(ctx: Ctx) -> None:
    """Send without end and without ever waiting; count the pieces."""

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                yield PIECE
                ctx.state.sent[ctx.query["key"]] += 1
        finally:
            note(ctx, "closed")

    ctx.body = source()


@handle("/sent")
async def sent_so_far(ctx: Ctx) -> None:
    ctx.body = {"pieces": ctx.state.sent[ctx.query["key"]]}


@handle("/ws/endless")
async def ws_endless(ctx: Ctx) -> None:
    socket = await ctx.upgrade()
    while True:
        await socket.send(PIECE)
        ctx.state.sent[ctx.query["key"]] += 1


@handle("/stream/quiet")
async def stream_quiet(ctx: Ctx) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"first"
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            note(ctx, "cancelled")
            raise

    ctx.body = source()


@handle("/stream/big")
async def stream_big(ctx: Ctx) -> None:
    async def source() -> AsyncIterator[bytes]:
        for _ in range(int(ctx.query["pieces"])):
            yield PIECE

    ctx.body = source()


@handle("/waits")
async def waits(ctx: Ctx) -> None:
    ctx.state.notes.write(f"{ctx.query['key']}-begun", "begun")
    await ctx.disconnected.wait()
    note(ctx, "gone")


# Handshakes that end as ordinary responses


@handle("/ws/refused")
async def ws_refused(ctx: Ctx) -> None:
    ctx.status = 401
    ctx.set("WWW-Authenticate", "Bearer")
    ctx.cookies.set("a", "1", signed=False)
    ctx.cookies.set("b", "2", signed=False)
    ctx.body = {"error": "who are you?"}


@handle("/ws/refused-in-pieces")
async def ws_refused_in_pieces(ctx: Ctx) -> None:
    ctx.body = three_pieces()


@handle("/ws/throws")
async def ws_throws(ctx: Ctx) -> None:
    ctx.throw(403, "not you")


@handle("/ws/fails")
async def ws_fails(ctx: Ctx) -> None:
    raise RuntimeError("before the upgrade")


@handle("/ws/empty")
async def ws_empty(ctx: Ctx) -> None:
    ctx.status = 204


# Handshakes that are accepted


@handle("/ws/echo")
async def ws_echo(ctx: Ctx) -> None:
    socket = await ctx.upgrade()
    async for message in socket:
        await socket.send(message)


def echo_in_a_generator(ctx: Ctx, next: Next) -> Generator[Any, Any, None]:
    """The document's sample: a generator, and a send that nobody awaits."""
    if ctx.path != "/ws/generator":
        yield next
        return
    socket = yield ctx.upgrade()
    while True:
        try:
            message = yield socket.receive()
        except WebSocketClosed:
            return
        socket.send(message)


@handle("/ws/cookies")
async def ws_cookies(ctx: Ctx) -> None:
    ctx.cookies.set("a", "1", signed=False)
    ctx.cookies.set("b", "2", signed=False)
    ctx.set("X-Header", "yes")
    socket = await ctx.upgrade(subprotocols=["b", "a"])
    await socket.send(f"{socket.subprotocol} {ctx.status} {ctx.header_sent} {ctx.writable}")


@handle("/ws/request")
async def ws_request(ctx: Ctx) -> None:
    socket = await ctx.upgrade()
    seen = {
        "method": ctx.method,
        "url": ctx.url,
        "connection": "upgrade" in ctx.get("Connection").lower(),
        "upgrade": ctx.get("Upgrade").lower(),
        "protocol": ctx.protocol,
        "body": (await ctx.request.read()).decode(),
    }
    await socket.send_json(seen)


@handle("/ws/twice")
async def ws_twice(ctx: Ctx) -> None:
    first = await ctx.upgrade()
    second = await ctx.upgrade()
    await first.send(str(first is second))


@handle("/ws/writes-after")
async def ws_writes_after(ctx: Ctx) -> None:
    socket = await ctx.upgrade()
    ctx.body = "ignored"
    ctx.status = 500
    await socket.send(f"{ctx.status} {ctx.body}")


@handle("/ws/ends")
async def ws_ends(ctx: Ctx) -> None:
    await ctx.upgrade()


@handle("/ws/closes")
async def ws_closes(ctx: Ctx) -> None:
    socket = await ctx.upgrade()
    await socket.close(4001, "bye")
    note(ctx, [socket.close_code, socket.close_reason])


@handle("/ws/fails-after")
async def ws_fails_after(ctx: Ctx) -> None:
    await ctx.upgrade()
    raise RuntimeError("after the upgrade")


@handle("/ws/throws-after")
async def ws_throws_after(ctx: Ctx) -> None:
    await ctx.upgrade()
    ctx.throw(403, "not any more")


@handle("/ws/code")
async def ws_code(ctx: Ctx) -> None:
    socket = await ctx.upgrade()
    try:
        while True:
            await socket.receive()
    except WebSocketClosed as closed:
        note(ctx, [closed.code, closed.reason])


@handle("/ws/burst")
async def ws_burst(ctx: Ctx) -> None:
    """Send without waiting, then end: all of it still arrives, in order."""
    socket = await ctx.upgrade()
    for number in range(200):
        socket.send(str(number))


@handle("/ws/early")
async def ws_early(ctx: Ctx) -> None:
    """Receive only when told: what came before waits in the queue."""
    socket = await ctx.upgrade()
    await ctx.state.notes.read(ctx.query["key"])
    for _ in range(int(ctx.query["count"])):
        await socket.send(await socket.receive())


@handle("/ws/sends-on")
async def ws_sends_on(ctx: Ctx) -> None:
    """Send until the peer is gone, without ever receiving."""
    socket = await ctx.upgrade()
    try:
        while True:
            await socket.send("still here?")
            await asyncio.sleep(0.01)
    except WebSocketClosed:
        note(ctx, "closed")
        raise


@handle("/ws/ping")
async def ws_ping(ctx: Ctx) -> None:
    socket = await ctx.upgrade()
    seconds = await socket.ping()
    await socket.send("answered" if seconds >= 0 else "before it was asked")


@handle("/ws/small")
async def ws_small(ctx: Ctx) -> None:
    socket = await ctx.upgrade(max_message_size=1000)
    async for message in socket:
        await socket.send(str(len(message)))


@handle("/ws/respond-false")
async def ws_respond_false(ctx: Ctx) -> None:
    """Give the socket to a task of its own and end the chain."""
    socket = await ctx.upgrade()
    ctx.respond = False

    async def speak() -> None:
        await ctx.state.notes.read(ctx.query["key"])
        await socket.send("from outside the chain")
        await socket.close(4002)

    ctx.state.task = asyncio.create_task(speak())


app = make_app()

if __name__ == "__main__":
    app.run(int(sys.argv[1]), os.environ.get("HOST"))
