"""A server as a process tree: started on a core of its own, watched through /proc, stopped."""

import itertools
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")  # of /proc's times, a second
START_TIMEOUT = 20  # seconds to the first answer
STOP_TIMEOUT = 5  # seconds from SIGTERM to SIGKILL
TAIL = 1500  # characters of the log that an error shows
TASKSET = "/usr/bin/taskset"  # of util-linux
HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 20_000, 30_000  # below what Linux gives to clients
PORTS = itertools.count(os.getpid() * 100)  # two runs at a time do not meet
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]


class ServerError(Exception):
    """The server did not start, or has ended; the text has the end of its log."""


class Server:
    """A running server, leader of its own process group."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [TASKSET, "-c", str(SERVER_CORE), *command],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def wait_for_answer(self, ask: Callable[[], object]) -> float:
        """Call `ask` until it meets a listener; return the seconds since the start."""
        while self.is_running() and time.perf_counter() - self.started < START_TIMEOUT:
            with suppress(OSError):
                ask()
                return time.perf_counter() - self.started
            time.sleep(0.001)
        raise ServerError(f"no answer{self.end_of_log()}")

    def is_running(self) -> bool:
        """Tell whether the leader lives."""
        return self.process.poll() is None

    def end_of_log(self) -> str:
        """Return how it ended and what it wrote last, for an error message."""
        self.log.seek(0)
        text = self.log.read().decode(errors="replace").strip()
        state = self.process.poll()
        ended = "" if state is None else f", it ended with status {state}"
        return f"{ended}; its log: {text[-TAIL:] or 'empty'}"

    def cpu_seconds(self) -> float:
        """Return user and system time of the whole tree, ended children included."""
        if not self.is_running():
            raise ServerError(f"the server is gone{self.end_of_log()}")
        return sum(ticks_of(pid) for pid in self.tree()) / TICKS

    def memory(self, field: str = "VmRSS") -> int:
        """Return resident bytes of the tree, now (VmRSS) or at most (VmHWM)."""
        return sum(status_bytes(pid, field) for pid in self.tree())

    def tree(self) -> list[int]:
        """Return the process ids of the leader and all below it."""
        children: dict[int, list[int]] = {}
        for pid in (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()):
            with suppress(OSError):
                children.setdefault(int(fields_of(pid)[1]), []).append(pid)
        found = [self.process.pid]
        for pid in found:
            found.extend(children.get(pid, ()))
        return found

    def stop(self) -> None:
        """End the process group, by force if it takes its time."""
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_TIMEOUT)
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def signal(self, number: int) -> None:
        """Send a signal to the group, if any of it is left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@contextmanager
def serving(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[Server]:
    """Start a server for the block."""
    server = Server(command, environment, folder)
    try:
        yield server
    finally:
        server.stop()


def fields_of(pid: int) -> list[str]:
    """Return /proc/PID/stat from the state on: [state, parent, ...] (man 5 proc)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def ticks_of(pid: int) -> int:
    """Return utime, stime, cutime and cstime of a process, 0 when it has just gone."""
    with suppress(OSError):
        return sum(map(int, fields_of(pid)[11:15]))
    return 0


def status_bytes(pid: int, field: str) -> int:
    """Return one size of /proc/PID/status, 0 when the process has just gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024
    return 0


def connect(port: int) -> None:
    """Connect and leave, an OSError where nobody listens."""
    socket.create_connection((HOST, port), timeout=5).close()


def free_port() -> int:
    """Return a port of the loopback that nobody uses and no client is given by the system."""
    for count in itertools.islice(PORTS, LAST_PORT - FIRST_PORT):
        port = FIRST_PORT + count % (LAST_PORT - FIRST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise ServerError("every port is taken")
