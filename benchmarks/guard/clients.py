"""Clients in memory: the bytes of a request into the real server's connection, its answer back.

They wait for the end of the answer that they expect. Nothing that stands here is counted.
"""

import asyncio

import ohia.server.websocket  # noqa: F401 - else the first socket would, in a thread
from ohia.server.connection import Connection
from ohia.server.limits import Limits
from ohia.server.service import Service

MOST_TURNS = 1000  # of the loop, in which an answer comes or never will
NEVER = b"an end that never comes"
PAUSE = 3  # turns between an answer and the next request: on a network there are many
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "server": ("127.0.0.1", 3000),
    "client": ("127.0.0.1", 50000),
    "scheme": "http",
    "method": "GET",
    "root_path": "",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"host", b"localhost:3000"), (b"user-agent", b"guard"), (b"accept", b"*/*")],
}


class Turn:
    """One turn of the loop: `asyncio.sleep(0)`, whose own code would be counted."""

    def __await__(self):
        yield


turn = Turn()


class Wire(asyncio.Transport):
    """A transport that looks at what is written, and keeps none of it, as if it were sent."""

    def __init__(self):
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 3000)})

    def set_protocol(self, protocol):
        self.protocol = protocol

    def expect(self, start, end):
        self.start, self.end = start, end
        self.began = self.is_over = False

    def write(self, data):
        if not self.began:
            self.began = True
            if bytes(data[: len(self.start)]) != self.start:
                self.end = NEVER
        self.is_over = bytes(data[-len(self.end) :]) == self.end

    def is_closing(self):
        return False

    def get_write_buffer_size(self):
        return 0

    def abort(self):
        self.end = NEVER

    async def answered(self):
        """Wait for the end of the answer, and a little longer."""
        for _ in range(MOST_TURNS):
            if self.is_over:
                break
            await turn
        else:
            raise RuntimeError(f"no answer that begins with {self.start}")
        for _ in range(PAUSE):
            await turn


class HttpClient:
    """One connection that is kept."""

    def __init__(self, app):
        service = Service(app, Limits(), asyncio.get_running_loop())
        service.stop()  # its ticks would be counted with whatever runs just then
        self.wire = Wire()
        self.wire.set_protocol(Connection(service))
        self.wire.protocol.connection_made(self.wire)

    async def open(self):
        pass

    async def ask(self, packets, start, end):
        """Send a request as `packets`, one in each turn; return after its answer."""
        self.wire.expect(start, end)
        for packet in packets:
            self.wire.protocol.data_received(packet)
            await turn
        await self.wire.answered()

    async def close(self):
        self.wire.protocol.connection_lost(None)
        await self.wire.answered()


class SocketClient(HttpClient):
    """A WebSocket on such a connection: it sends messages."""

    async def open(self):
        await self.ask([HANDSHAKE], b"HTTP/1.1 101 Switching Protocols\r\n", b"\r\n\r\n")


class AsgiClient:
    """An ASGI server that does nothing beside; `packets` are those of a body."""

    def __init__(self, app):
        self.app = app
        self.wire = Wire()

    async def open(self):
        pass

    async def receive(self):
        return {"type": "http.request", "body": b"".join(self.packets), "more_body": False}

    async def send(self, message):
        status = message.get("status")
        self.wire.write(b"%d" % status if status else message["body"])

    async def ask(self, packets, start, end):
        self.packets = packets
        self.wire.expect(start, end)
        await self.app(dict(SCOPE), self.receive, self.send)
        await self.wire.answered()

    async def close(self):
        pass
