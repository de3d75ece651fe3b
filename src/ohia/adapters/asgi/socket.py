"""An upgraded exchange over ASGI.

Sending is decoupled by an outbox and a task that empties it, because an ASGI `send` is a
coroutine and whoever calls `socket.send` may drop the awaitable. Receiving reads ahead up to
`max_queue` messages, because that is how a socket that only sends hears of the peer's going.
Compression and pings are the server's own settings.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Generator
from contextlib import suppress
from typing import Any

from ohia.adapters.asgi.incoming import LOST, Incoming
from ohia.errors import WebSocketClosed
from ohia.exchange import SocketOptions
from ohia.types import Send

__all__ = ["AsgiSocket"]

NO_STATUS = 1005  # RFC 6455, 7.4.1: a Close frame without a code
ABNORMAL = 1006  # no Close frame at all
TOO_BIG = 1009

ENOUGH = 64 * 1024  # bytes that may wait for the server before the sender has to, as in asyncio
SHORTLY = 1.0  # seconds for the server to report what it knows: a disconnect is on its way


class AsgiSocket:
    """Messages in both directions over `websocket.send` and `websocket.receive`.

    Close codes are what the server reports: hypercorn says 1006 for every close of the peer,
    granian leaves reasons out, uvicorn and granian say 1005 for a lost connection.
    """

    def __init__(
        self, incoming: Incoming, send: Send, subprotocol: str | None, options: SocketOptions
    ) -> None:
        self.subprotocol = subprotocol
        self.buffered: int = 0
        self._incoming = incoming
        self._send = send
        self._options = options
        self._end: tuple[int, str] | None = None
        self._is_closing = False  # close() was called
        self._has_sent_close = False  # the server has begun to send it
        self._outbox: deque[tuple[dict[str, object], int]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._work: asyncio.Future[None] | None = None  # the writer waits for it
        self._handed_over = 0
        self._taken = 0
        self._progress: set[asyncio.Future[None]] = set()
        incoming.watch(options.max_queue)
        incoming.over.add_callback(self._hear)

    @property
    def close_code(self) -> int | None:
        """None while open; the peer's code if it closed first, else ours."""
        return None if self._end is None else self._end[0]

    @property
    def close_reason(self) -> str:
        """The reason that came with `close_code`."""
        return "" if self._end is None else self._end[1]

    def send(self, data: str | bytes) -> "Taken | None":
        """Put one message into the outbox; when it is full, return what waits for the server."""
        if self._is_closing or self._end is not None:
            raise self._closed()
        if isinstance(data, str):
            size = len(data) if data.isascii() else len(data.encode())
            self._hand_over({"type": "websocket.send", "text": data}, size)
        else:
            self._hand_over({"type": "websocket.send", "bytes": data}, len(data))
        return Taken(self, self._handed_over) if self.buffered > ENOUGH else None

    async def receive(self) -> str | bytes:
        """Return the next message; raise WebSocketClosed after the last one.

        A message above `max_message_size` closes with 1009. The server has a limit of its own.
        """
        message = await self._incoming.next()
        if message["type"] != "websocket.receive":
            raise self._closed()
        text: str | None = message.get("text")
        data: str | bytes = (message.get("bytes") or b"") if text is None else text
        if _is_longer(data, self._options.max_message_size):
            await self.close(TOO_BIG, "message too big")
            raise self._closed()
        return data

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits in the outbox, then Close; wait shortly for the server's report."""
        if self._is_closing or self._end is not None:
            await self._incoming.over.wait()
            return
        self._is_closing = True
        self._hand_over({"type": "websocket.close", "code": code, "reason": reason}, 0)
        try:
            await _wait_for(self.wait_taken(self._handed_over), self._options.close_timeout)
            if self._taken == self._handed_over:
                self._finish(code, reason)
                self._incoming.watch()
                await _wait_for(self._incoming.over.wait(), SHORTLY)
        finally:
            self.lose()

    async def ping(self) -> float:
        """Refuse: ASGI has no message for it; the server pings by its own settings."""
        raise RuntimeError("ASGI has no ping: the server's own settings keep sockets alive")

    async def wait_closed(self) -> None:
        """Return when the peer or we have closed."""
        await self._incoming.over.wait()

    async def drain(self) -> None:
        """Return when all that was handed over is sent, or cannot be within `close_timeout`."""
        await _wait_for(self.wait_taken(self._handed_over), self._options.close_timeout)

    def lose(self) -> None:
        """Stop all that still runs; without a Close so far the code is 1006."""
        self._finish(ABNORMAL, "")
        self._incoming.end(LOST)
        if self._writer is not None:
            self._writer.cancel()

    async def wait_taken(self, number: int) -> None:
        """Return when the server took `number` messages; raise WebSocketClosed if it cannot."""
        while self._taken < number and self._end is None:
            progress = asyncio.get_running_loop().create_future()
            self._progress.add(progress)
            try:
                await progress
            finally:
                self._progress.discard(progress)
        if self._taken < number:
            raise self._closed()

    def _hand_over(self, message: dict[str, object], size: int) -> None:
        self._outbox.append((message, size))
        self._handed_over += 1
        self.buffered += size
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())
        elif self._work is not None and not self._work.done():
            self._work.set_result(None)

    async def _write(self) -> None:
        """Send what is put into the outbox, until the end."""
        try:
            while self._end is None:
                while not self._outbox:
                    self._work = asyncio.get_running_loop().create_future()
                    await self._work
                message, size = self._outbox.popleft()
                if message["type"] == "websocket.close":
                    self._has_sent_close = True
                    await self._incoming.expect_end()
                try:
                    await self._send(message)
                except Exception:  # noqa: BLE001 - servers differ in how they tell that it is over
                    await _wait_for(self._incoming.over.wait(), SHORTLY)  # it may know the code
                    self.lose()
                    return
                self._taken += 1
                self.buffered -= size
                self._wake()
        except asyncio.CancelledError:
            self._finish(ABNORMAL, "")
            raise

    def _hear(self) -> None:
        """Note how it ended, once no more messages come."""
        last = self._incoming.last or LOST
        if self._has_sent_close:
            return  # some servers put a code of their own here
        if last["type"] == "websocket.disconnect":
            code: int | None = last.get("code")
            self._finish(NO_STATUS if code is None else code, last.get("reason") or "")
        else:
            self._finish(ABNORMAL, "")

    def _finish(self, code: int, reason: str) -> None:
        if self._end is None:
            self._end = (code, reason)
            self._outbox.clear()
            self.buffered = 0
            if self._writer is not None and not self._has_sent_close:
                self._writer.cancel()
            self._wake()

    def _wake(self) -> None:
        for progress in self._progress:
            if not progress.done():
                progress.set_result(None)

    def _closed(self) -> WebSocketClosed:
        return WebSocketClosed(*(self._end or (ABNORMAL, "")))


class Taken:
    """Done when the server has taken a message; nothing is lost when nobody waits for it."""

    __slots__ = ("_number", "_socket")

    def __init__(self, socket: AsgiSocket, number: int) -> None:
        self._socket = socket
        self._number = number

    def __await__(self) -> Generator[Any, None, None]:
        return self._socket.wait_taken(self._number).__await__()


async def _wait_for(awaitable: Awaitable[None], seconds: float | None) -> None:
    """Await, but not for longer than `seconds`, nor beyond the socket's end."""
    with suppress(TimeoutError, WebSocketClosed):
        async with asyncio.timeout(seconds):
            await awaitable


def _is_longer(data: str | bytes, limit: int | None) -> bool:
    """Say whether `data` has more than `limit` bytes, as UTF-8 where it is text."""
    if limit is None or len(data) * 4 <= limit:
        return False
    return len(data.encode() if isinstance(data, str) else data) > limit
