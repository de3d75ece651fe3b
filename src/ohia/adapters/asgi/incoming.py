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


class Incoming:
    """Messages of one request in order, the last of them again and again.

    `disconnected` is the client's going, `over` the end of the messages for any reason.
    """

    def __init__(self, receive: Receive) -> None:
        self.disconnected: Disconnect = Disconnect()
        self.over: Disconnect = Disconnect()
        self.last: Message | None = None
        self._receive = receive
        self._waiting: deque[Message] = deque()
        self._ahead = 0
        self._latest_is_alone = False
        self._is_reading = False
        self._expects_end = False
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def next(self) -> Message:
        """Return the next message; after the last one, the last one again."""
        is_idle = self._task is None and self.last is None and not self._expects_end
        if is_idle and not self._waiting:
            await self._read_now()
        while not self._waiting:
            if self.last is not None:
                return self.last
            self._news.clear()
            await self._news.wait()
        self._room.set()
        return self._waiting.popleft()

    def watch(self, ahead: int = 1) -> None:
        """From now on read ahead, at most `ahead` messages that nobody has taken."""
        self._ahead = max(self._ahead, ahead)
        self._room.set()
        if self._task is None and self.last is None and not self._is_reading:
            self._task = asyncio.get_running_loop().create_task(self._pump())

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
        if self._task is not None:
            self._task.cancel()

    async def _read_now(self) -> None:
        self._is_reading = True
        try:
            await self._read()
        finally:
            self._is_reading = False
            if self._ahead:
                self.watch()

    async def _pump(self) -> None:
        try:
            while self.last is None:
                # Nothing but the disconnect can follow a connect or the end of a body.
                if len(self._waiting) < self._ahead or self._latest_is_alone:
                    await self._read()
                else:
                    self._room.clear()
                    await self._room.wait()
        except asyncio.CancelledError:
            if not self._expects_end:
                self._finish(LOST)
            raise

    async def _read(self) -> None:
        try:
            message: Message = await self._receive()
        except Exception:  # noqa: BLE001 - servers differ in how they refuse to be read
            message = LOST
        kind: str = message["type"]
        if kind.endswith((".disconnect", "lost")):
            self._finish(message)
            if not self._expects_end:
                self.disconnected.set()
        else:
            self._waiting.append(message)
            ends_body = kind == "http.request" and not message.get("more_body", False)
            self._latest_is_alone = ends_body or kind == "websocket.connect"
        self._news.set()

    def _finish(self, last: Message) -> None:
        if self.last is None:
            self.last = last
            self._news.set()
            self.over.set()
