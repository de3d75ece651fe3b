import locale
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.date import format_date, full_year, parse_date

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (MOMENT, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (784111777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (784111777.999999999, "Sun, 06 Nov 1994 08:49:38 GMT"),  # the float is 784111778.0
        (784111777.9, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (MOMENT.replace(microsecond=999_999), "Sun, 06 Nov 1994 08:49:37 GMT"),
        (MOMENT.astimezone(timezone(timedelta(hours=9))), "Sun, 06 Nov 1994 08:49:37 GMT"),
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (-0.5, "Wed, 31 Dec 1969 23:59:59 GMT"),
        (datetime(1, 1, 1, tzinfo=UTC), "Mon, 01 Jan 0001 00:00:00 GMT"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_a_date_is_written_as_imf_fixdate(when: datetime | float, expected: str) -> None:
    assert format_date(when) == expected


@pytest.mark.parametrize(
    "when",
    [
        datetime(1994, 11, 6),  # noqa: DTZ001 - naive on purpose
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        float("nan"),
        float("inf"),
        1e12,
        -1e300,
    ],
)
def test_a_time_that_cannot_be_written_is_an_error(when: datetime | float) -> None:
    with pytest.raises(ValueError, match=r"."):
        format_date(when)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun Nov 06 08:49:37 1994",
        "Mon, 06 Nov 1994 08:49:37 GMT",  # the wrong day does not matter
    ],
)
def test_three_formats_are_read(text: str) -> None:
    assert parse_date(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov \u0661\u0669\u0669\u0664 08:49:37 GMT",  # digits elsewhere in Unicode
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


def test_a_leap_second_is_the_second_before_it() -> None:
    leap = parse_date("Sat, 31 Dec 2016 23:59:60 GMT")
    assert leap == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("two_digits", "this_year", "expected"),  # RFC 9110, 5.6.7: at most 50 years ahead
    [
        (94, 2024, 1994),
        (24, 2024, 2024),
        (74, 2024, 2074),
        (75, 2024, 1975),
        (0, 2024, 2000),
        (0, 1999, 2000),
        (99, 2060, 2099),
    ],
)
def test_two_digits_of_a_year(two_digits: int, this_year: int, expected: int) -> None:
    assert full_year(two_digits, this_year) == expected


@given(st.datetimes(timezones=st.timezones()))
def test_what_is_written_is_read_back(when: datetime) -> None:
    try:
        moment = when.astimezone(UTC)
    except OverflowError:
        return
    assert parse_date(format_date(when)) == moment.replace(microsecond=0)


@given(st.text())
def test_no_text_makes_the_reader_fail(text: str) -> None:
    assert parse_date(text) is None


@given(st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"))
def test_no_text_like_a_date_makes_the_reader_fail(text: str) -> None:
    assert parse_date(text) is None or text[-3:] == "GMT"


def test_the_locale_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    before = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "tr_TR.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_TIME, name)
        except locale.Error:
            continue
        assert format_date(MOMENT) == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert parse_date("Sun, 06 Nov 1994 08:49:37 GMT") == MOMENT
    locale.setlocale(locale.LC_TIME, before)
