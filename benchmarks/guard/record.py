"""The figures that were recorded, by Python version and workload, and what differs from them."""

import json
import sys
from typing import NamedTuple

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}{sys.abiflags}"
MOST = 0.05  # above or below the record
TRIFLE = {"instructions": 0, "calls": 1, "bytes": 64}  # which may be more than that of a few


class Figure(NamedTuple):
    """One figure beside its record, which is 0 for what is new."""

    workload: str
    measure: str
    counted: int
    recorded: int

    @property
    def rise(self):
        return self.counted / self.recorded - 1 if self.recorded else float("inf")

    @property
    def has_risen(self):
        return self.rise > MOST and self.counted - self.recorded > TRIFLE[self.measure]

    @property
    def has_fallen(self):
        return self.rise < -MOST

    def __str__(self):
        figures = f"{self.counted} {self.measure}, recorded {self.recorded}"
        return f"{self.workload}: {figures} ({self.rise:+.1%})"


def read(path):
    """Return what `path` holds for this Python; None if that was never recorded."""
    return _every(path).get(PYTHON)


def write(path, counted):
    """Replace the workloads that were counted."""
    every = _every(path)
    every[PYTHON] = {**every.get(PYTHON, {}), **counted}
    path.write_text(json.dumps(dict(sorted(every.items())), indent=2) + "\n")


def _every(path):
    return json.loads(path.read_text()) if path.exists() else {}


def beside(recorded, counted):
    """Return each figure that was counted beside its record."""
    return [
        Figure(workload, measure, figure, recorded.get(workload, {}).get(measure, 0))
        for workload, figures in counted.items()
        for measure, figure in figures.items()
    ]
