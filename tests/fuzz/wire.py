"""A connection in memory, in a time of its own: thousands of conversations a minute.

`Line` stands for the socket's transport. `LeapingLoop` waits for nothing: when all that can run
has run, its clock leaps to the next timer. So a test can let hours pass, and a wait that nothing
would ever end is an error at once.
"""

import asyncio
import os
import re
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from ohia.errors import ClientDisconnect, HTTPError
from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.server.connection import Connection
from ohia.server.limits import Limits
from ohia.server.service import Service

__all__ = [
    "Answer",
    "Heard",
    "LeapingLoop",
    "Line",
    "Seen",
    "converse",
    "echo",
    "fuzzed",
    "in_leaps",
    "patient",
    "pieces_of",
    "sent",
]

FACTOR = float(os.environ.get("OHIA_FUZZ") or 0)
"""How many times more examples than usual; they are random then, else always the same."""

patient = pytest.mark.timeout(0 if FACTOR else 120)
"""A file of many examples may take longer than a test usually does."""

LIMITS = Limits(head_timeout=2, body_timeout=2, idle_timeout=2)
TURN = 0.0001  # seconds that pass when everything has run
LAST_WORDS = 1.0  # seconds that an application may need to notice
LONGEST = 100.0  # seconds in which every connection must have ended: all limits, and room
HIGH, LOW = 64 * 1024, 16 * 1024  # bytes, as asyncio's transports pause and resume their writers

UNSURE = re.compile(rb"\r\nDate: [^\r]*|HTTP/1\.1 100 Continue\r\n\r\n")

Result = TypeVar("Result")


def fuzzed(examples: int) -> settings:
    """Return settings for so many examples, times OHIA_FUZZ."""
    return settings(
        max_examples=int(examples * max(FACTOR, 1)),
        derandomize=not FACTOR,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


class LeapingSelector(selectors.DefaultSelector):
    """Tells how long the loop wanted to sleep, and lets it go on at once."""

    slept: float = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("nothing would ever end this wait")
        self.slept += max(timeout, 0)
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock leaps over every wait."""

    def __init__(self) -> None:
        self._leaping = LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return 1000.0 + self._leaping.slept


def in_leaps(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run `coroutine` in a loop that leaps; nothing may fail or be left behind in it."""
    problems: list[dict[str, Any]] = []

    async def checked() -> Result:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        result = await coroutine
        await asyncio.sleep(TURN)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        result = runner.run(checked())
    assert problems == []
    return result


class Line(asyncio.Transport):
    """Keeps what is written, as far as the client takes it: `pace` bytes a hundredth second."""

    def __init__(self, protocol: asyncio.Protocol, *, pace: int | None = None) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol = protocol
        self.taken = b""
        self.is_wanted = True
        self.ended = asyncio.Event()
        self._pace = pace
        self._unsent = b""
        self._is_closing = self._is_paused = self._wrote_eof = False
        self._loop = asyncio.get_running_loop()

    # What the client does.

    async def feed(self, data: bytes) -> None:
        """Send `data`, once it is wanted."""
        while not self.is_wanted and not self._is_closing:  # noqa: ASYNC110 - time leaps
            await asyncio.sleep(0.01)
        if not self._is_closing:
            protocol = self.protocol
            assert isinstance(protocol, asyncio.Protocol)
            protocol.data_received(data)

    def feed_eof(self) -> None:
        """End the client's side."""
        protocol = self.protocol
        assert isinstance(protocol, asyncio.Protocol)
        if not self._is_closing and not protocol.eof_received():
            self.close()

    def lose(self) -> None:
        """Be cut by the client."""
        self.abort()

    def _take(self) -> None:
        assert self._pace is not None
        if self.ended.is_set():
            return
        self.taken += self._unsent[: self._pace]
        self._unsent = self._unsent[self._pace :]
        if self._is_paused and len(self._unsent) <= LOW:
            self._is_paused = False
            self.protocol.resume_writing()
        if self._unsent:
            self._loop.call_later(0.01, self._take)
        elif self._is_closing:
            self._end()

    def _end(self) -> None:
        if not self.ended.is_set():
            self.ended.set()
            self.protocol.connection_lost(None)

    # What the server does.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        if self._wrote_eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._is_closing:
            return
        if self._pace is None:
            self.taken += bytes(data)
            return
        if not self._unsent:
            self._loop.call_later(0.01, self._take)
        self._unsent += bytes(data)
        if len(self._unsent) > HIGH and not self._is_paused:
            self._is_paused = True
            self.protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._wrote_eof = True

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if not self._unsent:
                self._loop.call_soon(self._end)

    def abort(self) -> None:
        self._is_closing = True
        self._unsent = b""
        self._loop.call_soon(self._end)

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def pause_reading(self) -> None:
        assert self.is_wanted, "paused twice, which transports take amiss"
        self.is_wanted = False

    def resume_reading(self) -> None:
        self.is_wanted = True


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, as the application saw it."""

    method: str
    target: str
    version: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    end: str
    """How its body ended: `whole`, `gone`, or the status of a refusal."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One connection: what the client got, and what the application saw."""

    answers: bytes
    """Without Date, and without 100, which depends on what came when."""
    seen: tuple[Seen, ...]
    wire: bytes = field(compare=False)
    """All that the client got, as it came."""


Answer = Callable[[Exchange, Seen], Awaitable[None]]


async def sent(waiting: Awaitable[None] | None) -> None:
    """Wait until the client has taken enough."""
    if waiting is not None:
        await waiting


async def echo(exchange: Exchange, seen: Seen) -> None:
    """Answer with what was seen."""
    status = 200 if seen.end == "whole" else int(seen.end)
    text = f"{seen.method} {seen.target} {len(seen.fields)} ".encode() + seen.body
    await sent(exchange.send_response(status, "Seen", Headers(), text))


class Application:
    """A handler that reads each request to its end, notes it, and answers."""

    draining = False

    def __init__(self, answer: Answer) -> None:
        self.seen: list[Seen] = []
        self._answer = answer

    async def handle(self, exchange: Exchange) -> None:
        body, end = await _read(exchange)
        fields = tuple(exchange.headers.lines())
        seen = Seen(exchange.method, exchange.target, exchange.http_version, fields, body, end)
        self.seen.append(seen)
        try:
            if end == "gone":
                exchange.abort()
            else:
                with suppress(ClientDisconnect):
                    await self._answer(exchange, seen)
        finally:
            exchange.close()

    async def startup(self) -> None: ...
    async def shutdown(self) -> None: ...


async def _read(exchange: Exchange) -> tuple[bytes, str]:
    """Return the body as far as it came, and how it ended."""
    body = b""
    try:
        while piece := await exchange.read():
            body += piece
    except HTTPError as error:
        return body, str(error.status)
    except ClientDisconnect:
        return body, "gone"
    return body, "whole"


async def converse(
    pieces: Iterable[bytes],
    answer: Answer = echo,
    *,
    ends: bool = True,
    goes: bool = False,
    pace: int | None = None,
    limits: Limits = LIMITS,
) -> Heard:
    """Send `pieces`, one after the other has had its effect; return when all is over.

    `ends` ends the client's side after them, `goes` cuts both; else the server has to lose
    patience.
    """
    service = Service(application := Application(answer), limits, asyncio.get_running_loop())
    connection = Connection(service)
    line = Line(connection, pace=pace)
    connection.connection_made(line)
    for piece in pieces:
        await line.feed(piece)
        await asyncio.sleep(TURN)
    if goes:
        line.lose()
    elif ends:
        line.feed_eof()
    async with asyncio.timeout(LONGEST):
        await line.ended.wait()
    await asyncio.sleep(LAST_WORDS)
    service.stop()
    assert service.connections == set()
    return Heard(UNSURE.sub(b"", line.taken), tuple(application.seen), line.taken)


def pieces_of(data: bytes, cuts: Iterable[int]) -> Sequence[bytes]:
    """Return `data` cut at each of `cuts`, taken modulo its length."""
    places = sorted({0, len(data), *(each % (len(data) + 1) for each in cuts)})
    return [data[start:stop] for start, stop in pairwise(places)]
