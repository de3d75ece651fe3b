"""Origin: the page that a browser sends a request for (RFC 6454, 7)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.origin import is_same_host, parse_origin


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://a.com", "a.com", True),
        ("http://a.com", "A.com", True),
        ("http://a.com", "a.com:80", True),
        ("https://a.com", "a.com:443", True),
        ("https://a.com", "a.com:80", False),
        ("https://a.com:8443", "a.com:8443", True),
        ("https://a.com:8443", "a.com", False),
        ("https://a.com.evil", "a.com", False),
        ("https://axcom", "a.com", False),
        ("https://evil/a.com", "a.com", False),
        ("https://a.com@evil", "a.com", False),
        ("null", "a.com", False),
        ("", "", False),
        ("file://", "", False),
        ("chrome-extension://abc", "abc", False),
        ("http://[::1]:80", "[::1]", True),
        ("http://[::1", "[::1", False),
    ],
)
def test_is_same_host(origin: str, host: str, expected: bool) -> None:
    assert is_same_host(origin, host) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.com", "https://a.com"),
        ("https://a.com/", "https://a.com"),
        ("HTTPS://A.com:443", "https://a.com"),
        ("http://a.com:8080", "http://a.com:8080"),
        ("null", "null"),
    ],
)
def test_parse_origin(text: str, expected: str) -> None:
    assert parse_origin(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a.com", "https://", "https://a.com/path", "https://u@a.com", "https://a.com?x"]
)
def test_what_is_no_origin_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="an origin"):
        parse_origin(text)


@given(st.text() | st.text("htps:/.@[]1a#? "), st.text())
def test_no_text_fails_in_an_unforeseen_way(text: str, host: str) -> None:
    with contextlib.suppress(ValueError):
        origin = parse_origin(text)
        assert parse_origin(origin) == origin
    assert is_same_host(text, host) in {True, False}
