"""What the connections of one server share: the application, the limits, a clock, themselves."""

import asyncio
import contextlib
import contextvars
from email.utils import formatdate
from typing import Protocol

from ohia.exchange import Handler
from ohia.server.head import HeadReader
from ohia.server.limits import Limits

__all__ = ["Member", "Service"]

LONGEST_TICK = 1.0
SHORTEST_TICK = 0.01
TURNS = 10  # of the loop, until it has told each connection that it was cut
LAST_WORDS = 5.0  # seconds that cancelled tasks have for their `finally`


class Member(Protocol):
    """A connection, as its service sees it."""

    task: asyncio.Task[None] | None
    """What runs for it."""

    def tick(self, now: float) -> None:
        """Look at the clock: end what took too long."""
        ...

    def drain(self) -> None:
        """Begin to end: at once where nothing is under way."""
        ...

    def cut(self) -> None:
        """End now."""
        ...


class Service:
    """The shared part of one server, made in its loop.

    One timer serves all connections: it moves `now` and `date`, then asks each for its
    time-outs. So these are late by a tick at most, and a request starts no timer.
    """

    __slots__ = (
        "_emptied",
        "_interval",
        "_timer",
        "connections",
        "context",
        "date",
        "draining",
        "handler",
        "heads",
        "limits",
        "loop",
        "now",
    )

    now: float
    date: str

    def __init__(self, handler: Handler, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.handler: Handler = handler
        self.limits: Limits = limits
        self.loop: asyncio.AbstractEventLoop = loop
        self.context: contextvars.Context = contextvars.copy_context()
        self.heads: HeadReader = HeadReader(limits)
        self.connections: set[Member] = set()
        self.draining: bool = False
        self._emptied = asyncio.Event()
        timeouts = (limits.head_timeout, limits.body_timeout, limits.idle_timeout)
        shortest = min((each for each in timeouts if each), default=LONGEST_TICK)
        self._interval = min(LONGEST_TICK, max(SHORTEST_TICK, shortest / 4))
        self._timer: asyncio.TimerHandle | None = None
        self._tick()

    def _tick(self) -> None:
        self.now = now = self.loop.time()
        self.date = f"Date: {formatdate(usegmt=True)}\r\n"
        self._timer = self.loop.call_later(self._interval, self._tick)
        for connection in tuple(self.connections):
            connection.tick(now)

    @property
    def is_full(self) -> bool:
        """Whether one more connection is too many."""
        most = self.limits.max_connections
        return most is not None and len(self.connections) >= most

    def add(self, connection: Member) -> None:
        """Count `connection` in."""
        self.connections.add(connection)

    def remove(self, connection: Member) -> None:
        """Count `connection` out."""
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._emptied.set()

    async def drain(self, grace: float | None) -> None:
        """Let what runs come to its end, for `grace` seconds; then cut it."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.drain()
        if self.connections:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._emptied.wait()
        await self._cut()

    def hurry(self) -> None:
        """End a drain now."""
        self._emptied.set()

    async def _cut(self) -> None:
        tasks = [each.task for each in self.connections if each.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WORDS)
        for connection in tuple(self.connections):
            connection.cut()
        for _ in range(TURNS):
            if not self.connections:
                return
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
