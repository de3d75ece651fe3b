"""Content-Disposition by `ctx.attachment()`."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, request, some
from .sides import Sides

filenames = st.one_of(
    some(
        "plans.pdf",
        "a b.txt",
        "é.txt",
        "€ rates.html",
        'a"b.png',
        "a\\b.txt",
        "/etc/passwd",
        "../x.json",
        "x",
        "a%20b.txt",
        ".htaccess",
        "«plans».pdf",
        "x.nonsense",
        "😀.gif",
        "a;b.csv",
        "x.",
        "%.txt",
        "a'b.md",
        "%zz%41.txt",
        "the%20é.txt",
        "a/b/",
        "a,b",
        "a=b.tar.gz",
        "x.HTML",
        "ÿ.svg",
        "naïve €.txt",
        "/",
    ),
    st.text('abc.é€"\\/%; ', min_size=1, max_size=8),
)
options = st.fixed_dictionaries(
    {},
    optional={
        "type": some("attachment", "inline", "INLINE", "form-data", "x y", "", "é"),
        "fallback": st.one_of(
            st.booleans(), some("x.txt", "é.txt", "€", "a/b.txt", "", 'q"q', "%41")
        ),
    },
)


@examples(250)
@given(st.booleans(), st.one_of(st.none(), filenames), st.one_of(st.none(), options))
def test_attachments_are_alike(
    sides: Sides, typed: bool, filename: str | None, chosen: dict[str, Any] | None
) -> None:
    steps: list[list[Any]] = [["set", "type", "bin"]] if typed else []
    name = {"$": "undefined"} if filename is None else filename
    args = [name] if chosen is None else [name, chosen]
    steps.append(["call", "attachment", *args])
    after = ["type", "response.header"]
    sides.contexts("attachments", {"request": request(), "steps": steps, "after": after})
