"""The servers of the suite: how each is started, and the limits of each.

A limit is a place where a server cannot do what ohia's own does. Tests name it and say what
comes instead; `docs/servers.md` lists it for users.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

START = {
    "ohia": ["application.py", "{port}"],
    "uvicorn": [
        *("-m", "uvicorn", "application:app", "--port", "{port}"),
        *("--no-proxy-headers", "--log-level", "critical"),
    ],
    "uvicorn-h11": [
        *("-m", "uvicorn", "application:app", "--port", "{port}", "--http", "h11"),
        *("--ws", "wsproto", "--no-proxy-headers", "--log-level", "critical"),
    ],
    "hypercorn": [
        *("-m", "hypercorn", "application:app", "--bind", "127.0.0.1:{port}"),
        *("--log-level", "critical"),
    ],
    "granian": [
        *("-m", "granian", "application:app", "--interface", "asgi", "--port", "{port}"),
        *("--log-level", "critical", "--workers-kill-timeout", "1"),
    ],
}
IN_LOOP = "ohia-in-loop"
IN_MEMORY = "memory"
OWN = frozenset({"ohia", IN_LOOP})
NETWORK = (IN_LOOP, *START)
ALL = (IN_MEMORY, *NETWORK)

STARTING = 15  # seconds that a process may take until it answers


@dataclass(frozen=True)
class Limit:
    """What some servers cannot do, in words for users."""

    says: str
    servers: frozenset[str]


FOREIGN = frozenset({"uvicorn", "uvicorn-h11", "hypercorn", "granian"})

LIMITS: dict[str, Limit] = {
    "accept-headers": Limit(
        "Headers and cookies set before `ctx.upgrade()` do not arrive; ohia logs it once.",
        frozenset({"granian"}),
    ),
    "one-cookie": Limit(
        "A refused WebSocket carries one `Set-Cookie` at most; ohia logs it once.",
        frozenset({"granian"}),
    ),
    "close-code": Limit(
        "The code of the client's close is lost: it reads 1006.", frozenset({"hypercorn"})
    ),
    "close-reason": Limit(
        "The reason of the client's close is lost.", frozenset({"hypercorn", "granian"})
    ),
    "lost-connection": Limit(
        "A lost connection reads 1005, as if the client had closed without a code.",
        frozenset({"uvicorn", "uvicorn-h11", "granian"}),
    ),
    "no-ping": Limit(
        "`socket.ping()` raises RuntimeError; the server pings by its own settings.", FOREIGN
    ),
    "refusal-closes": Limit(
        "The connection is closed after a refused WebSocket.",
        frozenset({"uvicorn", "uvicorn-h11", "hypercorn"}),
    ),
    "early-frame-lost": Limit(
        "A frame that comes in one packet with the handshake is lost.",
        frozenset({"uvicorn", "uvicorn-h11"}),
    ),
    "early-frame-refused": Limit(
        "A frame that comes before the handshake was answered is a 400.",
        frozenset({"hypercorn"}),
    ),
    "post-handshake": Limit(
        "A POST with the fields of a handshake becomes a WebSocket.", frozenset({"granian"})
    ),
    "no-message": Limit("`ctx.message` is not sent; the status has its usual phrase.", FOREIGN),
    "own-bad-handshakes": Limit(
        "A malformed handshake is answered by the server, before any middleware runs.", FOREIGN
    ),
    "foreign-upgrade": Limit(
        "The body of a request with `Upgrade` to another protocol is lost; reading it is a 400.",
        frozenset({"uvicorn"}),
    ),
}


@contextmanager
def running(names: Iterable[str]) -> Iterator[dict[str, int]]:
    """Run the servers `names` as processes and give their ports."""
    processes: dict[int, subprocess.Popen[bytes]] = {}
    ports = {name: free_port() for name in names}
    try:
        for name, port in ports.items():
            processes[port] = start(name, port)
        for port, process in processes.items():
            wait_until_listening(port, process)
        yield ports
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            end(process)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def start(name: str, port: int) -> "subprocess.Popen[bytes]":
    """Start a server; with OHIA_SERVER_LOG in the environment its output is shown."""
    command = [sys.executable, *(each.format(port=port) for each in START[name])]
    log = None if "OHIA_SERVER_LOG" in os.environ else subprocess.DEVNULL
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    return subprocess.Popen(command, cwd=HERE, env=environment, stdout=log, stderr=log)  # noqa: S603 - the table above


def end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of a process that was told to end, for a while."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_listening(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when `port` takes connections; no server has a better signal for all of them."""
    end = time.monotonic() + STARTING
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
