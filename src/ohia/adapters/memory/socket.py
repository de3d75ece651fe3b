"""WebSockets without a network: two ends that hand messages to each other.

A message goes straight into the other end's queue while there is room; else it waits with its
sender, behind what waits already. A Close frame keeps that order, but needs no room.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass

from ohia.errors import WebSocketClosed
from ohia.exchange import SocketOptions

__all__ = ["MemorySocket"]

MAX_REASON = 123  # bytes that a Close frame has for its reason (RFC 6455, 5.5)


@dataclass(slots=True)
class Frame:
    """One message on its way; `taken` is there if its sender waits."""

    data: str | bytes
    size: int
    taken: asyncio.Future[None] | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """A Close frame on its way."""

    code: int
    reason: str


class MemorySocket:
    """One end of a WebSocket, a `Socket`; `pair` makes both.

    Of the options, `max_message_size`, `max_queue` and `close_timeout` have an effect.
    """

    subprotocol: str | None
    close_code: int | None
    close_reason: str

    def __init__(self, options: SocketOptions, subprotocol: str | None) -> None:
        self._options = options
        self._peer = self
        self._inbox: deque[Frame] = deque()
        self._outbox: deque[Frame | Close] = deque()
        self._close_sent: Close | None = None
        self._is_receiving = False
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self.subprotocol = subprotocol
        self.close_code = None
        self.close_reason = ""

    @classmethod
    def pair(
        cls, options: SocketOptions, peer_options: SocketOptions, subprotocol: str | None
    ) -> "tuple[MemorySocket, MemorySocket]":
        """Return two ends of one connection, each with its own options."""
        here, there = cls(options, subprotocol), cls(peer_options, subprotocol)
        here._peer, there._peer = there, here
        return here, there

    @property
    def buffered(self) -> int:
        """Bytes that the other end has no room for yet."""
        return sum(frame.size for frame in self._outbox if isinstance(frame, Frame))

    def send(self, data: str | bytes) -> Awaitable[None] | None:
        """Hand over a message; return what to wait for if the other end has no room.

        Raises TypeError for what is neither str nor bytes, WebSocketClosed once it is closed.
        """
        self._check_open()
        frame = Frame(data, _size(data))
        self._outbox.append(frame)
        self.deliver()
        if not self._outbox:
            return None
        frame.taken = asyncio.get_running_loop().create_future()
        return frame.taken

    async def receive(self) -> str | bytes:
        """Return the next message; raise WebSocketClosed after the last one."""
        if self._is_receiving:
            raise RuntimeError("another task is receiving from this WebSocket already")
        self._is_receiving = True
        try:
            await self._wait_for_message()
        finally:
            self._is_receiving = False
        frame = self._inbox.popleft()
        self._peer.deliver()
        return frame.data

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what waits, then Close, and wait for the handshake. Again: only wait.

        Raises ValueError for a code or reason that no Close frame can have. The connection is
        lost if the other end makes no room within `close_timeout`.
        """
        if self._close_sent is None and self.close_code is None:
            self._close_sent = _checked_close(code, reason)
            self._outbox.append(self._close_sent)
            self.deliver()
        try:
            async with asyncio.timeout(self._options.close_timeout):
                await self._over.wait()
        except TimeoutError:
            self.lose()

    async def ping(self) -> float:
        """Return 0: the other end answers at once. Raises WebSocketClosed if it is closed."""
        self._check_open()
        return 0.0

    async def wait_closed(self) -> None:
        """Return when the connection is over."""
        await self._over.wait()

    def lose(self) -> None:
        """End the connection on both ends without a Close frame, with code 1006."""
        self._finish_both(1006, "")

    def deliver(self) -> None:
        """Hand what waits to the other end, as far as it has room. For the other end."""
        while self._outbox:
            frame = self._outbox[0]
            if isinstance(frame, Close):
                self._finish_both(frame.code, frame.reason)
            elif self._peer.accept(frame):
                self._outbox.popleft()
                _resolve(frame)
            else:
                return

    def accept(self, frame: Frame) -> bool:
        """Take `frame` into the queue, or say that it cannot. For the other end."""
        if len(self._inbox) >= self._options.max_queue:
            return False
        limit = self._options.max_message_size
        if limit is not None and frame.size > limit:
            self._finish_both(1009, f"a message of {frame.size} bytes, {limit} are allowed")
            return False
        self._inbox.append(frame)
        self._changed.set()
        return True

    def finish(self, code: int, reason: str) -> None:
        """Be closed with `code` and `reason`, unless it is already. For the other end."""
        if self.close_code is not None:
            return
        self.close_code = code
        self.close_reason = reason
        self._fail_outbox(WebSocketClosed(code, reason))
        self._changed.set()
        self._over.set()

    def _check_open(self) -> None:
        if self.close_code is not None:
            raise WebSocketClosed(self.close_code, self.close_reason)
        if self._close_sent is not None:
            raise WebSocketClosed(self._close_sent.code, self._close_sent.reason)

    async def _wait_for_message(self) -> None:
        while not self._inbox:
            if self.close_code is not None:
                raise WebSocketClosed(self.close_code, self.close_reason)
            self._changed.clear()
            await self._changed.wait()

    def _finish_both(self, code: int, reason: str) -> None:
        self.finish(code, reason)
        self._peer.finish(code, reason)

    def _fail_outbox(self, error: WebSocketClosed) -> None:
        for frame in self._outbox:
            if isinstance(frame, Frame) and frame.taken and not frame.taken.done():
                frame.taken.set_exception(error)
                frame.taken.exception()  # the sender need not look
        self._outbox.clear()


def _resolve(frame: Frame) -> None:
    if frame.taken is not None and not frame.taken.done():
        frame.taken.set_result(None)


def _size(data: str | bytes) -> int:
    if isinstance(data, str):
        return len(data.encode())
    if isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        return len(data)
    raise TypeError(f"a message is str or bytes, got {data!r}")


def _checked_close(code: int, reason: str) -> Close:
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ValueError(f"a Close frame cannot have the code {code} (RFC 6455, 7.4)")
    if len(reason.encode()) > MAX_REASON:
        raise ValueError(f"a reason has at most {MAX_REASON} bytes, got {reason!r}")
    return Close(code, reason)
