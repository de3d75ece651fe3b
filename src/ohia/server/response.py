"""The head of a response: fields in, bytes and framing out (RFC 9112, 6 and 9)."""

from dataclasses import dataclass
from enum import Enum, auto

from ohia.http.headers import Headers, check_value
from ohia.http.status import PHRASES

__all__ = [
    "Fields",
    "Framing",
    "has_body",
    "has_length",
    "read_fields",
    "render_refusal",
    "status_line",
]

# Written by the server, whatever the application thinks of them.
CONNECTION_FIELDS = frozenset({"connection", "keep-alive", "proxy-connection", "transfer-encoding"})
STATUS_LINES = {status: f"HTTP/1.1 {status} {text}\r\n" for status, text in PHRASES.items()}

# Fields that are kept sorted, and the length of the longest: 128 KiB at most.
MOST_KNOWN = 256
LONGEST_KNOWN = 512
_known: dict[tuple[tuple[str, str], ...], "Fields"] = {}


class Framing(Enum):
    """How a client knows where a response's body ends."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Fields:
    """What the application's fields mean to the server."""

    text: str
    """Those that are written as they are, one line each."""
    length: int | None
    wants_close: bool
    has_date: bool


def status_line(status: int, reason: str) -> str:
    """Return the first line of a response; ValueError for what would break it."""
    if reason == PHRASES.get(status):
        return STATUS_LINES[status]
    if not 100 <= status <= 999:
        raise ValueError(f"a status has three digits, got {status!r}")
    return f"HTTP/1.1 {status} {check_value('reason', reason)}\r\n"


def has_length(status: int) -> bool:
    """Say whether the head may have a Content-Length (RFC 9110, 8.6)."""
    return status >= 200 and status != 204


def has_body(method: str, status: int) -> bool:
    """Say whether a body follows the head (RFC 9110, 6.4.1)."""
    return method != "HEAD" and status >= 200 and status not in {204, 304}


def read_fields(headers: Headers) -> Fields:
    """Sort the application's fields into those to write and those that steer the server.

    Applications send the same few again and again, so some that were sorted are kept.
    """
    lines = tuple(headers.lines())
    known = _known.get(lines)
    if known is not None:
        return known
    fields = _sort(lines)
    if len(fields.text) <= LONGEST_KNOWN:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[lines] = fields
    return fields


def _sort(lines: tuple[tuple[str, str], ...]) -> Fields:
    text = ""
    length = None
    wants_close = has_date = False
    for name, value in lines:
        key = name.lower()
        if key == "content-length":
            length = _length(value, length)
        elif key == "upgrade":  # what a 426 asks for (RFC 9110, 7.8 and 15.5.22)
            text += f"Connection: Upgrade\r\n{name}: {value}\r\n"
        elif key in CONNECTION_FIELDS:
            wants_close = wants_close or (key == "connection" and _says_close(value))
        else:
            has_date = has_date or key == "date"
            text += f"{name}: {value}\r\n"
    return Fields(text, length, wants_close, has_date)


def _says_close(value: str) -> bool:
    return "close" in [each.strip() for each in value.lower().split(",")]


def _length(value: str, known: int | None) -> int:
    if not (value.isascii() and value.isdigit()) or known is not None:
        raise ValueError(f"Content-Length takes one number, got {value!r}")
    return int(value)


def render_refusal(status: int, date: str, *, has_body: bool = True) -> bytes:
    """Return a whole answer that the server gives by itself; the connection ends with it."""
    body = PHRASES[status]
    return (
        f"{STATUS_LINES[status]}Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n{date}Connection: close\r\n\r\n"
        f"{body if has_body else ''}"
    ).encode("ascii")
