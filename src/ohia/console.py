"""Text to stderr that never waits: it may be a pipe that nobody reads, or a stopped terminal.

What stderr does not take now is kept, up to a bound, and goes out before the next text. So a
server that reports its errors cannot be stopped by whoever should read them.
"""

import io
import os
import select
import stat
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
        self._opening = _Opening()
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a forked process: what is kept is for the first one to write."""
        self._kept = b""
        self._lost = 0
        self._lock = threading.RLock()  # a signal's handler may write too, in the midst of it
        self._opening.close()

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
            self._write_kept(descriptor)
        except BlockingIOError:
            pass
        except OSError:  # nobody will ever read it
            self._kept = b""
        self._lost += max(0, len(self._kept) - MOST_KEPT)
        self._kept = self._kept[:MOST_KEPT]

    def _write_kept(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        own = self._opening.follow(descriptor, status)
        target = descriptor if own is None else own
        waits = own is None and not stat.S_ISREG(status.st_mode)
        while self._kept and (not waits or _takes_more(target)):
            written = os.write(target, self._kept[:PIECE])
            self._kept = self._kept[written:]


class _Opening:
    """Stderr's pipe or terminal opened once more, with O_NONBLOCK: a write never waits.

    Set on stderr itself, the flag would hold for all processes that share it, the shell too.
    """

    _own: tuple[int, os.stat_result] | None = None

    def follow(self, descriptor: int, status: os.stat_result) -> int | None:
        """Return a descriptor of the file that `descriptor` is open on; None if there is none."""
        if not self._is_of(status):
            self.close()
            if stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode):
                flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                with suppress(OSError):  # no /proc, no right to open it, no descriptor left
                    self._own = os.open(f"/proc/self/fd/{descriptor}", flags), status
        return self._own[0] if self._own else None

    def close(self) -> None:
        """Close it, unless the program did, and has given the number to another file."""
        own, self._own = self._own, None
        with suppress(OSError):
            if own and os.path.samestat(os.fstat(own[0]), own[1]):
                os.close(own[0])

    __del__ = close

    def _is_of(self, status: os.stat_result) -> bool:
        try:
            return self._own is not None and os.path.samestat(os.fstat(self._own[0]), status)
        except OSError:
            return False


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
