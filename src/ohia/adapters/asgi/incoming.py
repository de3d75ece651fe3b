"""The one reader of a request's `receive`.

It feeds the body or the socket, and it tells of the client's going.
Nothing is read before somebody asks. From `watch` on a task reads ahead, which is the only way
to hear of a disconnect: most servers swallow what is sent to a client that has gone.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from ohia.exchange import Disconnect
from ohia.types import Receive

__all__ = ["LOST", "Incoming", "Message"]

Message = Mapping[str, Any]  # what stands in it depends on its type

LOST: Message = {"type": "lost"}  # the server cannot be read any more, and does not say why
ENDS = frozenset({"http.disconnect", "websocket.disconnect", LOST["type"]})


class Incoming:
    """Messages of one request in order, the last of them again and again.

    `disconnected` is the client's going, `over` the end of the messages for any reason.
    """

    __slots__ = (
        *("_ahead", "_expects_end", "_is_reading", "_over", "_receive", "_task", "_waiters"),
        *("_waiting", "disconnected", "is_gone", "last"),
    )

    def __init__(self, receive: Receive) -> None:
        self.disconnected: Disconnect = Disconnect()
        self.is_gone: bool = False  # before `disconnected` tells it, where sending found out
        self.last: Message | None = None
        self._receive = receive
        self._waiting: deque[Message] = deque()
        self._ahead = 0
        self._is_reading = False
        self._expects_end = False
        self._task: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._over: Disconnect | None = None

    @property
    def over(self) -> Disconnect:
        """The end of the messages."""
        if self._over is None:
            self._over = Disconnect()
            if self.last is not None:
                self._over.set()
        return self._over

    async def next(self) -> Message:
        """Return the next message; after the last one, the last one again."""
        while not self._waiting:
            if self.last is not None:
                return self.last
            if self._task is None and not self._expects_end:
                return await self._read()
            await self._until_change()
        self._tell_change()
        return self._waiting.popleft()

    def watch(self, ahead: int = 1) -> None:
        """From now on read ahead, at most `ahead` messages that nobody has taken."""
        self._ahead = max(self._ahead, ahead)
        self._tell_change()
        if self._task is None and self.last is None and not self._is_reading:
            self._task = asyncio.get_running_loop().create_task(self._read_ahead())

    async def expect_end(self) -> None:
        """Take a disconnect, from now on, for an answer to what will be sent; stop reading.

        Granian cannot send a Close while it is being read.
        """
        self._expects_end = True
        if self._task is not None and self.last is None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait([task])

    def end(self, last: Message) -> None:
        """Read no more; whoever waits gets `last`."""
        self._finish(last)
        task, self._task = self._task, None  # which holds what it reads from, and so a cycle
        if task is not None:
            task.cancel()

    def note_going(self) -> None:
        """Hear from elsewhere that the client has gone."""
        self.is_gone = True
        # Not at once: who listens may cancel this very task.
        asyncio.get_running_loop().call_soon(self.disconnected.set)

    async def _read_ahead(self) -> None:
        try:
            while self.last is None:
                if len(self._waiting) < self._ahead or _is_alone(self._waiting[-1]):
                    message = await self._read()
                    if self.last is None:
                        self._waiting.append(message)
                        self._tell_change()
                else:
                    await self._until_change()
        except asyncio.CancelledError:
            if not self._expects_end:
                self._finish(LOST)
            raise

    async def _read(self) -> Message:
        self._is_reading = True
        try:
            message: Message = await self._receive()
        except Exception:  # noqa: BLE001 - servers differ in how they refuse to be read
            message = LOST
        finally:
            self._is_reading = False
            if self._ahead and not self._expects_end:
                self.watch()  # somebody asked meanwhile
        if message["type"] in ENDS:
            self._finish(message)
            if not self._expects_end:
                self.is_gone = True
                self.disconnected.set()
        return message

    def _finish(self, last: Message) -> None:
        if self.last is None:
            self.last = last
            self._tell_change()
            if self._over is not None:
                self._over.set()

    async def _until_change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)

    def _tell_change(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def _is_alone(latest: Message) -> bool:
    """Say whether nothing but the disconnect can follow: a connect, the end of a body."""
    if latest["type"] == "http.request":
        return not latest.get("more_body", False)
    return bool(latest["type"] == "websocket.connect")
