"""One measurement: a fresh server, an answer that is checked, a warm-up, then the counting."""

import http.client
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import load
from load import LoadError, Tools
from process import Server, ServerError, connect, free_port, serving
from workloads import Workload, WrongAnswerError, check

APPS = Path(__file__).parent / "apps"
WARM_UPS, WARM_REQUESTS = 3, 10_000  # seconds at most, and when the first of them will do
FIRST_REQUESTS = 10_000  # after which a server's memory is told
ENVIRONMENT = {"OHIA_ENV": "production", "NODE_ENV": "production", "PYTHONHASHSEED": "0"}
FAILURES = (
    ServerError,
    LoadError,
    WrongAnswerError,
    OSError,
    http.client.HTTPException,
    subprocess.TimeoutExpired,
)


@dataclass(frozen=True)
class Bench:
    """What all measurements of a run share."""

    paths: Any  # of prepare.py, for the subjects' commands
    tools: Tools
    seconds: int


def served(bench: Bench, subject: Any, workload: Workload, take: Callable[..., Any]) -> Any:
    """Start `subject` for `workload` and return `take(server, port)`."""
    port = free_port()
    told = ENVIRONMENT | workload.environment | {"PORT": str(port)} | dict(subject.env)
    with serving(subject.command(bench.paths, port), told, APPS) as server:
        try:
            return take(server, port)
        except LoadError as error:
            ended = "" if server.is_running() else server.end_of_log()
            raise LoadError(f"{error}{ended}") from error


def sample(bench: Bench, subject: Any, workload: Workload) -> dict[str, float]:
    """Return answers, seconds, CPU seconds, latencies and greatest memory of one server's run."""

    def take(server: Server, port: int) -> dict[str, float]:
        wait_until_right(bench, server, workload, port)
        warm_up(bench, workload, port)
        before = server.cpu_seconds()
        counted = load.run(bench.tools, workload, port, bench.seconds)
        used = server.cpu_seconds() - before
        return vars(counted) | {"cpu": used, "peak": server.memory("VmHWM")}

    return served(bench, subject, workload, take)


def warm_up(bench: Bench, workload: Workload, port: int) -> None:
    """Ask for a second, and again while that is too little for a compiler to wake up."""
    asked = 0
    for _ in range(WARM_UPS):
        asked += load.count(bench.tools, workload, port, 1)["requests"]
        if asked >= WARM_REQUESTS:
            break


def wait_until_right(bench: Bench, server: Server, workload: Workload, port: int) -> None:
    """Wait for the server and check what it answers."""
    if workload.message:
        server.wait_for_answer(partial(connect, port))
        load.check_socket(bench.tools, workload, port)
    else:
        server.wait_for_answer(partial(check, workload, port))


def start(bench: Bench, subject: Any, workload: Workload) -> dict[str, float]:
    """Return seconds to the first answer, CPU until then, and memory idle and after requests."""

    def take(server: Server, port: int) -> dict[str, float]:
        taken = {"first": server.wait_for_answer(partial(check, workload, port))}
        taken |= {"cpu": server.cpu_seconds(), "idle": server.memory()}
        load.ask_often(port, FIRST_REQUESTS, workload.connections)
        return taken | {"after": server.memory(), "processes": len(server.tree())}

    return served(bench, subject, workload, take)
