from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.fresh import is_fresh, precondition_fails
from ohia.http.headers import Headers

EARLY = "Sat, 01 Jan 2000 00:00:00 GMT"
LATE = "Sat, 01 Jan 2000 01:00:00 GMT"


@pytest.mark.parametrize(
    ("request_headers", "response_headers", "expected"),
    [
        # without a condition
        ({}, {}, False),
        ({}, {"ETag": '"a"', "Last-Modified": EARLY}, False),
        ({"If-None-Match": ""}, {"ETag": '"a"'}, False),
        ({"If-Modified-Since": ""}, {"Last-Modified": EARLY}, False),
        # entity tags: RFC 9110, 13.1.2
        ({"If-None-Match": '"a"'}, {"ETag": '"a"'}, True),
        ({"If-None-Match": '"b", W/"a"'}, {"ETag": '"a"'}, True),
        ({"If-None-Match": '"b"'}, {"ETag": '"a"'}, False),
        ({"If-None-Match": '"a"'}, {}, False),
        ({"If-None-Match": "*"}, {"ETag": '"a"'}, True),
        ({"If-None-Match": "*"}, {}, True),
        # dates: RFC 9110, 13.1.3
        ({"If-Modified-Since": EARLY}, {"Last-Modified": EARLY}, True),
        ({"If-Modified-Since": LATE}, {"Last-Modified": EARLY}, True),
        ({"If-Modified-Since": EARLY}, {"Last-Modified": LATE}, False),
        ({"If-Modified-Since": EARLY}, {}, False),
        ({"If-Modified-Since": "yesterday"}, {"Last-Modified": EARLY}, False),
        ({"If-Modified-Since": EARLY}, {"Last-Modified": "yesterday"}, False),
        ({"If-Modified-Since": "Sat Jan  1 00:00:00 2000"}, {"Last-Modified": EARLY}, True),
        # both must hold, as in Koa
        (
            {"If-None-Match": '"a"', "If-Modified-Since": LATE},
            {"ETag": '"a"', "Last-Modified": EARLY},
            True,
        ),
        (
            {"If-None-Match": '"a"', "If-Modified-Since": EARLY},
            {"ETag": '"a"', "Last-Modified": LATE},
            False,
        ),
        (
            {"If-None-Match": '"b"', "If-Modified-Since": LATE},
            {"ETag": '"a"', "Last-Modified": EARLY},
            False,
        ),
        # the client wants a reload: RFC 9111, 5.2.1.4
        ({"If-None-Match": '"a"', "Cache-Control": "no-cache"}, {"ETag": '"a"'}, False),
        ({"If-None-Match": '"a"', "Cache-Control": "max-age=0 , No-Cache"}, {"ETag": '"a"'}, False),
        ({"If-None-Match": '"a"', "Cache-Control": "max-age=0"}, {"ETag": '"a"'}, True),
        ({"If-None-Match": '"a"', "Cache-Control": "x-no-cache"}, {"ETag": '"a"'}, True),
    ],
)
def test_freshness(
    request_headers: dict[str, str], response_headers: dict[str, str], expected: bool
) -> None:
    assert is_fresh(Headers(request_headers), Headers(response_headers)) is expected


FIELDS = ["if-none-match", "if-modified-since", "cache-control", "etag", "last-modified"]


@given(st.dictionaries(st.sampled_from(FIELDS), st.text()))
def test_no_text_makes_it_fail(headers: dict[str, str]) -> None:
    assert is_fresh(headers, headers) in (True, False)


@pytest.mark.parametrize("piece", [" ", ",", "no-cache ", "no-cache=x,", '"a",'])
def test_hostile_fields_take_linear_time(piece: str, growth: Any) -> None:
    def check(text: str) -> bool:
        request = {"if-none-match": text, "cache-control": text, "if-modified-since": text}
        return is_fresh(request, {"etag": '"none"'})

    assert growth(check, piece) < 3  # CVE-2017-16119


@pytest.mark.parametrize(
    ("request_headers", "response_headers", "expected"),
    [
        ({}, {"ETag": '"a"', "Last-Modified": LATE}, False),
        ({"If-Match": '"a"'}, {"ETag": '"a"'}, False),
        ({"If-Match": '"b"'}, {"ETag": '"a"'}, True),
        ({"If-Match": "*"}, {"ETag": '"a"'}, False),
        ({"If-Match": '"a"'}, {"ETag": 'W/"a"'}, True),
        ({"If-Match": '"a"'}, {}, True),
        ({"If-Unmodified-Since": EARLY}, {"Last-Modified": LATE}, True),
        ({"If-Unmodified-Since": LATE}, {"Last-Modified": LATE}, False),
        ({"If-Unmodified-Since": "garbage"}, {"Last-Modified": LATE}, False),
        ({"If-Unmodified-Since": EARLY}, {}, False),
        # RFC 9110, 13.2.2: the date counts only without If-Match
        (
            {"If-Match": '"a"', "If-Unmodified-Since": EARLY},
            {"ETag": '"a"', "Last-Modified": LATE},
            False,
        ),
    ],
)
def test_preconditions(
    request_headers: dict[str, str], response_headers: dict[str, str], expected: bool
) -> None:
    assert precondition_fails(Headers(request_headers), Headers(response_headers)) is expected
