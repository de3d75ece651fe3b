"""How cost grows: the same request with more and more of one thing."""

from dataclasses import replace

from workloads import ECHO, HELLO, KIB, LAYERS, Workload, body_of

SUBJECTS = ("ohia", "koa", "starlette")
LARGE = 8  # connections that carry bodies: 64 of them with 16 MiB each would measure memory
FIELD = "a value of usual length, as they come"


def with_layers(count: int) -> Workload:
    return replace(LAYERS, layers=count)


def with_headers(count: int) -> Workload:
    """Return a request of so many header fields, Host being the first."""
    return replace(HELLO, fields=tuple((f"X-Field-{n}", FIELD) for n in range(1, count)))


def with_body(size: int) -> Workload:
    return replace(ECHO, body=body_of(size), answer=body_of(size), connections=LARGE)


def with_connections(count: int) -> Workload:
    """Return hello over so many connections; opening them takes its time."""
    return replace(HELLO, connections=count, stretch=3 if count >= 1000 else 1)


def with_workers(count: int) -> Workload:
    return replace(HELLO, workers=count)


SIZES = (KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, KIB**2, 4 * KIB**2, 16 * KIB**2)
SERIES = {
    "layers": (with_layers, (0, 1, 5, 10, 20, 50), SUBJECTS),
    "headers": (with_headers, (1, 10, 30, 100), SUBJECTS),
    "bodies": (with_body, SIZES, SUBJECTS),
    "connections": (with_connections, (1, 16, 256, 1000, 10_000), SUBJECTS),
    "workers": (with_workers, (1, 2), ("ohia",)),
}


def name_of(series: str, count: int) -> str:
    """Return the name under which a point's samples are kept."""
    return f"growth: {series} {count}"


def points() -> dict[str, list[tuple[Workload, tuple[str, ...]]]]:
    """Return the workloads of each series with the names of their subjects."""
    return {
        series: [(replace(make(n), name=name_of(series, n)), subjects) for n in counts]
        for series, (make, counts, subjects) in SERIES.items()
    }
