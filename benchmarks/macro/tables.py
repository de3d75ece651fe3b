"""Tables of the results in Markdown: pure functions from stores to text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import results
from results import Ratio, Store

MIB = 1 << 20
NONE = "-"
Stores = Mapping[str, Store]  # by Python's version, the one that is reported in full first


class Reference(NamedTuple):
    """What the subjects of a workload are set against."""

    workload: str
    subject: str


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "---:") -> str:
    """Return a table; all columns but the first are figures, unless `align` says otherwise."""
    lines = [heads, ["---", *[align] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None, digits: int = 1) -> str:
    """Return a figure with so many decimals, fewer from a hundred on."""
    if value is None:
        return NONE
    return f"{value:,.{digits if value < 100 else 0}f}"


def ratio(found: Ratio | None) -> str:
    """Return a ratio with its range: `0.48 (0.45 to 0.52)`."""
    if found is None:
        return NONE
    middle, low, high = (number(each, 1 if each >= 10 else 2) for each in found[:3])
    return middle if found.rounds == 1 else f"{middle} ({low} to {high})"


def workload_table(
    stores: Stores, workload: str, reference: Reference, names: Mapping[str, str]
) -> str:
    """Return the subjects of a workload, cheapest first; a last column for each other Python."""
    first, *others = stores
    subjects = sorted(
        known(stores[first], workload), key=lambda s: cost(stores[first], workload, s)
    )
    heads = [
        "",
        "requests/s",
        "CPU us/request",
        f"of {names[reference.subject]}",
        "p99, ms",
        "core",
    ]
    heads += [f"of {names[reference.subject]}, Python {version}" for version in others]
    rows = []
    for subject in subjects:
        row = workload_row(stores[first], workload, subject, reference)
        row += [ratio(against(stores[each], workload, subject, reference)) for each in others]
        rows.append([names[subject], *row])
    return table(heads, rows)


def workload_row(store: Store, workload: str, subject: str, reference: Reference) -> list[str]:
    """Return the figures of one subject."""
    samples = results.samples_of(store, workload, subject)
    share = results.middle(samples, results.busy)
    return [
        number(results.middle(samples, results.rate), 0),
        number(results.middle(samples, results.cpu)),
        ratio(against(store, workload, subject, reference)),
        number(results.middle(samples, results.named("p99"))),
        NONE if share is None else f"{share:.0%}",
    ]


def known(store: Store, workload: str) -> list[str]:
    """Return the subjects that have samples."""
    return [each for each, entry in store["entries"].get(workload, {}).items() if entry["samples"]]


def cost(store: Store, workload: str, subject: str) -> float:
    """Return the median CPU of a request, for sorting."""
    return results.middle(results.samples_of(store, workload, subject), results.cpu) or 0


def against(store: Store, workload: str, subject: str, reference: Reference) -> Ratio | None:
    """Return the paired ratio of CPU per request."""
    samples = results.samples_of(store, workload, subject)
    return results.paired(samples, results.samples_of(store, *reference), results.cpu)


def start_table(store: Store, names: dict[str, str]) -> str:
    """Return how long servers take to start and what memory they hold, least memory first."""
    heads = [
        "",
        "first answer, s",
        "CPU until then, s",
        "MiB idle",
        "MiB after 10,000",
        "processes",
    ]
    rows = {}
    for subject in known(store, "start"):
        samples = results.samples_of(store, "start", subject)
        found = {
            n: results.middle(samples, results.named(n)) or 0 for n in samples[0] if n != "run"
        }
        rows[subject] = found
    ordered = sorted(rows, key=lambda subject: rows[subject]["after"])
    return table(heads, ([names[each], *start_row(rows[each])] for each in ordered))


def start_row(found: Mapping[str, float]) -> list[str]:
    """Return the figures of one server's start."""
    memory = [number(found[name] / MIB) for name in ("idle", "after")]
    return [
        number(found["first"], 2),
        number(found["cpu"], 2),
        *memory,
        f"{found['processes']:.0f}",
    ]


def failure_list(stores: Stores) -> str:
    """Return what was left out and what failed, and why."""
    lines = [line for version, store in stores.items() for line in failures_of(version, store)]
    return "\n".join(lines or ["Nothing."]) + "\n"


def failures_of(version: str, store: Store) -> list[str]:
    """Return a line for each subject of a Python that is not there or failed."""
    lines = [
        f"- {subject}, Python {version}: not to be had on this machine."
        for subject in store["facts"].get("left_out", ())
    ]
    for workload, entries in sorted(store["entries"].items()):
        lines += [
            f"- {subject}, {workload}, Python {version}, {len(entry['failures'])} of "
            f"{len(entry['failures']) + len(entry['samples'])} samples: {in_short(entry)}"
            for subject, entry in sorted(entries.items())
            if entry["failures"]
        ]
    return lines


def in_short(entry: Mapping[str, Sequence[str]]) -> str:
    """Return the first words of the latest failure, and the last line of it."""
    first, *rest = entry["failures"][-1].splitlines()
    return f"`{first[:60]}{f' ... {rest[-1].strip()[:120]}' if rest else ''}`"
