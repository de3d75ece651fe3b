"""Generators: co, and chains of Koa 1 with `yield next`."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, request, some
from .programs import run_co, run_koa1
from .sides import Sides

INNER = ("g", "h", "i")  # names of the generators that a program starts

plain = st.sampled_from([1, "x", None, True, False, 0, "", 2.5])
messages = some("oops", "ouch")
whole = st.one_of(
    st.builds(lambda value: {"$": "promise", "value": value}, plain),
    st.builds(lambda value: {"$": "thunk", "value": value}, plain),
    st.builds(
        lambda kind, message: {"$": kind, "message": message},
        some("rejected", "failing thunk", "throwing thunk", "raising generator"),
        st.just("oops"),  # of several that fail at once, either may be the first
    ),
)
values = st.recursive(
    whole,
    lambda inner: st.one_of(
        st.lists(st.one_of(inner, plain), max_size=3),
        st.dictionaries(some("a", "b", "c"), st.one_of(inner, plain), max_size=3),
        st.builds(
            lambda kind, name, value: {"$": kind, "name": name, "value": value},
            some("generator", "generator function"),
            some(*INNER),
            inner,
        ),
    ),
    max_leaves=5,
)
actions = st.one_of(
    st.tuples(st.just("log"), some("x", "y")),
    st.tuples(st.just("yield"), values, st.booleans()),
    st.tuples(st.just("yield"), values, st.booleans()),
    st.tuples(st.just("yield"), plain, st.booleans()),
    st.tuples(st.just("raise"), messages),
    st.tuples(st.just("return"), plain),
)


def grouped(trace: Iterable[str]) -> dict[str, list[str]]:
    """Return the events of each generator; those in parallel, of one name too, in any order."""
    groups: dict[str, list[str]] = {}
    for event in trace:
        groups.setdefault(event.partition(" ")[0], []).append(event)
    return {name: sorted(each) if name in INNER else each for name, each in groups.items()}


@examples(350)
@given(st.lists(actions, min_size=1, max_size=4))
def test_co_drives_generators_alike(sides: Sides, drawn: list[tuple[Any, ...]]) -> None:
    case = {"program": {"name": "a", "actions": [list(each) for each in drawn]}}
    koa = sides.driver.ask("co", **case)
    ohia = sides.runner.run(run_co(**case))
    for side in (koa, ohia):
        side["trace"] = grouped(side["trace"])
    sides.answers("co", case, koa, ohia)


downstream = st.one_of(
    st.just(["yield", {"$": "next"}, False]),
    st.just(["yield", {"$": "next"}, True]),
    st.just(["delegate"]),
    st.builds(lambda value: ["yield", [{"$": "next"}, value], False], plain),
    st.builds(lambda value: ["yield", {"n": {"$": "next"}, "v": value}, True], plain),
    st.just(["log", "no next"]),
)
bodies = some(
    ["body", "text"], ["body", "<p>"], ["body", {"a": 1}], ["log", "no body"], ["raise", "oops"]
)


@st.composite
def chains(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw a chain in which nobody goes downstream twice."""
    chain = []
    for name in "abcd"[: draw(st.integers(1, 4))]:
        before = [list(each) for each in draw(st.lists(actions, max_size=1))]
        after = [list(each) for each in draw(st.lists(actions, max_size=1))]
        steps = [["log", "in"], *before, draw(downstream), draw(bodies), *after, ["log", "out"]]
        chain.append({"name": name, "actions": steps})
    return chain


@examples(400)
@given(chains())
def test_chains_of_generators_are_alike(sides: Sides, programs: list[dict[str, Any]]) -> None:
    case: dict[str, Any] = {"programs": programs, "request": request()}
    koa = sides.driver.ask("koa1", **case)
    ohia = sides.runner.run(run_koa1(**case))
    for side in (koa, ohia):
        side["trace"] = grouped(side["trace"])
        side["answer"] = {name: side["answer"][name] for name in ("status", "body")}
    sides.answers("generator chains", case, koa, ohia)
