"""How a process of ours ends: signals ask for it, and whatever hangs cannot keep it."""

import _thread
import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator, Mapping
from types import FrameType

from ohia.console import console

__all__ = ["CUT", "SIGNALLED", "Stop", "handling"]

CUT = 4  # exit status: the grace time was over, and what still ran was cut
SIGNALLED = 128  # plus the number of a second signal: shells tell of signals so

HURRY = 1.0  # seconds that a process has after a second signal
CLOSING = 5.0  # seconds for tasks and threads to end when all servers have been closed

LATE = "ohia: a task or a thread did not end; the process ends without it\n"


class Stop:
    """The wish to stop, and the end of this process where that is ours to give.

    The first signal sets `asked`, and if that does not help within `patience` seconds, because
    the loop is blocked, ends the process. A second one calls `hurry`, and ends the process within
    a second.
    """

    def __init__(self, hurry: Callable[[], None], patience: float | None) -> None:
        self.asked: asyncio.Event = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.is_hurried: bool = False
        self.status: int = 0
        self._hurry = hurry
        self._patience = patience
        self._is_wanted = False
        self._ended = _thread.allocate_lock()
        self._ended.acquire()

    def on_signal(self, number: int) -> None:
        """Take a signal, in the main thread; the loop may be blocked, so nothing waits for it."""
        if self._is_wanted:
            self.hurry(number)
            return
        self.ask()
        if self._patience is not None:
            self._end_within(self._patience, CUT, LATE)

    def ask(self, number: int = 0) -> None:  # noqa: ARG002 - it may be used for signals too
        """Ask the servers to stop; any number of times is once."""
        self._is_wanted = True
        self.call(self.asked.set)

    def hurry(self, number: int) -> None:
        """Stop at once, for a second signal `number`."""
        if not self.is_hurried:
            self.is_hurried = True
            self.status = SIGNALLED + number
            self._end_within(HURRY, self.status)
        self.ask()
        self.call(self._hurry)

    def call(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the loop, at once before there is one; a closed one does not care."""
        if self.loop is None:
            callback()
            return
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(callback)

    def closing(self) -> None:
        """Hear that all servers have been closed; the loop and its threads follow, or are cut."""
        self._end_within(CLOSING, self.status or CUT, LATE)

    def closed(self) -> None:
        """Hear that the loop has closed: what is left is the interpreter's own end."""
        if not self.is_hurried:
            self._ended.release()

    def _end_within(self, seconds: float, status: int, message: str = "") -> None:
        # Not a Timer: its locks might be held by what a signal has interrupted.
        _thread.start_new_thread(self._end, (seconds, status, message))

    def _end(self, seconds: float, status: int, message: str) -> None:
        if self._ended.acquire(timeout=seconds):
            self._ended.release()
            return
        console.write(message)
        os._exit(status)


@contextlib.contextmanager
def handling(handlers: Mapping[signal.Signals, Callable[[int], None]]) -> Generator[bool]:
    """Take signals while inside; off the main thread they are somebody else's, and it is False."""
    if threading.current_thread() is not threading.main_thread():
        yield False
        return

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's
        handlers[signal.Signals(number)](number)

    # Python's handlers, not the loop's: those would wait for a loop that is blocked.
    before = {each: signal.signal(each, on_signal) for each in handlers}
    try:
        yield True
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
