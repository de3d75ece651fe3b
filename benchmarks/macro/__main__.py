"""The macro benchmark: `python benchmarks/macro [options]`, on Linux.

Every subject answers the same requests in turn, the server on one core and the load on another;
docs/benchmarks.md tells how, and is written from the results. Those are kept in .cache/bench for
each Python, and runs of some subjects or workloads replace only theirs.
"""

import argparse
import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import extras
import growth
import results
from load import Tools
from machine import facts
from measure import Bench, sample, start
from prepare import CACHE, Paths, installed, prepare
from process import LOAD_CORE
from report import write_report
from rounds import Rounds, Step, say
from subjects import SUBJECTS, available
from workloads import HELLO, WORKLOADS, Workload

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
FIRST = ("ohia", "koa")
EXTRAS = ("imports", "parts", "routing", "middleware")
NAMES = [*(each.name for each in WORKLOADS), "start", *EXTRAS]


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("benchmarks/macro", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of all subjects (5)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--subjects", type=words, help=", ".join(each.name for each in SUBJECTS))
    parser.add_argument("--workloads", type=words, help=", ".join([*NAMES, *growth.SERIES]))
    parser.add_argument("--growth", action="store_true", help="how cost grows, instead")
    parser.add_argument("--quick", action="store_true", help="a round of a second, kept apart")
    parser.add_argument("--report", action="store_true", help="write the page from what is kept")
    chosen = parser.parse_args(arguments)
    refuse_unknown(parser, chosen.subjects, {each.name for each in SUBJECTS})
    known = set(growth.SERIES) if chosen.growth else set(NAMES)
    refuse_unknown(parser, chosen.workloads, known)
    if chosen.quick:
        chosen.rounds, chosen.seconds = 1, 1
    return chosen


def words(text: str) -> list[str]:
    return text.split(",")


def refuse_unknown(
    parser: argparse.ArgumentParser, asked: list[str] | None, known: set[str]
) -> None:
    """Exit with the names that are known when another was asked for."""
    strange = set(asked or ()) - known
    if strange:
        parser.error(f"unknown: {', '.join(strange)}; known are {', '.join(sorted(known))}")


def main() -> None:
    """Measure what was asked for, keep it, and write the page."""
    chosen = options()
    file = CACHE / f"results-python{VERSION}{'-quick' if chosen.quick else ''}.json"
    if not chosen.report:
        with alone():
            measure(chosen, file)
    if chosen.quick:
        say(f"kept apart, in {file}")
    else:
        write_report(CACHE)


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of the folder: two runs would measure, and overwrite, one another."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is at work here; waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def measure(chosen: argparse.Namespace, file: Path) -> None:
    """Take all samples into the file."""
    paths = prepare()
    bench = make_bench(paths, chosen.seconds)
    store = results.read(file)
    run = datetime.now(UTC).isoformat(timespec="seconds")
    store["facts"] |= facts() | {"versions": installed(paths)}
    rounds = Rounds(bench, store, lambda: results.write(file, store), run)
    ready = available(paths)
    store["facts"]["left_out"] = [each.name for each in SUBJECTS if each not in ready]
    plan = plan_of(chosen, pick(ready, chosen.subjects))
    say(f"about {estimate(plan, chosen) / 60:.0f} minutes")
    rounds.measure(plan, chosen.rounds)
    for name in EXTRAS:
        if not chosen.growth and is_chosen(name, chosen.workloads):
            measure_extra(name, rounds, paths, chosen.rounds)


def make_bench(paths: Paths, seconds: int) -> Bench:
    """Move this process to the core of the load, and let it and its servers open many files."""
    os.sched_setaffinity(0, {LOAD_CORE})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = CACHE / "load"
    folder.mkdir(parents=True, exist_ok=True)
    return Bench(paths, Tools(paths.wrk, str(paths.python), folder), seconds)


def plan_of(chosen: argparse.Namespace, subjects: list[Any]) -> list[Step]:
    """Return what is measured, in order, with the subjects that can."""
    return growth_plan(chosen, subjects) if chosen.growth else usual_plan(chosen, subjects)


def usual_plan(chosen: argparse.Namespace, subjects: list[Any]) -> list[Step]:
    """Return the workloads that were asked for, and the start of every server."""
    steps = [
        Step(workload, workload.name, sample, [s for s in subjects if is_able(s, workload)])
        for workload in WORKLOADS
    ]
    steps.append(Step(HELLO, "start", start, [s for s in subjects if is_able(s, HELLO)]))
    return [step for step in steps if is_chosen(step.name, chosen.workloads) and step.subjects]


def growth_plan(chosen: argparse.Namespace, subjects: list[Any]) -> list[Step]:
    """Return the points of every series that was asked for."""
    return [
        Step(workload, workload.name, sample, [s for s in subjects if s.name in names])
        for series, points in growth.points().items()
        if is_chosen(series, chosen.workloads)
        for workload, names in points
    ]


def is_able(subject: Any, workload: Workload) -> bool:
    return workload.program in subject.workloads


def is_chosen(name: str, names: list[str] | None) -> bool:
    return names is None or name in names


def pick(subjects: Sequence[Any], names: list[str] | None) -> list[Any]:
    """Return the subjects of these names, all without any; ohia and Koa side by side in front."""
    chosen = [subject for subject in subjects if is_chosen(subject.name, names)]
    return sorted(chosen, key=lambda subject: subject.name not in FIRST)


def estimate(plan: list[Step], chosen: argparse.Namespace) -> float:
    """Return about how many seconds the plan takes: starting and warming up are two."""
    samples = sum(len(step.subjects) for step in plan) * chosen.rounds
    return samples * (chosen.seconds + 2)


def measure_extra(name: str, rounds: Rounds, paths: Paths, count: int) -> None:
    """Measure what needs no server; say it when that fails."""
    try:
        taken = getattr(extras, name)(paths.python, count)
    except (subprocess.CalledProcessError, OSError, ValueError) as error:
        say(f"{name} FAILED: {error} {getattr(error, 'stderr', '')}")
        results.fail(rounds.store, name, "ohia", rounds.run, str(error))
        return
    rounds.store["entries"].pop(name, None)  # they are always measured together
    for number, figures in enumerate(taken):
        for subject, each in figures.items():
            stamped = each | {"run": rounds.run, "round": number}
            results.add(rounds.store, name, subject, stamped)
    say(f"{name}: {len(taken)} rounds")
    rounds.save()


if __name__ == "__main__":
    main()
