"""HTTP-date: points in time as fields write them (RFC 9110, 5.6.7), in any locale.

One format is written, three are read. All are UTC and count whole seconds.
"""

import re
from datetime import UTC, datetime
from functools import cache
from math import floor

__all__ = ["MONTHS", "format_date", "parse_date"]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DAY = "(?:" + "|".join(DAYS) + ")"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = "(?P<month>" + "|".join(MONTHS) + ")"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
IMF_FIXDATE = f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"
RFC_850 = f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"
ASCTIME = f"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"


def format_date(when: datetime | float) -> str:
    """Return `when`, an aware datetime or seconds since 1970, as a date for a field.

    Fractions of a second are cut off. ValueError for a naive datetime, and for a time outside
    the years 1 to 9999.

    >>> format_date(784111777)
    'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    moment = _in_utc(when)
    return (
        f"{DAYS[moment.weekday()]}, {moment.day:02} {MONTHS[moment.month - 1]} {moment.year:04} "
        f"{moment.hour:02}:{moment.minute:02}:{moment.second:02} GMT"
    )


def _in_utc(when: datetime | float) -> datetime:
    if isinstance(when, datetime) and when.utcoffset() is None:
        raise ValueError(f"a datetime must know its time zone, got {when!r}")
    try:
        if isinstance(when, datetime):
            return when.astimezone(UTC)
        return datetime.fromtimestamp(floor(when), UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"a date lies in the years 1 to 9999, got {when!r}") from error


def parse_date(text: str) -> datetime | None:
    """Return the time that `text` says, an aware datetime in UTC, or None if it is malformed.

    The name of the day must be one, but need not fit the date. A leap second counts as the
    second before it.

    >>> parse_date("Sun, 06 Nov 1994 08:49:37 GMT")
    datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.timezone.utc)
    >>> parse_date("Sunday, 06-Nov-94 08:49:37 GMT") == parse_date("Sun Nov  6 08:49:37 1994")
    True
    """
    imf_fixdate, rfc_850, asctime = _formats()
    match = imf_fixdate.fullmatch(text) or rfc_850.fullmatch(text) or asctime.fullmatch(text)
    if match is None:
        return None
    year = match["year"]
    second = int(match["second"])
    try:
        return datetime(
            int(year) if len(year) == 4 else full_year(int(year), datetime.now(UTC).year),
            MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            59 if second == 60 else second,
            tzinfo=UTC,
        )
    except ValueError:
        return None


@cache
def _formats() -> tuple[re.Pattern[str], ...]:
    """Compile what is read when the first date is: few programs ever read one."""
    return re.compile(IMF_FIXDATE), re.compile(RFC_850), re.compile(ASCTIME)


def full_year(two_digits: int, this_year: int) -> int:
    """Return the year that `two_digits` mean: the latest not over 50 years after `this_year`.

    >>> full_year(94, this_year=2030), full_year(31, this_year=2030)
    (1994, 2031)
    """
    latest = this_year + 50
    return latest - (latest - two_digits) % 100
