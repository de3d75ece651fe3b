"""Samples: kept as JSON, merged by workload and subject, summed up as medians and paired ratios.

A store is `{"facts": {...}, "entries": {workload: {subject: entry}}}`, an entry `{"run": when,
"samples": [...], "failures": [sentence, ...]}`. Only samples of one round of one run are set
against one another, for what a shared machine does to one it does to its neighbour as well.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

Sample = dict[str, Any]  # run, round, and figures by name
Samples = list[Sample]
Store = dict[str, dict[str, Any]]
Figure = Callable[[Sample], float]


class Ratio(NamedTuple):
    """The median of the rounds' ratios, the least, the greatest, and how many rounds."""

    median: float
    low: float
    high: float
    rounds: int


def cpu(sample: Sample) -> float:
    """Return microseconds of CPU for one request."""
    return sample["cpu"] / sample["requests"] * 1e6


def rate(sample: Sample) -> float:
    """Return requests a second."""
    return sample["requests"] / sample["seconds"]


def busy(sample: Sample) -> float:
    """Return the part of its core that the server used."""
    return sample["cpu"] / sample["seconds"]


def named(name: str) -> Figure:
    """Return the figure that a sample has by name, as `p99`."""
    return lambda sample: sample[name]


def read(path: Path) -> Store:
    """Return the store of a file, an empty one where there is none."""
    store = json.loads(path.read_text()) if path.exists() else {}
    return {"facts": {}, "entries": {}} | store


def write(path: Path, store: Store) -> None:
    """Keep the store; the file stays whole if this is interrupted."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(store, indent=1, sort_keys=True) + "\n")
    beside.replace(path)


def add(store: Store, workload: str, subject: str, sample: Sample) -> None:
    """Add a sample; the first of a run replaces what earlier runs knew."""
    entry_of(store, workload, subject, sample["run"])["samples"].append(sample)


def fail(store: Store, workload: str, subject: str, run: str, reason: str) -> None:
    """Add the reason why there is no sample; it replaces what earlier runs knew as well."""
    entry_of(store, workload, subject, run)["failures"].append(reason)


def entry_of(store: Store, workload: str, subject: str, run: str) -> dict[str, Any]:
    """Return the entry of this run, a new one where that of another stands."""
    entries = store["entries"].setdefault(workload, {})
    if entries.get(subject, {}).get("run") != run:
        entries[subject] = {"run": run, "samples": [], "failures": []}
    return entries[subject]


def samples_of(store: Store, workload: str, subject: str) -> Samples:
    """Return what is known of a subject in a workload, maybe nothing."""
    return store["entries"].get(workload, {}).get(subject, {}).get("samples", [])


def middle(samples: Samples, figure: Figure) -> float | None:
    """Return the median of a figure, None where there is no sample."""
    return median(map(figure, samples)) if samples else None


def paired(samples: Samples, references: Samples, figure: Figure) -> Ratio | None:
    """Return how a figure stands against the reference's in the same round, None without any."""
    beside = {moment(each): figure(each) for each in references}
    ratios = [figure(each) / beside[moment(each)] for each in samples if moment(each) in beside]
    return Ratio(median(ratios), min(ratios), max(ratios), len(ratios)) if ratios else None


def moment(sample: Sample) -> tuple[str, int]:
    """Return what samples that were taken beside one another share."""
    return sample["run"], sample["round"]


def best(store: Store, workload: str, subjects: Iterable[str], figure: Figure) -> str | None:
    """Return the subject with the least median of a figure, None where none has any."""
    medians = {each: middle(samples_of(store, workload, each), figure) for each in subjects}
    known = {each: found for each, found in medians.items() if found is not None}
    return min(known, key=known.__getitem__, default=None)
