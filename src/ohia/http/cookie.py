"""Cookie and Set-Cookie as npm's `cookies` reads and writes them (RFC 6265, 4.1 and 4.2).

Values go over the wire as they are: nothing is percent-encoded or decoded, so that Koa and ohia
can share cookies and their signatures.
"""

import re
from datetime import datetime
from math import isfinite

from ohia.http.date import format_date

__all__ = ["find_cookie", "format_set_cookie", "parse_cookies"]

NAME = re.compile(r"[\t\x20-:<>-~\x80-\xff]+")  # field content (RFC 9110, 5.5) without ; and =
VALUE = re.compile(r"[\t\x20-:<-~\x80-\xff]*")  # the same without ;
PATH = re.compile(r"[\x20-:=-~]*")
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"\.?{LABEL}(?:\.{LABEL})*", re.ASCII | re.IGNORECASE)
SAME_SITE = frozenset({"lax", "none", "strict"})
PRIORITY = frozenset({"low", "medium", "high"})
LAST_SECOND = 253402300799  # of the year 9999; later dates cannot be written


def find_cookie(header: str, name: str) -> str | None:
    """Return the first cookie called `name` in a Cookie `header`, quotes around it dropped.

    >>> find_cookie('a=1; name="tobi"; name=loki', "name")
    'tobi'
    """
    sought = f"{name}="
    if not name or sought not in header:
        return None
    for piece in header.split(";"):
        pair = piece.lstrip(" ")
        if pair.startswith(sought):
            return _unquote(pair[len(sought) :])
    return None


def parse_cookies(header: str) -> dict[str, str]:
    """Return every cookie of a Cookie `header`; the first of a name counts.

    What has no `=` or no name before it is skipped: browsers send a cookie that was set without a
    name as `=value`, and that value may look like another cookie's name.

    >>> parse_cookies("a=1; b=2; a=3; =c=4; d")
    {'a': '1', 'b': '2'}
    """
    cookies: dict[str, str] = {}
    for piece in header.split(";"):
        name, equals, value = piece.lstrip(" ").partition("=")
        if name and equals:
            cookies.setdefault(name, _unquote(value))
    return cookies


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def format_set_cookie(
    name: str,
    value: str,
    *,
    path: str | None = "/",
    expires: datetime | float | None = None,
    domain: str | None = None,
    priority: str | None = None,
    same_site: str | bool | None = None,
    secure: bool = False,
    http_only: bool = True,
    partitioned: bool = False,
) -> str:
    """Return a Set-Cookie line.

    `expires` is an aware datetime or seconds since 1970, `same_site` is lax, strict or none (True
    is strict), `priority` is low, medium or high, both in any case. Raises ValueError for what
    would break the line or is no such value, TypeError for what is no text.

    >>> format_set_cookie("name", "tobi", same_site="Lax", secure=True)
    'name=tobi; path=/; samesite=lax; secure; httponly'
    """
    _check(NAME, name, "argument name")
    _check(VALUE, value, "argument value")
    parts = [f"{name}={value}"]
    if path:
        parts.append(f"path={_check(PATH, path, 'option path')}")
    if expires is not None:
        parts.append(f"expires={_format_expires(expires)}")
    if domain:
        parts.append(f"domain={_check(DOMAIN, domain, 'option domain')}")
    if priority:
        parts.append(f"priority={_choose(PRIORITY, priority, 'option priority')}")
    if same_site:
        wanted = "strict" if same_site is True else same_site
        parts.append(f"samesite={_choose(SAME_SITE, wanted, 'option same_site')}")
    flags = (("secure", secure), ("httponly", http_only), ("partitioned", partitioned))
    parts.extend(flag for flag, wanted in flags if wanted)
    return "; ".join(parts)


def _check(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"{what} must be str, got {type(text).__name__}")
    if not pattern.fullmatch(text):
        raise ValueError(f"{what} is invalid")  # the text may be a secret
    return text


def _choose(choices: frozenset[str], text: str, what: str) -> str:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"{what} must be str, got {type(text).__name__}")
    if text.lower() not in choices:
        raise ValueError(f"{what} is invalid: {text!r} is not one of {', '.join(sorted(choices))}")
    return text.lower()


def _format_expires(when: datetime | float) -> str:
    if isinstance(when, datetime):
        return format_date(when)
    if not isinstance(when, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"option expires must be datetime or seconds, got {when!r}")
    if not isfinite(when):
        raise ValueError(f"option expires is invalid: {when!r}")
    return format_date(min(max(when, 0), LAST_SECOND))
