"""One worker: a process of its own, tied to its supervisor by one socket.

The worker writes to it: that it is ready, then a beat every second or so, from its loop. The
supervisor writes that it shall drain, or hurry; when its half ends it has died, and the worker
drains. Signals would not do for that: those to a whole group reach the workers twice.
"""

import asyncio
import contextlib
import faulthandler
import signal
import socket
import sys
import traceback
import types
from collections.abc import Callable, Sequence

from ohia.console import console

__all__ = ["BEAT", "DRAIN", "FAILED", "HELD", "HURRY", "READY", "Worker", "be_worker"]

BEAT = b"."
READY = b"!"
DRAIN = b"-"
HURRY = b"="
FAILED = 3  # exit status of a worker that could not start
CRASHED = 1  # and of one that raised later

HELD = frozenset(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD")
    if hasattr(signal, name)
)
"""The signals that wait while a worker is made, until it has its own ways with them."""


class Worker:
    """What a worker tells its supervisor, and hears from it."""

    def __init__(self, channel: socket.socket, interval: float | None) -> None:
        self.is_ready: bool = False
        self._channel = channel
        self._interval = interval
        self._listening: asyncio.Task[None] | None = None

    def attach(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        drain: Callable[[], object],
        hurry: Callable[[], object],
    ) -> None:
        """Call `drain` when the supervisor asks for it, or has gone; `hurry` on its word."""
        self._channel.setblocking(False)  # noqa: FBT003 - the name of the standard library
        self._listening = loop.create_task(self._listen(loop, drain, hurry))

    def ready(self) -> None:
        """Say that this worker serves; from now on its beats are waited for."""
        self.is_ready = True
        self._tell(READY)
        if self._interval is not None:
            self._beat(asyncio.get_running_loop(), self._interval)

    def _beat(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        self._tell(BEAT)
        loop.call_later(interval, self._beat, loop, interval)

    def _tell(self, word: bytes) -> None:
        # A supervisor that is stopped for long has beats enough; one that died is heard of.
        with contextlib.suppress(OSError):
            self._channel.send(word)

    async def _listen(
        self,
        loop: asyncio.AbstractEventLoop,
        drain: Callable[[], object],
        hurry: Callable[[], object],
    ) -> None:
        with contextlib.suppress(OSError):  # reset, if it died and had not read all beats
            while words := await loop.sock_recv(self._channel, 16):
                drain()
                if HURRY in words:
                    hurry()
        drain()


def be_worker(
    work: Callable[[Worker], int],
    channel: socket.socket,
    interval: float | None,
    others: Sequence[socket.socket],
) -> None:
    """Do `work` in this new process; SystemExit with the status that it returns.

    It beats every `interval` seconds. `others` are what a fork took along, the supervisor's
    ends: as long as one is open, a worker does not notice its death. What fails is shown here:
    status 3 before the worker was ready, then 1.
    """
    for each in others:
        each.close()
    _set_signals()
    _show_a_hang()
    worker = Worker(channel, interval)
    try:
        status = work(worker)
    except BaseException:  # noqa: BLE001 - whatever it is, it must not go on as a supervisor
        console.write(traceback.format_exc())
        status = CRASHED if worker.is_ready else FAILED
    raise SystemExit(status)


def _set_signals() -> None:
    """Leave the terminal's signals to the supervisor; die of SIGTERM until a loop handles it."""
    signal.set_wakeup_fd(-1)
    for each in HELD:
        is_ours = each in {signal.SIGINT, getattr(signal, "SIGHUP", None)}
        signal.signal(each, _leave_it if is_ours else signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def _leave_it(number: int, frame: types.FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN, the programs that a worker starts do not inherit that."""


def _show_a_hang() -> None:
    """Let SIGABRT, which ends a worker that hangs, show where each of its threads is."""
    if faulthandler.is_enabled() or sys.__stderr__ is None:
        return
    with contextlib.suppress(OSError, ValueError):  # stderr may be closed
        faulthandler.enable(sys.__stderr__)
