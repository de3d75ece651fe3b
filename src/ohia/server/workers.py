"""Several processes on one socket: forked after the binding, replaced when they die."""

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

__all__ = ["supervise"]

FAILED = 3  # exit status of a worker that could not start or stop as it should
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHORT_LIFE = 1.0  # seconds; who dies sooner is replaced after as long, so that none spins


class Supervisor:
    """Keeps a number of workers alive until a signal comes."""

    def __init__(self, count: int, work: Callable[[], None]) -> None:
        self._work = work
        self._count = count
        self._born: dict[int, float] = {}
        # Nobody writes to it: it ends when the supervisor does, even by SIGKILL.
        self._lifeline = os.pipe()
        self._is_stopping = False
        self._has_failed = False

    def run(self) -> None:
        """Start the workers, replace the dead, return when all have stopped."""
        before = {each: signal.signal(each, self._stop) for each in STOP_SIGNALS}
        try:
            for _ in range(self._count):
                self._start()
            while self._born:
                self._reap()
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
            for end in self._lifeline:
                os.close(end)
        if self._has_failed:
            raise SystemExit(FAILED)

    def _start(self) -> None:
        """Fork one worker; a signal that comes meanwhile reaches it too."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            if self._is_stopping:
                return
            child = os.fork()
            if not child:
                self._be_worker()
            self._born[child] = time.monotonic()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _be_worker(self) -> None:
        """Work, then end this process; never return."""
        status = FAILED
        try:
            # A terminal sends SIGINT to all; the supervisor passes on SIGTERM.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            os.close(self._lifeline[1])
            threading.Thread(target=_stop_with, args=(self._lifeline[0],), daemon=True).start()
            self._work()
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it must not go on as a supervisor
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        """Wait for a worker to die, and replace it."""
        child, status = os.waitpid(-1, 0)
        born = self._born.pop(child, None)
        if born is None or self._is_stopping:
            return
        if os.waitstatus_to_exitcode(status) == FAILED:
            self._has_failed = True
            self._stop(signal.SIGTERM, None)
            return
        if time.monotonic() - born < SHORT_LIFE:
            time.sleep(SHORT_LIFE)
        self._start()

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's
        """Pass the wish to stop on; a second one too, and the workers stop at once."""
        self._is_stopping = True
        for child in self._born:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)


def _stop_with(lifeline: int) -> None:
    """Stop this worker when the supervisor has gone."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def supervise(count: int, work: Callable[[], None]) -> None:
    """Run `work` in `count` processes until SIGINT or SIGTERM; they get SIGTERM.

    One that dies is replaced. One that raises ends all: SystemExit with status 3.
    """
    Supervisor(count, work).run()
