"""What is told of the figures."""

# ruff: noqa: T201 - that is its purpose

from itertools import groupby
from pathlib import Path

import measures
import runs
from record import PYTHON

MOST_LEFT = 0.1  # blocks of a request: caches may grow a little


def print_table(figures):
    print(f"Python {PYTHON}, of one request: counted, recorded, rise")
    for workload, its in groupby(figures, key=lambda figure: figure.workload):
        cells = [
            f"{each.counted:>8}{each.recorded:>8}{each.rise:>+7.1%} {each.measure}" for each in its
        ]
        print(f"{workload:<12}", *cells)


def left_behind(workloads):
    """Yield a line for each workload whose requests leave something."""
    for each in workloads:
        blocks, found = runs.leavings(each)
        if blocks > MOST_LEFT:
            yield f"{each}: {blocks:.2f} blocks of memory left by each request"
        if found:
            yield f"{each}: {found} objects that only the cycle collector frees"


def print_profile(workload):
    """Print where a request's instructions run and what it calls, the most first."""
    ran = runs.counts(workload, measures.instructions)
    print(f"{workload}: {ran.total():.0f} instructions of Python {PYTHON}")
    for code, count in ran.most_common():
        place = "/".join(Path(code.co_filename).parts[-2:])
        line = f"{place}:{code.co_firstlineno}"
        print(f"{count:>9.1f} {count / ran.total():>6.1%}  {code.co_qualname:<40} {line}")
    called = runs.counts(workload, measures.calls)
    print(f"\n{called.total():.0f} calls of C functions")
    for function, count in called.most_common():
        print(f"{count:>9.1f}  {function}")
