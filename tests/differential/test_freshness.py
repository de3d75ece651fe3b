"""Is the client's copy still good: fresh."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, field, listed, request, some
from .sides import Sides

tags = some(
    '"a"', 'W/"a"', '"b"', 'W/"b"', "a", '""', "*", 'w/"a"', '"a', '"a,b"', '"a b"', "W/a", '"é"'
)
dates = some(
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:38 GMT",
    "Mon, 07 Nov 1994 08:49:37 GMT",
    "Sat, 05 Nov 1994 08:49:37 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "nonsense",
    "",
)
controls = some(
    None,
    None,
    None,
    "no-cache",
    "max-age=0",
    "no-store, no-cache",
    "NO-CACHE",
    " no-cache ",
    "x-no-cache",
    "no-cache-x",
    "no-cache=1",
    "max-age=0,no-cache",
    "private, no-cache ,x",
    "",
)
statuses = some(200, 200, 200, 204, 299, 304, 300, 404, 500)


@examples(350)
@given(
    some("GET", "GET", "HEAD", "POST"),
    st.tuples(field(listed(tags)), st.one_of(st.none(), dates), controls),
    statuses,
    st.tuples(st.one_of(st.none(), tags), st.one_of(st.none(), dates)),
)
def test_fresh_and_stale_agree(
    sides: Sides,
    method: str,
    asked: tuple[str | None, str | None, str | None],
    status: int,
    had: tuple[str | None, str | None],
) -> None:
    fields = list(zip(("If-None-Match", "If-Modified-Since", "Cache-Control"), asked, strict=True))
    steps: list[list[Any]] = [["set", "status", status]]
    if had[0] is not None:
        steps.append(["call", "set", "ETag", had[0]])
    if had[1] is not None:
        steps.append(["call", "set", "Last-Modified", had[1]])
    case = {"request": request(fields, method=method), "steps": steps, "after": ["fresh", "stale"]}
    sides.contexts("freshness", case)


@examples(150)
@given(
    field(listed(tags)), st.lists(some("a", "b", 'W/"a"', '"b"', "", "a b"), min_size=1, max_size=4)
)
def test_etags_are_set_and_compared_alike(
    sides: Sides, asked: str | None, etags: list[str]
) -> None:
    steps = [["set", "status", 200], *(["set", "etag", each] for each in etags)]
    after = ["etag", "fresh", "response.header"]
    case = {"request": request([("If-None-Match", asked)]), "steps": steps, "after": after}
    sides.contexts("freshness", case)
