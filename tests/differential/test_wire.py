"""The same bytes in, the same bytes out: Koa behind Node, ohia behind its own server."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, request, some
from .sides import Sides
from .wire import Wire

bodies = some(
    None,
    "",
    "text",
    "é€",
    {"a": 1},
    {"$": "undefined"},
    {"$": "bytes", "hex": "00ff"},
    {"$": "stream", "chunks": []},
    {"$": "stream", "chunks": ["61", "6263"]},
)
steps = st.one_of(
    st.tuples(st.just("set"), st.just("body"), bodies),
    st.tuples(st.just("set"), st.just("status"), some(200, 201, 204, 205, 304, 404, 500, 799)),
    st.tuples(st.just("set"), st.just("message"), some("Fine", "Very Well")),
    st.tuples(st.just("call"), st.just("set"), some("X-A", "x-b"), some("a", ["b", "c"])),
    st.tuples(st.just("call"), st.just("cookies.set"), some("a", "b"), some("1", None)),
    st.tuples(st.just("call"), st.just("redirect"), some("/", "/x")),
    st.tuples(st.just("call"), st.just("flushHeaders")),
)


@examples(200)
@given(some("GET", "GET", "HEAD", "POST"), st.lists(steps, max_size=5), st.booleans())
def test_what_leaves_is_the_same(
    sides: Sides, wire: Wire, method: str, drawn: list[tuple[Any, ...]], throws: bool
) -> None:
    taken = [list(each) for each in drawn]
    throws = throws and ["call", "flushHeaders"] not in taken  # that hangs, for as long as it may
    case = {
        "app": {"env": "production"},  # elsewhere ohia warns of what comes after the head
        "request": request(method=method),
        "steps": [*taken, ["call", "throw", 403, "no"]] if throws else taken,
        "leave": [len(taken)],
    }
    sides.over_the_wire("wire", case, wire)
