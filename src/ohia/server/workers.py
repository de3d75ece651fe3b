"""Several processes on one socket: started one after another, watched, replaced.

The supervisor serves nothing. It waits for what its workers write, for their ends and for
signals, and then brings about what should be: so many workers that serve, none that hangs, none
older than the last SIGHUP. Its clock stands still while it does not run itself, so a machine
that slept or a job that was stopped makes no worker look late.
"""

import math
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess

from ohia.console import console
from ohia.server.stopping import CUT, SIGNALLED
from ohia.server.terminal import Terminal
from ohia.server.worker import DRAIN, FAILED, HELD, HURRY, READY, Worker, be_worker

__all__ = ["Plan", "supervise"]

SHORT_LIFE = 1.0  # seconds; who dies sooner is replaced after as long, so that none spins
LONG_START = 10.0  # seconds after which a start is given up for a SIGHUP
LONGEST_TICK = 1.0  # seconds between two looks at the clock
BEATS = 4  # that should come before a worker counts as hanging
TRACE_TIME = 2.0  # seconds in which a worker that hangs may show where
HURRY_TIME = 3.0  # seconds after a second signal; they end themselves within one


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a supervisor keeps going."""

    work: Callable[[Worker], int]
    """Run by each worker; returns its exit status."""

    count: int
    spawn: bool
    """Start each worker as a new interpreter, instead of a copy of this one; `work` pickles."""

    patience: float | None
    """Seconds that a worker has to drain; then it is killed."""

    timeout: float | None
    """Seconds without a beat until a worker that was ready counts as hanging."""

    started: Callable[[], None]
    """Called when the first worker is ready."""

    stopping: Callable[[], None]
    """Called before the workers are told to drain."""

    renew: Callable[[], None]
    """Called on SIGHUP, before the first worker is replaced; raises if it cannot be."""


@dataclass(slots=True, eq=False)
class Child:
    """A worker, as its supervisor sees it; times are those of the supervisor's clock."""

    process: BaseProcess
    channel: socket.socket
    pid: int
    generation: int
    born: float
    heard: float
    is_ready: bool = False
    is_mute: bool = False
    """It has closed its end, and is about to end itself."""

    is_leaving: bool = False
    """It has been told to drain, or is being killed."""

    kill_at: float = math.inf


class Supervisor:
    """Keeps workers going until a signal comes."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # The library starts and ends processes, on every platform: on fork no exit function of
        # ours runs in the child, on spawn sockets travel. How long they live is up to us.
        get = multiprocessing.get_context
        self._make_process = get("spawn").Process if plan.spawn else get("fork").Process
        self._tick = min(LONGEST_TICK, (plan.timeout or math.inf) / BEATS)
        self._children: list[Child] = []
        self._signals, self._wakeup = socket.socketpair()
        self._terminal = Terminal()
        self._now = 0.0
        self._seen = time.monotonic()
        self._start_at = 0.0
        self._generation = 0
        self._has_started = False
        self._stop_count = 0
        self._worst = 0
        self._verdict: int | None = None

    def run(self) -> int:
        """Return the exit status when all workers have ended."""
        try:
            with self._hearing_signals():
                while self._children or not self._stop_count:
                    self._fill()
                    self._wait()
                    self._bury_the_dead()
                    self._end_the_late()
                    self._replace_the_old()
        finally:
            for each in self._ours():
                each.close()
        return self._worst if self._verdict is None else self._verdict

    def _ours(self) -> list[socket.socket]:
        return [self._signals, self._wakeup, *(each.channel for each in self._children)]

    @contextmanager
    def _hearing_signals(self) -> Generator[None]:
        """Have signals written to a socket: one that comes before a wait ends it too."""
        for each in (self._signals, self._wakeup):
            each.setblocking(False)  # noqa: FBT003 - the name of the standard library
        before = {each: signal.signal(each, _wake) for each in HELD}
        fd = signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(fd)
            for each, handler in before.items():
                signal.signal(each, signal.SIG_DFL if handler is None else handler)

    # --- What happens

    def _wait(self) -> None:
        """Wait for what comes next, and note all of it."""
        talking = {each.channel: each for each in self._children if not each.is_mute}
        due = self._start_at - self._now
        pause = due if 0 < due < self._tick else self._tick
        ready = connection.wait([self._signals, *talking], pause)
        self._pass_time()
        for source in ready:
            if source is self._signals:
                for number in self._signals.recv(4096):
                    self._on_signal(number)
            elif isinstance(source, socket.socket):
                self._on_words(talking[source])

    def _pass_time(self) -> None:
        seen = time.monotonic()
        self._now += min(seen - self._seen, 2 * self._tick)
        self._seen = seen

    def _on_signal(self, number: int) -> None:
        if number in {signal.SIGINT, signal.SIGTERM}:
            self._stop(number)
        elif number == getattr(signal, "SIGHUP", None):
            if self._terminal.has_gone():
                self._stop(number)
            else:
                self._renew()

    def _on_words(self, child: Child) -> None:
        try:
            words = child.channel.recv(4096)
        except OSError:
            words = b""
        child.is_mute = not words
        child.heard = self._now
        if READY in words:
            child.is_ready = True
            if not self._has_started:
                self._has_started = True
                self._plan.started()

    def _renew(self) -> None:
        """Begin to replace all workers that there are."""
        try:
            self._plan.renew()
        except Exception as error:  # noqa: BLE001 - files, certificates: whatever it is, serve on
            _tell(f"SIGHUP changes nothing: {error}")
            return
        self._generation += 1
        for child in self._children:
            if not child.is_ready and self._now - child.born > LONG_START:
                self._dismiss(child)  # it may hang for what has been mended now

    def _stop(self, number: int) -> None:
        """Let all drain; at the second time, let them end at once."""
        self._stop_count += 1
        if self._stop_count == 1:
            self._plan.stopping()
            for child in self._children:
                if not child.is_leaving:
                    self._dismiss(child)
        else:
            self._verdict = SIGNALLED + number
            for child in self._children:
                self._send(child, HURRY)
                child.kill_at = min(child.kill_at, self._now + HURRY_TIME)

    # --- What should be

    def _staying(self) -> list[Child]:
        return [each for each in self._children if not each.is_leaving]

    def _old(self) -> list[Child]:
        return [each for each in self._staying() if each.generation < self._generation]

    def _fill(self) -> None:
        """Start who is missing, and one more while there are old ones to replace.

        While none is ready one starts alone: if it fails, that is shown once.
        """
        if self._stop_count or self._now < self._start_at:
            return
        staying = self._staying()
        missing = self._plan.count - len(staying)
        if self._old() and len(staying) == len(self._children):
            missing += 1
        if not any(each.is_ready for each in staying):
            missing = min(missing, 1 - len(staying))
        for _ in range(missing):
            self._start()

    def _replace_the_old(self) -> None:
        """Let an old one go once there is one more than needed."""
        old = self._old()
        if old and sum(each.is_ready for each in self._staying()) > self._plan.count:
            self._dismiss(old[0])
            if len(old) == 1:
                _tell("all workers have been replaced")

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003 - the name of the standard library
        beat = None if self._plan.timeout is None else self._tick
        others = [] if self._plan.spawn else [ours, *self._ours()]
        process = self._make_process(
            target=be_worker, args=(self._plan.work, theirs, beat, others), name="ohia-worker"
        )
        try:
            with _holding_signals(), _without_main() if self._plan.spawn else nullcontext():
                process.start()
        except OSError as error:  # no more processes, no memory
            ours.close()
            self._start_at = self._now + SHORT_LIFE
            _tell(f"cannot start a worker: {error}")
            return
        finally:
            theirs.close()
        pid = process.pid or 0
        self._children.append(Child(process, ours, pid, self._generation, self._now, self._now))

    def _dismiss(self, child: Child) -> None:
        """Let `child` drain."""
        child.is_leaving = True
        patience = self._plan.patience
        child.kill_at = math.inf if patience is None else self._now + patience
        self._send(child, DRAIN)

    def _send(self, child: Child, word: bytes) -> None:
        """Say `word`; one that is not ready yet has nobody to hear it, and nothing to lose."""
        if child.is_ready:
            with suppress(OSError):
                child.channel.send(word)
        else:
            child.process.terminate()

    def _end_the_late(self) -> None:
        """Kill who does not end in time, and who does not beat any more."""
        timeout = self._plan.timeout
        for child in self._children:
            if self._now >= child.kill_at:
                child.process.kill()
            elif timeout is not None and child.is_ready and self._now - child.heard > timeout:
                self._end_hanging(child)

    def _end_hanging(self, child: Child) -> None:
        _tell(f"worker {child.pid} has not moved for {self._plan.timeout:g} seconds; it is killed")
        child.is_leaving = True
        child.heard = math.inf
        child.kill_at = self._now + TRACE_TIME
        if child.process.exitcode is None and hasattr(signal, "SIGKILL"):
            os.kill(child.pid, signal.SIGABRT)

    def _bury_the_dead(self) -> None:
        for child in self._children.copy():
            status = child.process.exitcode
            if status is not None:
                self._children.remove(child)
                child.channel.close()
                child.process.close()
                self._on_end(child, status)

    def _on_end(self, child: Child, status: int) -> None:
        if self._stop_count:
            self._worst = max(self._worst, _cost(child, status))
        elif not child.is_leaving:
            self._on_death(child, status)

    def _on_death(self, child: Child, status: int) -> None:
        """Take note of an end that nobody asked for: `_fill` replaces, or all end."""
        how = f"with status {status}" if status >= 0 else f"by signal {-status}"
        _tell(f"worker {child.pid} ended {how}")
        has_failed = not child.is_ready
        if has_failed and self._old():
            _tell("a new worker did not start: the old ones stay")
            for each in self._children:
                each.generation = self._generation
        if has_failed or self._now - child.born < SHORT_LIFE:
            self._start_at = self._now + SHORT_LIFE
        if has_failed and status == FAILED and not any(each.is_ready for each in self._staying()):
            self._stop(signal.SIGTERM)
            self._verdict = FAILED


def _cost(child: Child, status: int) -> int:
    """Return what the end of one worker makes of the exit status of all."""
    if status == -signal.SIGTERM and not child.is_ready:
        return 0
    return min(status, CUT) if status >= 0 else CUT


def _wake(number: int, frame: types.FrameType | None) -> None:
    """Do nothing: that there is a handler has the signal's number written."""


@contextmanager
def _holding_signals() -> Generator[None]:
    """Let signals wait, so that none finds a child with handlers of its parent."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _without_main() -> Generator[None]:
    """Hide the main module, which a spawned process would import: it would listen again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _tell(message: str) -> None:
    console.write(f"ohia: {message}\n")


def supervise(plan: Plan) -> int:
    """Run `plan.work` in `plan.count` processes until SIGINT or SIGTERM; return a status.

    0 if all drained, 4 if one had to cut, 128 and the signal's number after a second one, 3 if
    the workers cannot start. SIGHUP replaces all, one by one. RuntimeError off the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("workers need the main thread, where signals arrive")
    return Supervisor(plan).run()
