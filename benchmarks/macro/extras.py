"""What is measured beside requests: imports in fresh interpreters, parts without a server."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from measure import ENVIRONMENT

Figures = dict[str, dict[str, float]]  # of one round, by what was measured
MODULES = ("asyncio", "ohia")
IMPORTS_A_ROUND = 8
TIMED_IMPORT = """
import time
wall, cpu = time.perf_counter(), time.process_time()
import {}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def imports(python: Path, rounds: int) -> list[Figures]:
    """Return the seconds of each import, on the clock and of CPU, modules taking turns."""
    return [
        {module: import_once(python, module) for module in MODULES}
        for _ in range(rounds * IMPORTS_A_ROUND)
    ]


def import_once(python: Path, module: str) -> dict[str, float]:
    """Import a module in a fresh interpreter."""
    wall, cpu = map(float, output(python, "-c", TIMED_IMPORT.format(module)).split())
    return {"wall": wall, "cpu": cpu}


def parts(python: Path, rounds: int) -> list[Figures]:
    """Return nanoseconds of CPU of a layer by kind of chain."""
    found = json.loads(output(python, str(Path(__file__).parent / "parts.py"), str(rounds)))
    return [{kind: {"nanoseconds": n} for kind, n in each.items()} for each in found]


def routing(python: Path, rounds: int) -> list[Figures]:
    """Return nanoseconds of finding a route, by router and path, then by the number of routes."""
    return [printed(python, "routing.py") for _ in range(rounds)]


def middleware(python: Path, rounds: int) -> list[Figures]:
    """Return microseconds of CPU of a hello below each middleware."""
    found = [printed(python, "middleware.py") for _ in range(rounds)]
    return [{name: {"microseconds": n} for name, n in each.items()} for each in found]


def printed(python: Path, program: str) -> dict[str, Any]:
    """Return what one of the smaller benchmarks measures."""
    path = Path(__file__).parent.parent / program
    figures: dict[str, Any] = json.loads(output(python, str(path), "--json"))
    return figures


def output(python: Path, *arguments: str) -> str:
    """Run a program to its end and return what it printed."""
    command = [str(python), *arguments]
    told = os.environ | ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": ""}  # nobody compiles twice
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=told)
    return done.stdout
