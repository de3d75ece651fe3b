"""Byte ranges (RFC 9110, 14); the cases follow npm's range-parser 1.2 but where the RFC differs."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.ranges import content_range, if_range_holds, multipart, parse_ranges

Growth = Callable[[Callable[[str], object], str], float]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=0-4", [range(5)]),
        ("bytes=0-", [range(1000)]),
        ("bytes=995-2000", [range(995, 1000)]),
        ("bytes=-1", [range(999, 1000)]),
        ("bytes=-2000", [range(1000)]),  # RFC 9110, 14.1.2: all there is; npm refuses
        ("BYTES=0-4", [range(5)]),  # RFC 9110, 14.1
        ("bytes= 0 - 4 ", [range(5)]),
        ("bytes=00000000000000000000000-4", [range(5)]),
        ("bytes=0-99999999999999999999", [range(1000)]),
        ("bytes=0-0,-1", [range(1), range(999, 1000)]),
        ("bytes=-1,0-0", [range(999, 1000), range(1)]),  # in the order asked for
        ("bytes=0-4,90-99,5-75,100-199,101-102", [range(76), range(90, 200)]),
        ("bytes=-1,20-100,0-1,101-120", [range(999, 1000), range(20, 121), range(2)]),
    ],
)
def test_what_is_there_of_it_is_returned(field: str, expected: list[range]) -> None:
    assert parse_ranges(field, 1000) == expected


@pytest.mark.parametrize(
    "field",
    ["bytes=1000-", "bytes=-0", "bytes=5-2", "bytes=99999999999999999999-", "bytes=5-2,1000-"],
)
def test_nothing_of_it_is_there(field: str) -> None:
    assert parse_ranges(field, 1000) == []


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=-1", "bytes=0-0"])
def test_nothing_is_there_of_an_empty_body(field: str) -> None:
    assert parse_ranges(field, 0) == []


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=x-5",
        "bytes=0-4,x",
        "bytes=0-4,",
        "bytes=+1-4",
        "bytes=0x1-4",
        "bytes=1_0-40",
        "bytes=²-4",  # no digit of HTTP's
        "bytes=\u0661-4",
        "bytes=0--4",
        "lines=0-4",
    ],
)
def test_what_is_malformed_is_ignored(field: str) -> None:
    assert parse_ranges(field, 1000) is None


def test_ten_thousand_ranges_are_ignored() -> None:
    assert parse_ranges("bytes=" + ",".join(["0-"] * 10_000), 1000) is None
    assert parse_ranges("bytes=" + ",".join(["0-"] * 32), 1000) == [range(1000)]


def test_several_that_cost_more_than_the_whole_are_ignored() -> None:
    assert parse_ranges("bytes=0-0,5-5", 10) is None
    assert parse_ranges("bytes=0-4,6-", 1000) is None


@pytest.mark.parametrize("piece", ["0", "0-", " ", "0-,", "-"])
def test_the_time_grows_with_the_field(growth: Growth, piece: str) -> None:
    assert growth(lambda text: parse_ranges(f"bytes={text}", 1000), piece) < 3


@given(st.text(), st.integers(0, 10**6))
def test_any_field_is_read(text: str, size: int) -> None:
    parts = parse_ranges(f"bytes={text}", size)
    assert parts is None or all(0 <= each.start < each.stop <= size for each in parts)


@given(st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 10**4)), max_size=40))
def test_parts_never_sum_up_to_more_than_the_whole(pairs: list[tuple[int, int]]) -> None:
    field = "bytes=" + ",".join(f"{first}-{last}" for first, last in pairs)
    parts = parse_ranges(field, 5000) or []
    assert sum(map(len, parts)) <= 5000
    assert len({position for part in parts for position in part}) == sum(map(len, parts))


def test_content_range_counts_the_last_byte() -> None:
    assert content_range(range(5, 10), 20) == "bytes 5-9/20"
    assert content_range(None, 20) == "bytes */20"


DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("field", "etag", "last_modified", "expected"),
    [
        ('"a"', '"a"', "", True),
        ('"a"', '"b"', "", False),
        ('"a"', 'W/"a"', "", False),
        ('W/"a"', 'W/"a"', "", False),  # RFC 9110, 13.1.5: strong comparison only
        (DATE, '"a"', DATE, True),
        ("Sunday, 06-Nov-94 08:49:37 GMT", "", DATE, True),
        ("Sun, 06 Nov 1994 08:49:36 GMT", "", DATE, False),
        ("Sun, 06 Nov 1994 08:49:38 GMT", "", DATE, False),  # the same, not just later
        (DATE, "", "", False),
        ("garbage", '"a"', DATE, False),
    ],
)
def test_if_range(field: str, etag: str, last_modified: str, expected: bool) -> None:
    assert if_range_holds(field, etag, last_modified) is expected


def test_a_multipart_has_heads_around_its_parts() -> None:
    parts = [range(2), range(5, 7)]
    assert multipart(parts, 10, "text/plain", "x") == [
        b"--x\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n",
        range(2),
        b"\r\n--x\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-6/10\r\n\r\n",
        range(5, 7),
        b"\r\n--x--\r\n",
    ]
