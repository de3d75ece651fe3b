"""Writes docs/benchmarks.md and its charts: the words there stay, what is between marks is new.

A part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; which names there are is
said in `parts`.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import median

import chart
import growth
import results
import tables
from aims import aims_table
from subjects import SUBJECTS, Subject
from tables import Reference, Stores
from workloads import WORKLOADS, Workload

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = DOCS / "benchmarks.md"
REFERENCE, SOCKET_REFERENCE = "koa", "node ws"
CHARTED = ("hello", "layers", "json", "echo")
UNIT = "CPU us/request"
UNKNOWN = "Not measured yet.\n"
WHOLE = ("hello alone", "all of them")  # of the middleware; the others are told as differences
GROWTH = {
    "layers": ("Layers", (False, False)),
    "headers": ("Header fields of a request", (False, False)),
    "bodies": ("Bytes sent back, both axes by powers", (True, True)),
    "connections": ("Connections, by powers", (True, False)),
}
EXTRAS = (  # title, workload, subject, figure, and what it is multiplied with
    ("`import asyncio`, ms of CPU", "imports", "asyncio", "cpu", 1000),
    ("`import ohia`, ms of CPU", "imports", "ohia", "cpu", 1000),
    ("`import asyncio`, ms", "imports", "asyncio", "wall", 1000),
    ("`import ohia`, ms", "imports", "ohia", "wall", 1000),
    ("a layer, a guarded closure by hand, ns", "parts", "closures", "nanoseconds", 1),
    ("a layer, `async def`, ns", "parts", "async def", "nanoseconds", 1),
    ("a layer, a generator, ns", "parts", "generators", "nanoseconds", 1),
)
GROUPS = {subject.name: subject.group for subject in SUBJECTS}
NAMES = {subject.name: subject.name for subject in SUBJECTS}


def write_report(folder: Path) -> None:
    """Write the page and the charts from the results in `folder`; exit where there are none."""
    stores = stores_in(folder)
    if not stores:
        raise SystemExit(f"no results in {folder}: measure first")
    PAGE.write_text(fill(PAGE.read_text(), parts(stores)))
    first = next(iter(stores.values()))
    (DOCS / "benchmarks.svg").write_text(bar_chart(first))
    (DOCS / "benchmarks-growth.svg").write_text(growth_chart(first))
    print(f"wrote {PAGE}")


def stores_in(folder: Path) -> Stores:
    """Return the stores of all Pythons, oldest first."""
    found = {}
    for file in folder.glob("results-python*.json"):
        version = file.stem.removeprefix("results-python")
        if not version.endswith("-quick"):
            found[version] = results.read(file)
    return dict(sorted(found.items(), key=lambda pair: [int(n) for n in pair[0].split(".")]))


def fill(page: str, contents: Mapping[str, str]) -> str:
    """Return the page with each part renewed; a part without its marks is a ValueError."""
    for name, content in contents.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the page has no {begin} ... {end}")
        page = f"{before}{begin}\n\n{content}\n{end}{after}"
    return page


def parts(stores: Stores) -> dict[str, str]:
    """Return the generated parts of the page by name."""
    first = next(iter(stores.values()))
    frameworks = [name for name, group in GROUPS.items() if group == "python"]
    return {
        "aims": aims_table(stores, frameworks),
        "workloads": workload_tables(stores),
        "start": tables.start_table(first, NAMES),
        "extras": extras_table(stores),
        "routing": routing_table(first),
        "middleware": middleware_table(stores),
        "growth": growth_tables(first),
        "failures": tables.failure_list(stores),
        "machine": machine_list(stores),
        "subjects": subject_table(stores),
    }


def workload_tables(stores: Stores) -> str:
    """Return a headed table for each workload."""
    first = next(iter(stores.values()))
    return "\n".join(
        f"### {workload.title}\n\n"
        + tables.workload_table(stores, workload.name, reference_of(workload), NAMES)
        for workload in WORKLOADS
        if tables.known(first, workload.name)
    )


def reference_of(workload: Workload) -> Reference:
    """Return what a workload's table sets its subjects against."""
    subject = SOCKET_REFERENCE if workload.message else REFERENCE
    return Reference(workload.beside or workload.name, subject)


def bar_chart(store: results.Store) -> str:
    """Return the bars of the charted workloads."""
    titles = {workload.name: workload.title for workload in WORKLOADS}
    panels = [
        chart.bars(titles[name], UNIT, bars_of(store, name))
        for name in CHARTED
        if tables.known(store, name)
    ]
    return chart.sheet(panels, "CPU time per request by framework, less is better")


def bars_of(store: results.Store, workload: str) -> list[chart.Bar]:
    """Return the subjects of a workload as bars, the cheapest first."""
    found = [(tables.cost(store, workload, s), s) for s in tables.known(store, workload)]
    return [chart.Bar(NAMES[name], GROUPS[name], cost) for cost, name in sorted(found)]


def growth_of(store: results.Store, series: str) -> dict[str, dict[float, float]]:
    """Return the median CPU of a request by subject and amount."""
    _, counts, subjects = growth.SERIES[series]
    found: dict[str, dict[float, float]] = {}
    for subject in subjects:
        for count in counts:
            samples = results.samples_of(store, growth.name_of(series, count), subject)
            if samples:
                found.setdefault(subject, {})[count] = results.middle(samples, results.cpu)
    return found


def growth_chart(store: results.Store) -> str:
    """Return the lines of all series that were measured."""
    panels = []
    for series, (title, powers) in GROWTH.items():
        found = growth_of(store, series)
        if found:
            drawn = [chart.Line(NAMES[s], GROUPS[s], points) for s, points in found.items()]
            panels.append(chart.lines(title, UNIT, drawn, powers=powers))
    return chart.sheet(panels, "How the CPU time of a request grows")


def growth_tables(store: results.Store) -> str:
    """Return the figures behind the lines."""
    written = []
    for series in growth.SERIES:
        found = growth_of(store, series)
        amounts = sorted({amount for points in found.values() for amount in points})
        rows = [
            [NAMES[s], *(tables.number(points.get(amount)) for amount in amounts)]
            for s, points in found.items()
        ]
        if rows:
            written.append(tables.table([series, *map(chart.short, amounts)], rows))
    return "\n".join(written or [UNKNOWN])


def extras_table(stores: Stores) -> str:
    """Return what imports and layers take, by Python."""
    rows = []
    for title, workload, subject, name, unit in EXTRAS:
        found = [results.samples_of(store, workload, subject) for store in stores.values()]
        figures = [results.middle(samples, results.named(name)) for samples in found]
        scaled = [None if figure is None else figure * unit for figure in figures]
        rows.append([title, *map(tables.number, scaled)])
    return tables.table(["", *(f"Python {version}" for version in stores)], rows)


def routing_table(store: results.Store) -> str:
    """Return the nanoseconds of finding a route, by router and path."""
    sizes = ("10", "100", "1000")
    rows = []
    for name in sorted(store["entries"].get("routing", {})):
        samples = results.samples_of(store, "routing", name)
        found = [results.middle(samples, results.named(size)) for size in sizes]
        rows.append([name, *map(tables.number, found)])
    return tables.table(["routes", *sizes], rows) if rows else UNKNOWN


def middleware_table(stores: Stores) -> str:
    """Return the microseconds of a hello alone, what each adds, and below all, by Python."""
    columns = [hellos(store) for store in stores.values()]
    alone, every = WHOLE
    single = sorted(columns[0].keys() - set(WHOLE), key=columns[0].__getitem__)
    rows = [
        [name, *(adding(name, column.get(name), column.get(alone)) for column in columns)]
        for name in (alone, *single, every)
    ]
    heads = ["", *(f"Python {version}" for version in stores)]
    return tables.table(heads, rows) if single else UNKNOWN


def hellos(store: results.Store) -> dict[str, float]:
    """Return the microseconds of a hello by the middleware above it, medians of the rounds."""
    entries = store["entries"].get("middleware", {})
    return {
        name: median(each["microseconds"] for each in entry["samples"])
        for name, entry in entries.items()
        if entry["samples"]
    }


def adding(name: str, cost: float | None, alone: float | None) -> str:
    """Return what a hello costs below this, or how much more than alone."""
    if name in WHOLE or cost is None or alone is None:
        return tables.number(cost)
    return f"{cost - alone:+.1f}"


def machine_list(stores: Stores) -> str:
    """Return what was measured on."""
    facts = next(iter(stores.values()))["facts"]
    memory = f"{facts['memory'] / 2**30:.0f} GiB"
    machine = f"{facts['processor']}, {facts['cores']} cores, {memory}; {facts['kernel']}."
    return "".join(f"- {line}\n" for line in [machine, *map(python_line, stores.values())])


def python_line(store: results.Store) -> str:
    """Return one Python's build, and of its samples the days, the rounds and the seconds."""
    facts = store["facts"]
    entries = [entry for of in store["entries"].values() for entry in of.values()]
    runs = [entry["run"][:10] for entry in entries]
    days = " to ".join(sorted({min(runs), max(runs)}))
    timed = [each for entry in entries for each in entry["samples"] if "seconds" in each]
    rounds = 1 + max((each["round"] for each in timed), default=0)
    seconds = median([each["seconds"] for each in timed] or [0])
    python = f"Python {facts['python']}, compiled {facts['python_build']}"
    return f"{python}: {days}, up to {rounds} rounds of {seconds:.0f} seconds."


def subject_table(stores: Stores) -> str:
    """Return what every subject is and runs on, with the versions of the first Python."""
    facts = next(iter(stores.values()))["facts"]
    rows = [
        [each.name, each.server, versions_of(each, facts["versions"]), each.note]
        for each in SUBJECTS
        if each.name not in facts["left_out"]
    ]
    return tables.table(["", "runs on", "versions", ""], rows, align="---")


def versions_of(subject: Subject, versions: Mapping[str, str]) -> str:
    """Return the names and versions of what a subject is made of."""
    return ", ".join(f"{name} {versions.get(name, '?')}" for name in subject.versions)
