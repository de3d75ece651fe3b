"""The access log, `ohia.access`: a line for each request at its end, one for what was refused.

    2026-11-21T06:37:52Z GET /books?page=2 200 5120 3.1
    2026-11-21T06:37:53Z refused 400 from 192.0.2.7: GET / HTTP/1.1 Host: a

That is: method, target, status (`-` if none was sent), bytes of the body, milliseconds until
the last byte was handed over, and `cut` if it never was, or the client had gone. A WebSocket has
its line when it has closed, with the bytes of all messages that were sent.

Where `logging` has a handler for `ohia.access`, the lines are its records, with these values as
`args`. Else they go to stderr, many at once, which costs a fraction of a record.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from typing import Protocol

from ohia.console import console
from ohia.exchange import Address

__all__ = ["AccessLog", "open_access_log"]

SHOWN = 100  # bytes of what was refused
NAME = "ohia.access"


class Answered(Protocol):
    """A request at its end."""

    method: str
    target: str
    status: int | None
    size: int
    is_cut: bool


class AccessLog:
    """Writes the lines of one server."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write

    def answered(self, request: Answered, seconds: float) -> None:
        """Tell of a request at its end; method and target are ASCII without controls."""
        self._write(
            "%s %s %s %d %.1f cut" if request.is_cut else "%s %s %s %d %.1f",
            request.method,
            request.target,
            request.status or "-",
            request.size,
            seconds * 1000,
        )

    def refused(self, why: str, client: Address | None, data: bytes) -> None:
        """Tell of input that was no request; `why` is a status, `data` is how it began."""
        who = "-" if client is None else client[0]
        self._write("refused %s from %s: %s", why, who, shown(data))


class StderrLines:
    """Writes lines to stderr, those of one turn of the loop at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lines: list[str] = []
        self._second: int = 0
        self._stamp: str = ""

    def __call__(self, message: str, *values: object) -> None:
        """Write one line, with the time before it."""
        if not self._lines:
            self._loop.call_soon(self._flush)
            self._read_clock()
        self._lines.append(f"{self._stamp} {message % values}\n")

    def _read_clock(self) -> None:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        console.write("".join(lines))


class Records:
    """Writes lines as records of a logger."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._has_failed = False

    def __call__(self, message: str, *values: object) -> None:
        """Hand one record to the logger's handlers; what they raise is told once."""
        try:
            self._logger.info(message, *values)
        except Exception:  # noqa: BLE001 - a log stops no connection
            if not self._has_failed:
                self._has_failed = True
                console.write(f"a handler of {NAME} failed:\n{traceback.format_exc()}")


def open_access_log(loop: asyncio.AbstractEventLoop, *, wanted: bool | None) -> AccessLog | None:
    """Return the log of one server, None for none.

    `wanted` None leaves it to `logging`: to the level of `ohia.access`.
    """
    logger = logging.getLogger(NAME)
    if wanted is False or (wanted is None and not logger.isEnabledFor(logging.INFO)):
        return None
    if not logger.hasHandlers():
        return AccessLog(StderrLines(loop))
    if wanted and logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    return AccessLog(Records(logger))


def shown(data: bytes) -> str:
    r"""Return the beginning of `data` as one line of printable ASCII.

    >>> print(shown(b"GET /\x1b[2J\r\nX: \xff"))
    GET /\x1b[2J\r\nX: \xff
    """
    text = ascii(data[:SHOWN])[2:-1]
    return f"{text}..." if len(data) > SHOWN else text
