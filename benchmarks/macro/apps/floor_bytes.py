"""The least: httptools and uvloop, no task, an answer made beforehand."""

import asyncio
import json

import httptools
import uvloop
from asked import HELLO, PORT, WORKLOAD, document


def whole(media_type, body):
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        media_type,
        len(body),
        body,
    )


if WORKLOAD == "json":
    ANSWER = whole(b"application/json", json.dumps(document(), separators=(",", ":")).encode())
else:
    ANSWER = whole(b"text/plain; charset=utf-8", HELLO.encode())


class Floor(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_message_complete(self):
        self.transport.write(ANSWER)


async def main():
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", PORT)
    await server.serve_forever()


uvloop.run(main())
