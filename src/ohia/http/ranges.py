"""Byte ranges: which parts of a body a client asks for, and how they are sent (RFC 9110, 14).

A part is Python's `range` of the positions of its bytes.
"""

import re
from collections.abc import Sequence

from ohia.http.date import parse_date

__all__ = ["content_range", "if_range_holds", "multipart", "parse_ranges"]

MAX_ASKED = 32  # a viewer of large documents asks for a few; more is no honest wish
OVERHEAD = 200  # bytes around each of several parts, about
MAX_DIGITS = 18  # what is longer is beyond every file
ONE = re.compile(r"[ \t]*+([0-9]*+)[ \t]*+-[ \t]*+([0-9]*+)[ \t]*+")


def parse_ranges(field: str, size: int) -> list[range] | None:
    """Return the parts that Range `field` asks for of a body of `size` bytes.

    None where the field is to be ignored: another unit, what is malformed, more than 32 parts,
    or several that would take more bytes than the whole. Empty where none of it is there, which
    is a 416. Parts that overlap or touch become one; else they stay in the order of the field.

    >>> parse_ranges("bytes=0-4, -2, 3-5", 1000), parse_ranges("bytes=10-", 10)
    ([range(0, 6), range(998, 1000)], [])
    >>> parse_ranges("lines=1-2", 10), parse_ranges("bytes=a-b", 10)
    (None, None)
    """
    unit, _, text = field.partition("=")
    if unit.strip(" \t").lower() != "bytes":
        return None
    asked = text.split(",", MAX_ASKED)
    if len(asked) > MAX_ASKED:
        return None
    parts: list[range] = []
    for each in asked:
        part = _parse_one(each, size)
        if part is None:
            return None
        if part:
            parts.append(part)
    parts = _merged(parts)
    is_dear = len(parts) > 1 and sum(len(each) + OVERHEAD for each in parts) > size
    return None if is_dear else parts


def _parse_one(text: str, size: int) -> range | None:
    """Return one part, empty if nothing of it is there; None if it is malformed."""
    match = ONE.fullmatch(text)
    if match is None or match[1] == match[2] == "":
        return None
    first, last = match[1], match[2]
    if not first:
        return range(max(0, size - _number(last)), size)
    stop = min(size, _number(last) + 1) if last else size
    return range(_number(first), stop)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= MAX_DIGITS else 10**MAX_DIGITS


def _merged(parts: Sequence[range]) -> list[range]:
    """Return `parts` without overlaps, each where the first of those in it stood."""
    merged: list[tuple[int, range]] = []
    for place, part in sorted(enumerate(parts), key=lambda each: each[1].start):
        if merged and part.start <= merged[-1][1].stop:
            first, known = merged[-1]
            merged[-1] = (min(first, place), range(known.start, max(known.stop, part.stop)))
        else:
            merged.append((place, part))
    return [part for _, part in sorted(merged, key=lambda each: each[0])]


def content_range(part: range | None, size: int) -> str:
    """Return Content-Range for a `part` of `size` bytes; for None, that of a 416.

    >>> content_range(range(0, 5), 10), content_range(None, 10)
    ('bytes 0-4/10', 'bytes */10')
    """
    return f"bytes */{size}" if part is None else f"bytes {part.start}-{part.stop - 1}/{size}"


def if_range_holds(field: str, etag: str, last_modified: str) -> bool:
    """Say whether If-Range `field` names just this state, by `etag` or by `last_modified`.

    The comparison is strong, so a weak tag never holds, and a date only if it is the same one
    (RFC 9110, 13.1.5). "" is a validator that is not there, or not strong.

    >>> if_range_holds('"a"', '"a"', ""), if_range_holds('W/"a"', 'W/"a"', "")
    (True, False)
    """
    if field.startswith(('"', "W/")):
        return field.startswith('"') and field == etag
    date = parse_date(field)
    return date is not None and date == parse_date(last_modified)


def multipart(
    parts: Sequence[range], size: int, media_type: str, boundary: str
) -> list[bytes | range]:
    r"""Return the body of a multipart/byteranges: its heads as bytes, between them the parts.

    >>> multipart([range(0, 5)], 10, "text/plain", "x")[1:]
    [range(0, 5), b'\r\n--x--\r\n']
    """
    body: list[bytes | range] = []
    for part in parts:
        head = f"--{boundary}\r\nContent-Type: {media_type}\r\n"
        head += f"Content-Range: {content_range(part, size)}\r\n\r\n"
        body += [f"\r\n{head}".encode("latin-1") if body else head.encode("latin-1"), part]
    return [*body, f"\r\n--{boundary}--\r\n".encode("latin-1")]
