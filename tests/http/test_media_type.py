import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.media_type import charset, content_type, essence, lookup, matches, parameters
from ohia.http.mime_table import CHARSETS, TYPES

VALUES = st.one_of(st.text(), st.text(alphabet='ab/;=" \t\\*+'))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("html", "text/html"),
        (".html", "text/html"),
        ("HTML", "text/html"),
        ("page.html", "text/html"),
        ("folder/page.html", "text/html"),
        ("folder/page.html/", "text/html"),
        ("archive.tar.gz", "application/gzip"),
        ("folder/html", None),  # a name without extension
        ("folder/.html", None),
        ("folder/..", None),
        ("folder.html/page", None),
        ("page.", None),
        ("", None),
        (".", None),
        ("/", None),
        ("no-such-extension", None),
        ("js", "text/javascript"),
        ("mjs", "text/javascript"),
        ("xml", "application/xml"),
        ("md", "text/markdown"),
        ("markdown", "text/markdown"),
        ("yaml", "text/yaml"),
        ("wasm", "application/wasm"),
        ("woff2", "font/woff2"),
        ("mp4", "video/mp4"),
        ("exe", "application/x-msdos-program"),  # rather than application/octet-stream
    ],
)
def test_the_type_of_a_name(name: str, expected: str | None) -> None:
    assert lookup(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("html", "text/html; charset=utf-8"),
        ("json", "application/json; charset=utf-8"),
        ("js", "text/javascript; charset=utf-8"),
        ("png", "image/png"),
        ("svg", "image/svg+xml"),
        ("xml", "application/xml"),
        ("application/ld+json", "application/ld+json"),
        ("application/json", "application/json; charset=utf-8"),
        ("Text/Plain", "Text/Plain; charset=utf-8"),
        ("text/html; charset=latin1", "text/html; charset=latin1"),
        ("text/html; x=y", "text/html; x=y; charset=utf-8"),
        ("no-such/type", "no-such/type"),
        ("application/news-groupinfo", "application/news-groupinfo; charset=us-ascii"),
        ("no-such-extension", None),
        ("json; charset=x", None),
        ("", None),
    ],
)
def test_what_to_write_into_content_type(name: str, expected: str | None) -> None:
    assert content_type(name) == expected


def test_the_table_holds_every_extension_once_and_only_good_types() -> None:
    assert len(TYPES) > 1200
    assert all(extension == extension.lower() for extension in TYPES)
    assert all(essence(media_type) == media_type for media_type in TYPES.values())
    assert all(essence(media_type) == media_type for media_type in CHARSETS)


def test_the_table_is_loaded_only_when_it_is_asked() -> None:
    code = (
        "import sys, ohia.http.media_type as m; assert 'ohia.http.mime_table' not in sys.modules;"
        "m.lookup('html'); assert 'ohia.http.mime_table' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html", "text/html"),
        ("Text/HTML ; charset=utf-8", "text/html"),
        (" text/html", "text/html"),
        ("text/html;;;", "text/html"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("", ""),
        ("text", ""),
        ("text/", ""),
        ("/html", ""),
        ("text/html/x", ""),
        ("text /html", ""),
        ("text/*", ""),
        ("text/html\n", ""),
        ("a" * 127 + "/b", "a" * 127 + "/b"),  # RFC 6838, 4.2
        ("a" * 128 + "/b", ""),
    ],
)
def test_the_essence_of_a_value(value: str, expected: str) -> None:
    assert essence(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html", {}),
        ("text/html; charset=UTF-8", {"charset": "UTF-8"}),
        ("text/html;CHARSET = utf-8 ; a=b", {"charset": "utf-8", "a": "b"}),
        (r'text/html; a="x; \"y\" \\z"', {"a": r'x; "y" \z'}),
        ('text/html; a=""', {"a": ""}),
        ("text/html; a=1; a=2", {"a": "2"}),
        ("text/html; charset=utf-8;", {"charset": "utf-8"}),  # RFC 9110, 5.6.6: may be empty
        ("text/html;; ;a=1", {"a": "1"}),
        ("text/html; a", {}),
        ("text/html; a=1; b", {}),
        ("text/html; a=", {}),
        ("text/html; =1", {}),
        ('text/html; a="1', {}),
        ('text/html; a="1"2', {}),
        ("text/html; a=1 2", {}),
        ("text/html; a=\u20ac", {}),
        ("text; a=1", {}),
        ("; a=1", {}),
        ("", {}),
    ],
)
def test_parameters(value: str, expected: dict[str, str]) -> None:
    assert parameters(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/html; charset=UTF-8", "UTF-8"),
        ('text/html; charset="utf-8"', "utf-8"),
        ("text/html", ""),
        ("text/html; charset", ""),
        ("hello; charset=utf-8", ""),
    ],
)
def test_the_charset_of_a_value(value: str, expected: str) -> None:
    assert charset(value) == expected


@pytest.mark.parametrize(
    ("value", "types", "expected"),
    [
        (None, ["html"], None),
        ("", ["html"], None),
        ("not a type", ["*/*"], None),
        ("text/html; charset=utf-8", [], "text/html"),
        ("text/html", ["html"], "html"),
        ("TEXT/html", ["html"], "html"),
        ("text/html", ["TEXT/HTML"], "TEXT/HTML"),
        ("image/png", [".png"], ".png"),
        ("image/png", ["image/png"], "image/png"),
        ("image/png", ["image/*"], "image/png"),
        ("image/png", ["*/png"], "image/png"),
        ("image/png", ["*/*"], "image/png"),
        ("image/png", ["text/*", "png"], "png"),
        ("image/png", ["text/*", "*/jpeg", "no-such-extension", ""], None),
        ("application/json", ["json"], "json"),
        ("application/ld+json", ["json"], None),
        ("application/ld+json", ["+json"], "application/ld+json"),
        ("application/ld+json", ["application/*+json"], "application/ld+json"),
        ("application/ld+json", ["text/*+json"], None),
        ("application/json", ["+json"], None),
        ("application/x-www-form-urlencoded", ["urlencoded"], "urlencoded"),
        ("multipart/form-data; boundary=x", ["urlencoded", "multipart"], "multipart"),
        ("multipart/form-data; boundary=x", ["multipart/*"], "multipart/form-data"),
        ("text/html", ["text/html; charset=utf-8", "text", "text/", "/", "*"], None),
        ("a/b", ["a/b/c"], None),
    ],
)
def test_which_of_the_types_a_value_is(
    value: str | None, types: list[str], expected: str | None
) -> None:
    assert matches(value, types) == expected


@given(VALUES)
def test_no_value_makes_the_readers_fail(value: str) -> None:
    assert essence(value) == essence(essence(value))
    assert isinstance(parameters(value), dict)
    assert isinstance(charset(value), str)
    assert matches(value, [value, "json"]) in (None, value, essence(value), "json")


@given(VALUES)
def test_no_name_makes_the_table_fail(name: str) -> None:
    assert lookup(name) in (None, *TYPES.values())
    assert (content_type(name) or name).startswith((name, *TYPES.values()))


@given(st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), st.text()))
def test_quoted_parameters_are_read_back(written: dict[str, str]) -> None:
    quoted = (
        '{}="{}"'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
        for name, value in written.items()
    )
    assert parameters("; ".join(["a/b", *quoted])) == written


@pytest.mark.parametrize("piece", ['a="', "\\", " ", ";", "a=b;", 'a="\\"";', "=", "a", '"', "; "])
@pytest.mark.parametrize("start", ["text/html;", 'text/html;a="', ""])
def test_a_hostile_value_takes_linear_time(  # CVE-2024-24762, CVE-2024-25126
    start: str, piece: str, growth: Any
) -> None:
    assert growth(lambda value: matches(start + value, ["json", "+json"]), piece) < 3
    assert growth(lambda value: parameters(start + value), piece) < 3
