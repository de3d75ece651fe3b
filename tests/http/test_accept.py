from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.accept import (
    MAX_ELEMENTS,
    best_charset,
    best_encoding,
    best_language,
    best_media_type,
    charsets,
    encodings,
    languages,
    media_types,
    preferred_encoding,
)

LISTS = [media_types, encodings, charsets, languages]
BEST = [best_media_type, best_encoding, best_charset, best_language]
HEADERS = st.one_of(st.none(), st.text(), st.text(alphabet='aq*/-;,=" \t.019'))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ["*/*"]),  # RFC 9110, 12.5.1: no field accepts all
        ("", []),
        ("text/html", ["text/html"]),
        ("application/*;q=0.2, image/jpeg;q=0.8, text/html, text/plain", None),
        ("text/html;q=0", []),
        ("text/html;level=1, text/plain;q=0.5", ["text/html", "text/plain"]),
        ("text/plain;q=0.5, Text/HTML", ["Text/HTML", "text/plain"]),
        ('text/a;v="x,y";q=0.1, text/b', ["text/b", "text/a"]),  # a comma in quotes
        ("html, /x, x/, a b/c, text/html", ["text/html"]),  # the malformed is skipped
    ],
)
def test_media_types_by_preference(header: str | None, expected: list[str] | None) -> None:
    whole = ["text/html", "text/plain", "image/jpeg", "application/*"]
    assert media_types(header) == (whole if expected is None else expected)


@pytest.mark.parametrize(
    ("header", "offers", "expected"),
    [
        (None, ["json", "html"], "json"),
        (None, [], None),
        ("", ["html"], "html"),  # an empty field is no field
        ("text/html", [], None),
        ("text/html", ["html"], "html"),  # as it was given
        ("text/html", [".html"], ".html"),
        ("text/html", ["text/html"], "text/html"),
        ("text/html", ["TEXT/html"], "TEXT/html"),
        ("text/html", ["no-such-extension", "html"], "html"),
        ("text/html", ["no-such-extension"], None),
        ("text/html", ["json"], None),
        ("text/html;q=0, */*", ["html"], None),  # the specific range counts
        ("text/*, application/json", ["png"], None),
        ("text/*;q=.5, application/json", ["html", "json"], "json"),
        ("*/*;q=0.1, text/html;q=0.1", ["json", "html"], "html"),  # more specific
        ("application/json, text/html", ["html", "json"], "json"),  # earlier in the field
        ("*/*", ["html", "json"], "html"),  # earlier offer
        ("*/html", ["json", "html"], "html"),
        ("text/html;level=1", ["text/html"], None),
        ("text/html;level=1", ["text/html;level=1"], "text/html;level=1"),
        ("text/html;LEVEL=1", ['text/html;level="1"'], 'text/html;level="1"'),
        ("text/html;level=*", ["text/html;level=3"], "text/html;level=3"),
        ("text/html;level=1;q=0.5, text/html;q=0.1", ["text/html", "text/html;level=1"], 1),
        ("*/*;level=1", ["text/html;level=1"], 0),
        ('text/a;v="x;y"', ['text/a;v="x;y"'], 0),
        ('text/a;v="x', ["text/a"], None),  # a quote that stays open
        ("text/html;\t", ["html"], "html"),
        ("text/html; ;q=0.5, text/plain;q=0.1", ["txt", "html"], "html"),
    ],
)
def test_the_best_media_type(
    header: str | None, offers: list[str], expected: str | int | None
) -> None:
    wanted = offers[expected] if isinstance(expected, int) else expected
    assert best_media_type(header, offers) == wanted


@pytest.mark.parametrize(
    ("header", "offers", "expected"),  # RFC 9110, 12.5.1: the weights of its example
    [
        (0.3, ["text/plain"], "text/plain"),
        (0.7, ["image/jpeg", "text/html"], "text/html"),
        (0.7, ["text/html", "text/html;level=3"], "text/html"),
        (1.0, ["text/html", "text/html;level=1"], "text/html;level=1"),
        (0.4, ["text/plain", "text/html;level=2"], "text/html;level=2"),
    ],
)
def test_the_example_of_the_rfc(header: float, offers: list[str], expected: str) -> None:
    accept = "text/*;q=0.3, text/html;q=0.7, text/html;level=1, text/html;level=2;q=0.4, */*;q=0.5"
    assert best_media_type(accept, offers) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ["identity"]),
        ("", ["identity"]),
        ("gzip, deflate", ["gzip", "deflate", "identity"]),
        ("gzip;q=0.8, br", ["br", "gzip", "identity"]),
        ("identity, gzip", ["identity", "gzip"]),
        ("gzip, identity;q=0", ["gzip"]),
        ("gzip, *;q=0", ["gzip"]),
        ("*", ["*"]),
        ("gzip;q=0.8, identity;q=0.5, *;q=0.3", ["gzip", "identity", "*"]),
        ("gzip;q=x", ["identity"]),
    ],
)
def test_encodings_by_preference(header: str | None, expected: list[str]) -> None:
    assert encodings(header) == expected


@pytest.mark.parametrize(
    ("header", "offers", "expected"),
    [
        (None, ["gzip"], None),
        (None, ["gzip", "identity"], "identity"),
        ("gzip, deflate", ["deflate", "gzip"], "gzip"),
        ("gzip", ["br", "identity"], "identity"),
        ("gzip, identity;q=0", ["br", "identity"], None),
        ("gzip;q=0.5, *;q=0", ["identity"], None),  # RFC 9110, 12.5.3
        ("*;q=0, identity", ["identity"], "identity"),
        ("*", ["br", "gzip"], "br"),
        ("GZIP", ["gzip"], "gzip"),
        ("gzip;q=0, *", ["gzip", "br"], "br"),
        ("gzip ; q=0.1, br ; Q=0.2", ["gzip", "br"], "br"),
        ("gzip;x=1;q=0.1, br;q=0.2", ["gzip", "br"], "br"),
        ("gzip;q=-1, br", ["gzip"], None),
        ("gzip;q=0.5, gzip;q=0.1, br;q=0.3", ["br", "gzip"], "gzip"),  # the stronger counts
    ],
)
def test_the_best_encoding(header: str | None, offers: list[str], expected: str | None) -> None:
    assert best_encoding(header, offers) == expected


@pytest.mark.parametrize(
    ("header", "offers", "expected"),
    [
        (None, ["br", "gzip", "identity"], "identity"),
        ("gzip, br", ["br", "gzip", "identity"], "br"),  # the server's order
        ("gzip;q=0.9, br;q=0.8", ["br", "gzip", "identity"], "gzip"),
        ("*", ["br", "gzip", "identity"], "br"),
        ("*, gzip", ["br", "gzip", "identity"], "gzip"),  # named, not only covered
        ("br;q=0, *", ["br", "gzip", "identity"], "gzip"),
        ("gzip;q=0.5, identity", ["gzip", "identity"], "identity"),
        ("gzip;q=0.5", ["gzip", "identity"], "gzip"),  # identity weighs no more than the least
        ("gzip;q=x", ["gzip", "identity"], "identity"),
        ("identity;q=0", ["gzip", "identity"], None),
        ("*;q=0", ["gzip", "identity"], None),
        ("gzip", [], None),
    ],
)
def test_the_preferred_encoding(
    header: str | None, offers: list[str], expected: str | None
) -> None:
    assert preferred_encoding(header, offers) == expected


@pytest.mark.parametrize(
    ("weight", "is_accepted"),
    [
        ("0.001", True),
        ("1", True),
        ("1.", True),
        (".5", True),
        ("1e-2", True),
        ("0.5x", True),
        ("0", False),
        ("0.000", False),
        ("-1", False),
        ("", False),
        ("x", False),
        ("nan", False),
        ("\u0661", False),  # a digit elsewhere in Unicode
        ("0_1", False),
    ],
)
def test_a_weight(weight: str, is_accepted: bool) -> None:
    assert bool(charsets(f"utf-8;q={weight}")) is is_accepted


@pytest.mark.parametrize(
    ("header", "offers", "expected"),
    [
        (None, ["utf-8"], "utf-8"),
        ("", ["utf-8"], None),
        ("utf-8, iso-8859-1;q=0.2", ["iso-8859-1", "UTF-8"], "UTF-8"),
        ("*, utf-8;q=0", ["utf-8", "utf-7"], "utf-7"),
        ("utf-7", ["utf-8"], None),
        ("a b", ["a b"], None),
    ],
)
def test_the_best_charset(header: str | None, offers: list[str], expected: str | None) -> None:
    assert best_charset(header, offers) == expected


def test_charsets_by_preference() -> None:
    assert charsets(None) == ["*"]
    assert charsets("utf-7;q=0.5, utf-8, x;q=0") == ["utf-8", "utf-7"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, ["*"]),
        ("", []),
        ("en;q=0.8, es, pt", ["es", "pt", "en"]),
        ("en; q=0.8, es", ["es", "en"]),  # a blank before the weight, RFC 9110, 12.4.2
        ("en-, -, -US, a b, de-AT-1996", ["de-AT-1996"]),
    ],
)
def test_languages_by_preference(header: str | None, expected: list[str]) -> None:
    assert languages(header) == expected


@pytest.mark.parametrize(
    ("header", "offers", "expected"),
    [
        (None, ["de"], "de"),
        ("", ["de"], None),
        ("en", ["en-GB"], "en-GB"),  # a language covers its variants
        ("en-US", ["en"], "en"),  # a variant covers the language as such
        ("en-US", ["en-GB"], None),
        ("en-US, en;q=0.1, de;q=0.5", ["en-GB", "de"], "de"),
        ("en;q=0.5, en-gb;q=0.1", ["en-GB"], "en-GB"),
        ("en, en-GB;q=0", ["en-GB"], None),
        ("*;q=0.1, en", ["de", "en"], "en"),
        ("*", ["de-"], None),
        ("pt;q=0.5, EN", ["pt", "en"], "en"),
        ("de", ["de;q=1"], "de;q=1"),
    ],
)
def test_the_best_language(header: str | None, offers: list[str], expected: str | None) -> None:
    assert best_language(header, offers) == expected


@given(HEADERS)
def test_no_field_makes_the_lists_fail(header: str | None) -> None:
    for names in LISTS:
        assert all(names(header))


@given(HEADERS, st.lists(st.text(alphabet='aq*/-;=" .', max_size=8), max_size=4))
def test_the_best_is_one_of_the_offers(header: str | None, offers: list[str]) -> None:
    for best in BEST:
        assert best(header, offers) in [None, *offers]


@given(st.lists(st.sampled_from(["gzip", "br", "zstd", "x"]), unique=True, min_size=1))
def test_among_equal_weights_the_field_decides(names: list[str]) -> None:
    assert best_encoding(", ".join(names), sorted(names)) == names[0]
    assert encodings(", ".join(names))[:-1] == names


def test_what_comes_after_a_thousand_elements_is_skipped() -> None:
    assert best_charset("x," * (MAX_ELEMENTS - 1) + "utf-8", ["utf-8"]) == "utf-8"
    assert best_charset("x," * MAX_ELEMENTS + "utf-8", ["utf-8"]) is None


@pytest.mark.parametrize("best", BEST)
@pytest.mark.parametrize(
    "piece", ["a;q=0.1,", "a/b;x=1,", 'a/b;x="y",', "*,", ",", " ", "-", '"', ";", 'a/b;"']
)
def test_a_hostile_field_takes_linear_time(  # CVE-2016-10539, CVE-2023-23969
    best: Callable[[str | None, Sequence[str]], str | None], piece: str, growth: Any
) -> None:
    assert growth(lambda header: best(header, ["json", "gzip", "en-GB"]), piece) < 3
