"""The least with a task per request: httptools, uvloop, one coroutine, an answer made in it."""

import asyncio
import json

import httptools
import uvloop
from asked import BINARY, HELLO, LAYERS, PORT, WORKLOAD, document

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
encode = json.JSONEncoder(separators=(",", ":")).encode


async def hello(floor):
    floor.answer(b"text/plain; charset=utf-8", HELLO.encode())


async def document_as_json(floor):
    floor.answer(b"application/json", encode(document()).encode())


async def echo(floor):
    floor.answer(BINARY.encode(), floor.body)


def layered(inner):
    """Return `inner` below one layer: a closure that lets `next` be called once."""

    async def layer(floor):
        called = False

        def next():
            nonlocal called
            if called:
                raise RuntimeError("next() called multiple times")
            called = True
            return inner(floor)

        await next()

    return layer


handle = {"json": document_as_json, "echo": echo}.get(WORKLOAD, hello)
for _ in range(LAYERS):
    handle = layered(handle)


class Floor(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.loop = asyncio.get_running_loop()
        self.chunks = []

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_body(self, chunk):
        self.chunks.append(chunk)

    def on_message_complete(self):
        self.body = b"".join(self.chunks)
        self.chunks.clear()
        self.task = self.loop.create_task(handle(self))

    def answer(self, media_type, body):
        self.transport.write(HEAD % (media_type, len(body)) + body)


async def main():
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", PORT)
    await server.serve_forever()


uvloop.run(main())
