"""Text to stderr that never waits: it may be a pipe that nobody reads, or a stopped terminal.

What stderr does not take now is kept, up to a bound, and goes out before the next text. So a
server that reports its errors cannot be stopped by whoever should read them.
"""

import io
import os
import select
import sys
import threading
from contextlib import suppress
from typing import TextIO

__all__ = ["Console", "console"]

PIECE = 4096  # bytes that a pipe takes whole once it takes any (PIPE_BUF, pipe(7))
MOST_KEPT = 64 * 1024  # bytes; what comes on top is lost, and counted


class Console:
    """Writes to `sys.stderr` as it is at each call; never raises, never waits."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a forked process: what is kept is for the first one to write."""
        self._kept = b""
        self._lost = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write `text` now, as far as stderr takes it; keep the rest, as far as there is room."""
        stream = sys.stderr
        with suppress(Exception):  # stderr may be closed, missing, or anything that has write()
            descriptor = _descriptor(stream)
            if descriptor is None:
                _write_plainly(stream, text)
                return
            with self._lock:
                self._keep(text.encode(stream.encoding, "backslashreplace"))
                self._flush(descriptor)

    def flush(self) -> None:
        """Try again to write what was kept."""
        if self._kept:
            self.write("")

    def _keep(self, data: bytes) -> None:
        if self._lost and len(self._kept) < MOST_KEPT // 2:
            data = b"ohia: %d bytes of this log were lost\n%b" % (self._lost, data)
            self._lost = 0
        room = MOST_KEPT - len(self._kept)
        if self._kept and len(data) > room:
            self._lost += len(data)
        else:
            self._kept += data

    def _flush(self, descriptor: int) -> None:
        try:
            while self._kept and _takes_more(descriptor):
                written = os.write(descriptor, self._kept[:PIECE])
                self._kept = self._kept[written:]
        except BlockingIOError:
            pass
        except OSError:  # nobody will ever read it
            self._kept = b""
        self._lost += max(0, len(self._kept) - MOST_KEPT)
        self._kept = self._kept[:MOST_KEPT]


def _descriptor(stream: TextIO | None) -> int | None:
    """Return what the system writes to; None where there is none, or no way to ask it."""
    if os.name != "posix" or not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _write_plainly(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "backslashreplace").decode("ascii"))
    stream.flush()


def _takes_more(descriptor: int) -> bool:
    _, writable, _ = select.select([], [descriptor], [], 0)
    return bool(writable)


console: Console = Console()
"""The one of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=console.forget)
