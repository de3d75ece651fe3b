"""Accept and its kin: accepts and negotiator."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, field, listed, names, request, some
from .sides import Sides

weights = some(
    "",
    "",
    "",
    ";q=0",
    ";q=0.5",
    ";q=1",
    ";q=.3",
    "; q=0.25",
    " ;q = 0.1",
    ";q=0.000",
    ";q=2",
    ";q=x",
    ";q=",
    ";Q=0.7",
    ";q=0.5;q=0.9",
    ';q="0.4"',
    ";q=-1",
    ";q=1e-1",
)
parameters = some(
    "",
    "",
    "",
    ";level=1",
    ";level=2",
    ";charset=utf-8",
    ';a="x, y"',
    ';a="x;q=0"',
    ";a",
    ";=",
    "; Level=1",
    ';level="1"',
    ';a="',
    ";level=1;charset=UTF-8",
)
types = some(
    "text/html",
    "text/plain",
    "application/json",
    "image/png",
    "text/*",
    "image/*",
    "*/*",
    "TEXT/HTML",
    "application/xhtml+xml",
    "*/html",
    "text",
    "/",
    "text/",
    "*",
    "a b/c",
    "text/html/x",
    "application/vnd.api+json",
)
type_offers = some(
    "html",
    "json",
    "text",
    "png",
    "text/html",
    "text/plain",
    "application/json",
    "image/png",
    "*/*",
    "text/*",
    ".html",
    "text/html;level=1",
    "nonsense",
    "TEXT/HTML",
    "text/html; charset=utf-8",
    "markdown",
    "application/vnd.api+json",
    "xml",
    "bin",
)
codings = some(
    "gzip", "deflate", "br", "identity", "*", "GZIP", "zstd", "compress", "x y", "x-gzip"
)
charsets = some("utf-8", "iso-8859-1", "utf-7", "UTF-8", "*", "us-ascii", "x y")
languages = some(
    "en", "en-US", "en-GB", "de", "de-CH", "EN", "zh-Hant-TW", "*", "-", "en-", "x y", "pt"
)


def elements(named: st.SearchStrategy[str], more: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.one_of(named, named, named, names), more, weights).map("".join)


def offers(offer: st.SearchStrategy[str]) -> st.SearchStrategy[list[Any]]:
    """Draw arguments: offers one by one, or as one list."""
    many = st.lists(st.one_of(offer, offer, names), max_size=4)
    return st.one_of(many, many.filter(bool).map(lambda drawn: [drawn]))


def check(
    sides: Sides, header: str, value: str | None, method: str, drawn: list[list[Any]]
) -> None:
    steps = [["call", method, *each] for each in [[], *drawn]]
    sides.contexts("negotiation", {"request": request([(header, value)]), "steps": steps})


@examples(400)
@given(
    field(listed(elements(types, parameters))),
    st.lists(offers(type_offers), min_size=1, max_size=5),
)
def test_types_are_negotiated_alike(
    sides: Sides, value: str | None, drawn: list[list[Any]]
) -> None:
    check(sides, "Accept", value, "accepts", drawn)


@examples(250)
@given(
    field(listed(elements(codings, st.just("")))), st.lists(offers(codings), min_size=1, max_size=5)
)
def test_encodings_are_negotiated_alike(
    sides: Sides, value: str | None, drawn: list[list[Any]]
) -> None:
    check(sides, "Accept-Encoding", value, "acceptsEncodings", drawn)


@examples(200)
@given(
    field(listed(elements(charsets, st.just("")))),
    st.lists(offers(charsets), min_size=1, max_size=5),
)
def test_charsets_are_negotiated_alike(
    sides: Sides, value: str | None, drawn: list[list[Any]]
) -> None:
    check(sides, "Accept-Charset", value, "acceptsCharsets", drawn)


@examples(250)
@given(
    field(listed(elements(languages, st.just("")))),
    st.lists(offers(languages), min_size=1, max_size=5),
)
def test_languages_are_negotiated_alike(
    sides: Sides, value: str | None, drawn: list[list[Any]]
) -> None:
    check(sides, "Accept-Language", value, "acceptsLanguages", drawn)
