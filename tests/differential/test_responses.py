"""What an application sets on a response, in any order, and what leaves for it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, names, request, some
from .sides import Sides

AFTER = [
    "status",
    "message",
    "body",
    "type",
    "length",
    "etag",
    "lastModified",
    "response.header",
    "headerSent",
    "writable",
]

chunks = st.lists(st.binary(min_size=1, max_size=5).map(bytes.hex), max_size=3)
plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), names, some("é", '"', "\n", "</a>")
)
objects = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(some("a", "b", "é"), inner, max_size=3)
    ),
    max_leaves=5,
)
bodies = st.one_of(
    some("", "text", "<p>", "  <b>", "é€😀", "\n<", None, {"$": "undefined"}, 0, 42, 1.5),
    st.booleans(),
    st.binary(max_size=5).map(lambda drawn: {"$": "bytes", "hex": drawn.hex()}),
    chunks.map(lambda drawn: {"$": "stream", "chunks": drawn}),
    st.one_of(
        st.lists(objects, max_size=3), st.dictionaries(some("a", "b", "é"), objects, max_size=3)
    ),
)
statuses = some(
    200, 200, 201, 204, 205, 206, 304, 301, 400, 404, 500, 299, 799, 99, 1000, "200", 200.5, None
)
types = some(
    "html",
    "json",
    "text",
    "png",
    "text/plain",
    "application/json",
    "application/vnd.x+json",
    "",
    None,
    "nonsense",
    "text/html; charset=x",
    "js",
    "bin",
)
fields = some("X-A", "x-a", "Link", "Vary", "ETag", "Content-Language", "Set-Cookie")
values = st.one_of(
    some("a", "b, c", "", "é", "x\r\ny: z", "\x00", "€", 5, 0, ["a", "b"], [], ["1", 2]),
    names,
)
dates = some(0, 784111777000, 1700000000500).map(lambda ms: {"$": "date", "ms": ms})
steps = st.one_of(
    st.tuples(st.just("set"), st.just("body"), bodies),
    st.tuples(st.just("set"), st.just("body"), bodies),
    st.tuples(st.just("set"), st.just("status"), statuses),
    st.tuples(st.just("set"), st.just("type"), types),
    st.tuples(st.just("set"), st.just("etag"), some("a", '"b"', 'W/"c"', "", "é")),
    st.tuples(st.just("set"), st.just("lastModified"), dates),
    st.tuples(st.just("set"), st.just("message"), some("Fine", "", "é", "Very Well")),
    st.tuples(st.just("call"), some("set", "append"), fields, values),
    st.tuples(
        st.just("call"), st.just("set"), st.just("Content-Type"), some("a/b", "", "é", ["x"])
    ),
    st.tuples(st.just("call"), st.just("set"), st.dictionaries(fields, values, max_size=2)),
    st.tuples(st.just("call"), st.just("remove"), st.one_of(fields, st.just("Content-Type"))),
    st.tuples(st.just("call"), some("has", "response.get"), fields),
    st.tuples(
        st.just("call"),
        st.just("vary"),
        some("Accept", "accept", "*", "A, B", "", "x y", ["A", "B"], "é"),
    ),
)


@examples(500)
@given(some("GET", "GET", "HEAD", "POST"), st.lists(steps, min_size=1, max_size=6))
def test_what_is_set_is_kept_and_sent_alike(
    sides: Sides, method: str, drawn: list[tuple[Any, ...]]
) -> None:
    case = {
        "request": request(method=method),
        "steps": [list(each) for each in drawn],
        "after": AFTER,
    }
    sides.contexts("responses", case)


@examples(150)
@given(bodies, some(0, 1, 5), some(200, 204, 304, 404))
def test_lengths_are_kept_alike(sides: Sides, body: Any, length: int, status: int) -> None:
    steps = [["set", "body", body], ["set", "length", length], ["set", "status", status]]
    case = {"request": request(method="HEAD"), "steps": steps, "after": AFTER}
    sides.contexts("lengths", case)
