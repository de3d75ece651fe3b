"""Vary: the request fields that a response depends on (RFC 9110, 12.5.5)."""

import re
from collections.abc import Sequence

__all__ = ["add_vary"]

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2


def add_vary(current: str, fields: str | Sequence[str]) -> str:
    """Return Vary `current` with `fields`, a list or text with commas, added.

    A field that is there already, in whatever case, is not added again. `*`, on either side,
    stands for all. ValueError for what is no field name.

    >>> add_vary("Accept", "Origin, accept"), add_vary("Accept", ["*"])
    ('Accept, Origin', '*')
    """
    names = _split(fields) if isinstance(fields, str) else fields
    for name in names:
        if not TOKEN.fullmatch(name):
            raise ValueError(f"Vary takes names of fields, got {name!r}")
    known = dict.fromkeys(_split(current.lower()))
    if "*" in known or "*" in names:
        return "*"
    merged = current
    for name in names:
        if name.lower() not in known:
            known[name.lower()] = None
            merged = f"{merged}, {name}" if merged else name
    return merged


def _split(field: str) -> list[str]:
    return [each.strip(" \t") for each in field.split(",")]
