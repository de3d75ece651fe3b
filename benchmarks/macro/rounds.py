"""Rounds: every subject of every workload in turn, and whatever fails is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import results
from load import LoadError
from measure import FAILURES, Bench
from workloads import Workload


@dataclass(frozen=True)
class Step:
    """One workload: how a sample of it is taken, and from whom, in order."""

    workload: Workload
    name: str
    take: Callable[[Bench, Any, Workload], dict[str, float]]
    subjects: Sequence[Any]


class Rounds:
    """The measuring of a plan into a store; `save` is called after every workload."""

    def __init__(self, bench: Bench, store: results.Store, save: Callable[[], None], run: str):
        self.bench, self.store, self.save, self.run = bench, store, save, run
        self.broken: set[tuple[str, str]] = set()

    def measure(self, plan: Sequence[Step], rounds: int) -> None:
        """Take the samples; the order turns with each round, neighbours stay neighbours."""
        for number in range(rounds):
            for step in plan:
                for subject in step.subjects[:: -1 if number % 2 else 1]:
                    self.take(step, subject, number)
                self.save()

    def take(self, step: Step, subject: Any, number: int) -> None:
        """Take one sample, unless the subject did not even start in an earlier round."""
        if (step.name, subject.name) in self.broken:
            return
        label = f"{number + 1} {step.name:22} {subject.name:22}"
        try:
            sample = step.take(self.bench, subject, step.workload)
        except FAILURES as error:
            self.fail(step, subject, error)
            say(f"{label} FAILED: {error}")
        else:
            stamped = sample | {"run": self.run, "round": number}
            results.add(self.store, step.name, subject.name, stamped)
            say(f"{label} {line_of(stamped)}")

    def fail(self, step: Step, subject: Any, error: Exception) -> None:
        """Keep the reason; only what the load met may go away by itself."""
        reason = f"{type(error).__name__}: {error}"
        results.fail(self.store, step.name, subject.name, self.run, reason)
        if not isinstance(error, LoadError):
            self.broken.add((step.name, subject.name))


def line_of(sample: results.Sample) -> str:
    """Return a sample in words, for whoever waits."""
    if "requests" not in sample:
        return f"{sample['first']:.2f} s, {sample['after'] / 2**20:.1f} MiB"
    speed = f"{results.rate(sample):9,.0f}/s {results.cpu(sample):8.1f} us"
    return f"{speed}  p99 {sample['p99']:.1f} ms  core {results.busy(sample):.0%}"


def say(line: str) -> None:
    """Print at once, through a pipe too."""
    print(line, flush=True)
