"""What the connections of one server share: the application, the limits, a clock, themselves."""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Callable, Coroutine, Iterator
from itertools import islice
from typing import Any, Protocol

from ohia.console import console
from ohia.exchange import Handler, SocketOptions
from ohia.http.date import format_date
from ohia.server.access import AccessLog, open_access_log
from ohia.server.head import HeadReader
from ohia.server.limits import Limits

__all__ = ["LAST_REQUEST", "Member", "Service"]

LONGEST_TICK = 1.0
SHORTEST_TICK = 0.01
DRAINING_TICK = 0.1
A_TURN = 1000  # connections that are asked for their time-outs at once
TURNS = 10  # of the loop, in which it reads what has come, or tells each that it was cut
LAST_REQUEST = 1.0  # seconds in which the request that was on its way when we stop may come
LAST_WORDS = 5.0  # seconds that cancelled tasks have for their `finally`
HURRIED_WORDS = 0.3  # the same, after a second signal


class Member(Protocol):
    """A connection, as its service sees it."""

    task: asyncio.Task[None] | None
    """What runs for it."""

    @property
    def is_busy(self) -> bool:
        """Whether cutting it would lose something."""
        ...

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
        "_hurries",
        "_interval",
        "_timer",
        "access_log",
        "clock",
        "connections",
        "context",
        "date",
        "draining",
        "handler",
        "heads",
        "limits",
        "loop",
        "now",
        "opening",
        "socket_options",
        "turned_away",
    )

    now: float
    date: str

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        *,
        access_log: bool | None = None,
    ) -> None:
        self.access_log: AccessLog | None = open_access_log(loop, wanted=access_log)
        self.handler: Handler = handler
        self.limits: Limits = limits
        self.socket_options: SocketOptions = limits.socket_options
        self.loop: asyncio.AbstractEventLoop = loop
        self.clock: Callable[[], float] = loop.time
        self.context: contextvars.Context = contextvars.copy_context()
        self.heads: HeadReader = HeadReader(limits)
        self.connections: set[Member] = set()
        self.turned_away: set[Member] = set()
        """Those that are there only to read their 503."""
        self.opening: set[asyncio.Task[None]] = set()
        self.draining: bool = False
        self._emptied = asyncio.Event()
        self._hurries = False
        timeouts = (
            limits.head_timeout,
            limits.body_timeout,
            limits.drain_timeout,
            limits.linger_timeout,
            limits.idle_timeout,
        )
        shortest = min((each for each in timeouts if each), default=LONGEST_TICK)
        self._interval = min(LONGEST_TICK, max(SHORTEST_TICK, shortest / 2))
        self._timer: asyncio.TimerHandle | None = None
        self._tick()

    def _tick(self) -> None:
        self.now = self.loop.time()
        self.date = f"Date: {format_date(time.time())}\r\n"
        self._timer = self.loop.call_later(self._next(), self._tick)
        console.flush()
        self._visit(iter(tuple(self.connections)))

    def _next(self) -> float:
        """Return the seconds to the next tick: just behind a full second of the wall clock."""
        pause = self._interval - time.time() % self._interval
        return pause if pause > self._interval / 4 else pause + self._interval

    def _visit(self, connections: Iterator[Member]) -> None:
        """Ask some for their time-outs, the rest in the next turn: nobody waits for thousands."""
        some = list(islice(connections, A_TURN))
        for connection in some:
            if connection in self.connections:
                connection.tick(self.now)
        if len(some) == A_TURN:
            self.loop.call_soon(self._visit, connections)

    def quicken(self, timeout: float | None) -> None:
        """Tick so often from now on that a time-out of so many seconds is late by a part only."""
        if timeout is None or self._timer is None or self.draining:
            return
        interval = max(SHORTEST_TICK, timeout / 2)
        if interval < self._interval:
            self._interval = interval
            self._timer.cancel()
            self._timer = self.loop.call_later(interval, self._tick)

    @property
    def is_full(self) -> bool:
        """Whether one more connection is too many."""
        most = self.limits.max_connections
        return most is not None and len(self.connections) - len(self.turned_away) >= most

    def add(self, connection: Member) -> None:
        """Count `connection` in."""
        self.connections.add(connection)
        if self.draining:
            connection.drain()

    def remove(self, connection: Member) -> None:
        """Count `connection` out."""
        self.connections.discard(connection)
        self.turned_away.discard(connection)
        if self.draining:
            self._check_emptied()

    def open(self, opening: Coroutine[Any, Any, None]) -> None:
        """Run what makes a connection of an accepted socket."""
        task = self.loop.create_task(opening)
        self.opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self.opening.discard(task)
        if self.draining:
            self._check_emptied()

    def _check_emptied(self) -> None:
        if not self.connections and not self.opening:
            self._emptied.set()

    async def drain(self, grace: float | None) -> bool:
        """Let what runs come to its end, for `grace` seconds; then cut it.

        Say whether all came to its end.
        """
        self.draining = True
        if self._timer is not None:
            self._timer.cancel()
        await self._turn()  # a request that is here already must not be cut
        self.now = self.loop.time()
        for connection in tuple(self.connections):
            connection.drain()
        self._interval = min(self._interval, DRAINING_TICK)
        self._tick()
        last_request = self.loop.call_later(LAST_REQUEST, self._end_opening)
        self._check_emptied()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._emptied.wait()
        last_request.cancel()
        return await self._cut()

    async def _turn(self) -> None:
        """Let the loop look at the network a few times."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def _end_opening(self) -> None:
        """Give up the handshakes of TLS that have not come to an end."""
        for task in tuple(self.opening):
            task.cancel()

    def hurry(self) -> None:
        """End a drain now."""
        self._hurries = True
        self._emptied.set()

    async def _cut(self) -> bool:
        """End what is left; say whether nothing was lost by it."""
        lost = [each for each in self.connections if each.is_busy]
        tasks = [each.task for each in self.connections if each.task is not None]
        self._end_opening()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=HURRIED_WORDS if self._hurries else LAST_WORDS)
        for connection in tuple(self.connections):
            connection.cut()
        if self.connections or self.opening:
            await self._turn()
        return not lost

    def stop(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
