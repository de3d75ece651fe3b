"""Paths as router, mount and static read them: cut at slashes first, decoded once.

That all three share this reading is what keeps a guard on `/admin` and the files below it of one
mind: `/%61dmin` is `/admin` to each of them, `/admin%2Fkey` is one segment to each of them.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes

__all__ = [
    "join_path",
    "quote_path",
    "quote_segment",
    "relative_path",
    "split_path",
    "strip_prefix",
]

UNREADABLE = re.compile(rb"%(?![0-9A-Fa-f]{2})|%00|\x00")

IN_SEGMENT = "!$&'()*+,;=:@"  # what may stand unescaped (RFC 3986, 3.3)


def split_path(path: str) -> list[str] | None:
    """Return the segments of a raw `path`, each percent-decoded once as UTF-8 (RFC 3986, 3.3).

    The leading slash gives no segment, a trailing one a last "". Empty and dot segments stay as
    they are, and a segment may hold "/" or a backslash where those came encoded. None for what
    nobody may interpret: no leading slash, a bad escape, bad or overlong UTF-8, NUL.

    >>> split_path("/caf%C3%A9/a%2Fb/"), split_path("/%zz")
    (['café', 'a/b', ''], None)
    """
    if path[:1] != "/":
        return None
    if "%" not in path and "\x00" not in path and path.isascii():
        return path[1:].split("/")
    try:
        raw = path.encode()
        if UNREADABLE.search(raw):
            return None
        return [unquote_to_bytes(segment).decode() for segment in raw[1:].split(b"/")]
    except UnicodeError:
        return None


def strip_prefix(path: str, prefix: Sequence[str]) -> str | None:
    """Return what of a raw `path` is below the decoded segments `prefix`, still encoded.

    It begins with a slash, or is "" where `path` ends with the prefix. None if it is not below.

    >>> strip_prefix("/%61/b%20c/", ["a"]), strip_prefix("/a", ["a"]), strip_prefix("/ab", ["a"])
    ('/b%20c/', '', None)
    """
    if not path.startswith("/"):
        return None
    parts = path.split("/", len(prefix) + 1)
    count = len(prefix) + 1
    if prefix and split_path("/".join(parts[:count])) != list(prefix):
        return None
    return f"/{parts[count]}" if len(parts) > count else ""


def relative_path(segments: Sequence[str]) -> str | None:
    """Join decoded `segments` to a path that everybody cuts at the same places, else None.

    So none of them is empty but the last, and none holds a slash of either kind.

    >>> relative_path(["a", "b", ""]), relative_path(["a/b"]), relative_path(["", "a"])
    ('a/b/', None, None)
    """
    text = "/".join(segments)
    if text.count("/") != len(segments) - 1 or "\\" in text or "//" in text or text[:1] == "/":
        return None
    return text


def quote_segment(text: str) -> str:
    """Percent-encode `text` so that it is one segment, which decodes to it again.

    Dot segments cannot be kept from browsers, which remove them encoded too: ValueError, as for
    what is no text (NUL, a lone surrogate).

    >>> quote_segment("a/b c?é")
    'a%2Fb%20c%3F%C3%A9'
    """
    if text in {".", ".."} or "\x00" in text:
        raise ValueError(f"{text!r} cannot be a segment of a path")
    return quote(text, IN_SEGMENT, errors="strict")


def quote_path(path: str) -> str:
    """Percent-encode a decoded `path`, segment by segment; ValueError as from `quote_segment`.

    >>> quote_path("50% off/é")
    '50%25%20off/%C3%A9'
    """
    return "/".join(map(quote_segment, path.split("/")))


def join_path(prefix: str, path: str) -> str:
    """Return `path` below `prefix`; both begin with a slash or are empty, one slash is between.

    >>> join_path("/api/", "/users"), join_path("/api", ""), join_path("", "/")
    ('/api/users', '/api', '/')
    """
    return prefix.removesuffix("/") + path if path else prefix
