"""The parts of the request's URL, read and set in series."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, request, some
from .sides import Sides

AFTER = [
    "url",
    "originalUrl",
    "path",
    "querystring",
    "search",
    "query",
    "href",
    "URL",
    "method",
    "idempotent",
]

targets = some(
    "/",
    "/a",
    "/a?b=c",
    "/a?b=c&b=d&e",
    "/a/b/?",
    "/?a=1#f",
    "/%20%zz",
    "//x/p?q",
    "/a;b=c",
    "*",
    "/a//b",
    "http://h.org/p?q=1",
    "http://h.org/",
    "/?a=%C3%A9&b=%ff",
    "/a?b?c",
    "/?a[b]=c",
    "/?&&a=&=b&c",
    "/?a+b=c+d",
    "/.?x",
    "/a#b?c",
    "https://h.org:8443/x/../y?z#f",
    "/?__proto__=x",
    "/\\a",
)
paths = some(
    "/", "/x", "/x/y", "x", "/a?b", "/a#b", "/a b", "/é", "/%20", "//y", "/a;b", "*", "/\\x"
)
queries = some(
    "", "a=1", "?a=1", "a=1&a=2", "x#y", "a b", "é=1", "?", "??a", "a=%zz", "&", "a=1&b=2#c", "+"
)
query_values = st.one_of(
    some("", "1", "a b", "é", "&=", "%20", "x+y", "😀"), st.integers(-3, 3), st.booleans()
)
query_objects = st.dictionaries(
    some("a", "b", "a b", "é", "c[]", "_"),
    st.one_of(query_values, st.lists(query_values, max_size=3), st.none()),
    max_size=3,
)
steps = st.one_of(
    st.tuples(st.just("set"), st.just("path"), paths),
    st.tuples(st.just("set"), some("querystring", "search"), queries),
    st.tuples(st.just("set"), st.just("query"), query_objects),
    st.tuples(st.just("set"), st.just("url"), targets),
    st.tuples(st.just("set"), st.just("method"), some("GET", "POST", "HEAD", "get", "X")),
)


@examples(400)
@given(targets, st.lists(steps, max_size=6))
def test_urls_are_read_and_set_alike(
    sides: Sides, target: str, drawn: list[tuple[Any, ...]]
) -> None:
    first = ["get", "url"]
    case = {
        "request": request(target=target),
        "steps": [first, *(list(each) for each in drawn)],
        "after": AFTER,
    }
    sides.contexts("urls", case)
