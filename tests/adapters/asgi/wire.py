"""A server's side of one ASGI connection: what it will send, and what it was given."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from ohia.exchange import Exchange

Message = Mapping[str, Any]


@dataclass
class Wire:
    """`receive` gives what was fed, then waits; `send` keeps what it gets.

    Once `is_blocked`, `send` waits for `let_through`; `failure` is raised instead of sending.
    """

    sent: list[dict[str, Any]] = field(default_factory=list)
    received: int = 0
    failure: BaseException | None = None
    waiting: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue)
    is_blocked: bool = False
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    let_through: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, *messages: Message) -> "Wire":
        for each in messages:
            self.waiting.put_nowait(each)
        return self

    async def receive(self) -> Message:
        message = await self.waiting.get()
        self.received += 1
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if self.is_blocked:
            await self.let_through.wait()
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)
        self.arrival.set()

    async def until_sent(self, count: int) -> None:
        while len(self.sent) < count:
            self.arrival.clear()
            await self.arrival.wait()

    @property
    def types(self) -> list[str]:
        return [each["type"] for each in self.sent]


@dataclass
class Handler:
    """What `serve` serves: a function of the exchange, and a record of the lifespan."""

    answer: Callable[[Exchange], Coroutine[Any, Any, None]]
    startup_error: BaseException | None = None
    shutdown_error: BaseException | None = None
    calls: list[str] = field(default_factory=list)
    draining: bool = False

    async def handle(self, exchange: Exchange) -> None:
        await self.answer(exchange)
        exchange.close()

    async def startup(self) -> None:
        self.calls.append("startup")
        if self.startup_error is not None:
            raise self.startup_error

    async def shutdown(self) -> None:
        self.calls.append("shutdown")
        if self.shutdown_error is not None:
            raise self.shutdown_error


def http_scope(**changes: Any) -> dict[str, Any]:
    """Return the scope that uvicorn makes of `GET /a`."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/a",
        "raw_path": b"/a",
        "query_string": b"",
        "headers": [(b"host", b"example.org")],
        "state": {},
    } | changes


def websocket_scope(**changes: Any) -> dict[str, Any]:
    """Return the scope that uvicorn makes of a WebSocket handshake."""
    scope = http_scope(
        type="websocket",
        scheme="ws",
        headers=[
            (b"host", b"example.org"),
            (b"upgrade", b"websocket"),
            (b"connection", b"keep-alive, Upgrade"),
            (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            (b"sec-websocket-version", b"13"),
        ],
        subprotocols=[],
        extensions={"websocket.http.response": {}},
    )
    del scope["method"]
    return scope | changes


def body(piece: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.request", "body": piece, "more_body": more}


GONE: Message = {"type": "http.disconnect"}
CONNECT: Message = {"type": "websocket.connect"}


def text(data: str) -> Message:
    return {"type": "websocket.receive", "text": data}


def left(code: int | None = 1000, reason: str = "") -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}
