"""A mixed load on a server of its own, and what it leaves: `python benchmarks/soak.py`.

Plain requests, uploads cut in the middle, sockets that echo and vanish, event streams left open
and cut, readers that stop reading. Memory, objects, tasks and descriptors of the server are told
at the start, after the warm-up, under load and at the end; the last should be as the second.
"""

# ruff: noqa: ASYNC240, S311, T201 - files of /proc, chance for a load, and a table for whoever asked

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import random
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

from websockets.asyncio.client import connect

from ohia import Ohia

WARM_UP = 1 / 3  # of the time
HOST = "127.0.0.1"


# The server.


def make_app():
    app = Ohia()
    served = {}

    @app.use
    async def answer(ctx, next):
        await HANDLERS.get(ctx.path, hello)(ctx, served["server"])

    return app, served


async def hello(ctx, server):
    ctx.body = {"hello": "world"}


async def upload(ctx, server):
    ctx.body = str(len(await ctx.request.read()))


async def echo(ctx, server):
    websocket = await ctx.upgrade()
    async for message in websocket:
        await websocket.send(message)


async def events(ctx, server):
    async def pieces():
        for number in itertools.count():
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.05)

    ctx.type = "text/event-stream"
    ctx.body = pieces()


async def endless(ctx, server):
    async def pieces():
        while True:
            yield bytes(65536)

    ctx.body = pieces()


async def facts(ctx, server):
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    ctx.body = {
        "memory": pages * resource.getpagesize(),
        "objects": len(gc.get_objects()),
        "tasks": len(asyncio.all_tasks()),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "connections": server.connections,
    }


HANDLERS = {
    "/upload": upload,
    "/socket": echo,
    "/events": events,
    "/endless": endless,
    "/facts": facts,
}


def serve():
    app, served = make_app()
    server = served["server"] = app.listen(0, HOST)
    print(server.port, flush=True)
    server.run()


# The clients: each does one thing again and again, and counts.


@contextlib.asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(port, target):
    async with connected(port) as (reader, writer):
        writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head)
    return json.loads(body)


async def plain(port, done):
    async with connected(port) as (reader, writer):
        for _ in range(200):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"}")
            done["plain"] += 1


async def upload_whole(port, done):
    async with connected(port) as (reader, writer):
        writer.write(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        writer.write(bytes(100_000))
        await reader.readuntil(b"\r\n\r\n100000")
        done["upload"] += 1


async def upload_half(port, done):
    async with connected(port) as (_, writer):
        writer.write(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        writer.write(bytes(50_000))
        await asyncio.sleep(0.02 * random.random())
        done["cut upload"] += 1


async def socket(port, done):
    async with connect(f"ws://{HOST}:{port}/socket", proxy=None) as websocket:
        for _ in range(20):
            await websocket.send("x" * 1000)
            await websocket.recv()
        if random.random() < 0.5:
            websocket.transport.abort()
        done["socket"] += 1


async def events_reader(port, done):
    await leave_open(port, "/events", 1)
    done["event stream"] += 1


async def slow_reader(port, done):
    await leave_open(port, "/endless", 5)
    done["slow reader"] += 1


async def leave_open(port, target, seconds):
    async with connected(port) as (reader, writer):
        writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(random.random() * seconds)


CLIENTS = {
    plain: 8,
    upload_whole: 2,
    upload_half: 2,
    socket: 4,
    events_reader: 4,
    slow_reader: 4,
}


async def repeat(client, port, done):
    while True:
        await client(port, done)


# The measuring.


async def measure(port, name):
    known = await ask(port, "/facts")
    print(
        f"{name:<16}{known['memory'] / 1e6:>8.1f} MB{known['objects']:>9} objects"
        f"{known['tasks']:>6} tasks"
        f"{known['descriptors']:>7} descriptors{known['connections']:>7} connections",
        flush=True,
    )
    return known


async def soak(port, seconds):
    await ask(port, "/")
    first = await measure(port, "start")
    done = Counter()
    await load(port, seconds * WARM_UP, done)
    warm = await measure(port, "after warm-up")
    done.clear()
    await load(port, seconds * (1 - WARM_UP), done)
    last = await measure(port, "end")
    print(", ".join(f"{count} x {kind}" for kind, count in done.most_common()))
    slope = (last["memory"] - warm["memory"]) / done.total() * 100_000
    print(f"memory since the warm-up: {slope / 1e6:+.2f} MB per 100,000 requests")
    return all(last[each] <= first[each] for each in ("tasks", "descriptors", "connections"))


async def load(port, seconds, done):
    """Run all clients for `seconds`; return when the server has noticed that they went."""
    clients = [
        asyncio.create_task(repeat(client, port, done))
        for client, count in CLIENTS.items()
        for _ in range(count)
    ]
    await asyncio.wait(clients, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    await measure(port, "under load")
    for each in clients:
        each.cancel()
    for each in await asyncio.gather(*clients, return_exceptions=True):
        if not isinstance(each, asyncio.CancelledError):
            raise each
    for _ in range(100):
        if (await ask(port, "/facts"))["connections"] == 1:
            return
        await asyncio.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--serve", action="store_true", help="be the server")
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(  # noqa: S603 - this file
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            is_clean = asyncio.run(soak(int(server.stdout.readline()), options.seconds))
        finally:
            server.terminate()
    if not is_clean:
        sys.exit("something was left behind")


if __name__ == "__main__":
    main()
