"""What ohia's speed owes, and what it wants: limits on ratios, each with where it is found."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import results
from results import Ratio, Store
from tables import MIB, Stores, ratio, table

Find = Callable[[Store], Ratio | None]


class Aim(NamedTuple):
    """The most that a figure must be, and should be."""

    title: str
    must: float
    aim: float
    find: Find


def of(workload: str, subject: str, reference: str, figure: results.Figure = results.cpu) -> Find:
    """Return what finds the paired ratio of two subjects."""
    return lambda store: results.paired(
        results.samples_of(store, workload, subject),
        results.samples_of(store, workload, reference),
        figure,
    )


def of_best(workload: str, subject: str, others: Sequence[str]) -> Find:
    """Return what finds the ratio to the cheapest of others."""

    def find(store: Store) -> Ratio | None:
        best = results.best(store, workload, others, results.cpu)
        return of(workload, subject, best)(store) if best else None

    return find


def memory(subject: str) -> Find:
    """Return what finds the MiB of a server after its first requests."""

    def find(store: Store) -> Ratio | None:
        sizes = [each["after"] / MIB for each in results.samples_of(store, "start", subject)]
        middle = sorted(sizes)[len(sizes) // 2] if sizes else 0
        return Ratio(middle, min(sizes), max(sizes), len(sizes)) if sizes else None

    return find


def aims(frameworks: Sequence[str]) -> list[Aim]:
    """Return all of them; `frameworks` are the other Python frameworks."""
    nanoseconds, p99, seconds = map(results.named, ("nanoseconds", "p99", "cpu"))
    return [
        Aim("hello, of Koa", 0.60, 0.50, of("hello", "ohia", "koa")),
        Aim(
            "hello, of the best Python framework", 0.60, 0.50, of_best("hello", "ohia", frameworks)
        ),
        Aim(
            "hello, of one coroutine on the floor", 1.6, 1.4, of("hello", "ohia", "floor coroutine")
        ),
        Aim("ten layers, of Koa", 0.65, 0.50, of("layers", "ohia", "koa")),
        Aim(
            "a layer, of a closure by hand",
            1.1,
            1.0,
            of("parts", "async def", "closures", nanoseconds),
        ),
        Aim(
            "a generator layer, of an `async def` one",
            3,
            1.5,
            of("parts", "generators", "async def", nanoseconds),
        ),
        Aim("JSON, of Koa", 0.65, 0.50, of("json", "ohia", "koa")),
        Aim("10 KiB echoed, of Koa", 0.50, 0.40, of("echo", "ohia", "koa")),
        Aim("a browser's fields, of Koa", 0.65, 0.55, of("browser", "ohia", "koa")),
        Aim("1 MiB streamed, of Koa", 1, 0.7, of("stream", "ohia", "koa")),
        Aim("256 connections, of Koa", 0.65, 0.5, of("crowd", "ohia", "koa")),
        Aim("256 connections, p99 of Koa's", 1, 1, of("crowd", "ohia", "koa", p99)),
        Aim(
            "WebSocket, 64 bytes, of uvicorn",
            1,
            0.8,
            of("socket-64", "ohia", "raw asgi on uvicorn"),
        ),
        Aim("WebSocket, 64 bytes, of `ws` on Node", 1, 1, of("socket-64", "ohia", "node ws")),
        Aim("WebSocket, 64 KiB, of `ws` on Node", 0.5, 0.3, of("socket-64k", "ohia", "node ws")),
        Aim(
            "on uvicorn, hello, of raw ASGI",
            1.4,
            1.25,
            of("hello", "ohia on uvicorn", "raw asgi on uvicorn"),
        ),
        Aim(
            "on uvicorn, hello, of Starlette",
            1,
            1,
            of("hello", "ohia on uvicorn", "starlette on uvicorn"),
        ),
        Aim("MiB of a worker after 10,000 requests", 40, 30, memory("ohia")),
        Aim(
            "`import ohia`, of `import asyncio`",
            1.6,
            1.4,
            of("imports", "ohia", "asyncio", seconds),
        ),
    ]


def aims_table(stores: Stores, frameworks: Sequence[str]) -> str:
    """Return must, aim and what was measured on each Python."""
    heads = ["", "must", "aim", *(f"Python {version}" for version in stores)]
    rows = [
        [each.title, f"{each.must:g}", f"{each.aim:g}"]
        + [verdict(each, each.find(store)) for store in stores.values()]
        for each in aims(frameworks)
    ]
    return table(heads, rows)


def verdict(aim: Aim, found: Ratio | None) -> str:
    """Return the figure, and in words how it stands to its limits."""
    if found is None:
        return "not measured"
    return f"{ratio(found)}, {standing(aim, found.median)}"


def standing(aim: Aim, figure: float) -> str:
    """Return which of its two limits a figure keeps, in bold if neither."""
    if figure <= aim.aim:
        return "as aimed"
    return "as it must" if figure <= aim.must else "**missed**"
