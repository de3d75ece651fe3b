"""What a request costs, in figures that are the same on every machine: `python benchmarks/guard`.

Each workload runs in memory, through the server's own connection. Of one request are counted

- the bytecode instructions that run, of ohia and of all Python code that it calls;
- the calls of functions written in C;
- the bytes of memory that it takes at most, which is where a copy of a body shows.

A figure more than five percent above `record.json` fails, and so do requests that leave memory
behind or need the cycle collector.

Why these: they are the same in each run, with each hash seed, and in Debian's optimised 3.11.2
as in a plain build of 3.11.7, but for the bytes, which may differ by some fifty. Only each minor
version of Python has a record of its own, and the libraries are those of `constraints.txt`.
Machine instructions, by callgrind, differ by a fifth between those two builds; so the work of C
code within one call is not seen, nor that of the loop, which is uvloop. `make bench` times both.
"""

# ruff: noqa: T201 - for whoever asked

import argparse
import sys
from pathlib import Path

import record
import runs
from pythons import record_with
from report import left_behind, print_profile, print_table
from workloads import WORKLOADS

UNRECORDED = 77  # what Automake calls skipped


def parse_options():
    parser = argparse.ArgumentParser(prog="guard", description=__doc__.partition("\n")[0])
    parser.add_argument("workloads", nargs="*", help=", ".join(WORKLOADS))
    parser.add_argument("--record", action="store_true", help="write the figures down")
    parser.add_argument("--python", action="append", default=[], help="record with this one too")
    parser.add_argument("--profile", action="store_true", help="show where the instructions run")
    parser.add_argument("--file", type=Path, default=Path(__file__).with_name("record.json"))
    options = parser.parse_args()
    unknown = set(options.workloads) - set(WORKLOADS)
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)}")
    return options


def main():
    options = parse_options()
    workloads = options.workloads or WORKLOADS
    if options.profile:
        for each in workloads:
            print_profile(each)
        return 0
    counted = {each: runs.figures(each) for each in workloads}
    if options.record:
        record.write(options.file, counted)
    status = check(counted, record.read(options.file))
    others = [
        record_with(each, "--file", options.file, *options.workloads) for each in options.python
    ]
    return max([status, *others])


def check(counted, recorded):
    """Tell how the figures stand; return the exit status."""
    if recorded is None:
        print(f"nothing is recorded for Python {record.PYTHON}: `make guard-record`")
        return UNRECORDED
    figures = record.beside(recorded, counted)
    print_table(figures)
    worse = [each for each in figures if each.has_risen]
    better = [each for each in figures if each.has_fallen]
    left = list(left_behind(counted))
    if worse:
        print(
            *worse, "If it is worth that: `make guard-record`, and the commit says why.", sep="\n"
        )
    if better:
        print(*better, "That is less: `make guard-record` would hold it.", sep="\n")
    print(*left, sep="\n", end="")
    return 1 if worse or left else 0


if __name__ == "__main__":
    sys.exit(main())
