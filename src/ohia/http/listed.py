"""Options that are lists: of names for a header, of hosts, of origins."""

import re
from collections.abc import Iterable

__all__ = ["field_names", "listed"]

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def listed(values: str | Iterable[str]) -> list[str]:
    """Return `values` as a list; of text what stands between its commas.

    >>> listed("GET, POST"), listed(("GET", "POST")), listed("")
    (['GET', 'POST'], ['GET', 'POST'], [])
    """
    if isinstance(values, str):
        return [each for piece in values.split(",") if (each := piece.strip(" \t"))]
    return list(values)


def field_names(option: str, values: str | Iterable[str]) -> str:
    """Return `values`, methods or names of headers, as a field; ValueError for what is none.

    >>> field_names("allow_methods", ["GET", "POST"])
    'GET,POST'
    """
    names = listed(values)
    for name in names:
        if not TOKEN.fullmatch(name):
            raise ValueError(f"{option} are names, got {name!r}")
    return ",".join(names)
