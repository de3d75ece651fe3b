"""Content-Disposition: show a body or save it, and under which name (RFC 6266).

A name that ISO-8859-1 cannot write is sent twice: as `filename*` in full for today's clients
(RFC 8187), and as `filename` with a plainer fallback for the rest.
"""

import re
from urllib.parse import quote

__all__ = ["content_disposition"]

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
QUOTABLE = re.compile(r"[\x20-\x7e\x80-\xff]+")
NOT_LATIN1 = re.compile(r"[^\x20-\x7e\xa0-\xff]")  # nor printable
ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")  # some clients decode it in `filename`


def content_disposition(
    filename: str | None = None, *, type: str = "attachment", fallback: bool | str = True
) -> str:
    r"""Return a field that offers a body under the last part of the path `filename`.

    `type` is `attachment` (save it), `inline` (show it) or another token. Where `filename` is not
    ISO-8859-1, `fallback` is the name for old clients: True puts `?` for each other character,
    False sends none. Nothing of either name gets out of its quotes. ValueError for a `type` that
    is no token and a `fallback` that is not ISO-8859-1.

    >>> content_disposition("folder/plans.txt")
    'attachment; filename="plans.txt"'
    >>> content_disposition("€ rates.txt", type="inline")
    'inline; filename="? rates.txt"; filename*=UTF-8\'\'%E2%82%AC%20rates.txt'
    """
    if not TOKEN.fullmatch(type):
        raise ValueError(f"a disposition type is a token such as attachment, got {type!r}")
    if filename is None:
        return type.lower()
    name = _base_name(filename)
    plain = _fallback(name, fallback)
    field = type.lower()
    if plain is not None:
        field += f'; filename="{_escape(plain)}"'
    if plain != name or ESCAPED.search(name):
        field += f"; filename*=UTF-8''{quote(name, safe='!~', errors='replace')}"
    return field


def _base_name(path: str) -> str:
    if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"a file name is a str, got {path!r}")
    return path.rstrip("/").rpartition("/")[2]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _fallback(name: str, fallback: bool | str) -> str | None:  # noqa: FBT001 - as it was given
    """Return the value of `filename`, which is `name` itself where it can be quoted."""
    if isinstance(fallback, str):
        if NOT_LATIN1.search(fallback):
            raise ValueError(f"a fallback name is ISO-8859-1, got {fallback!r}")
        plain = _base_name(fallback)
    elif isinstance(fallback, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        plain = NOT_LATIN1.sub("?", name) if fallback else name
    else:
        raise TypeError(f"fallback is a bool or a str, got {fallback!r}")
    return plain if plain != name or QUOTABLE.fullmatch(name) else None
