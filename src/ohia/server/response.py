"""The head of a response: fields in, bytes and framing out (RFC 9112, 6 and 9)."""

from enum import Enum, auto

from ohia.http.headers import Headers, check_value
from ohia.http.status import PHRASES

__all__ = [
    "CLOSE",
    "KEEP_ALIVE",
    "Framing",
    "checked_length",
    "has_length",
    "render_fields",
    "render_refusal",
    "status_line",
]

# Those of the application's fields that steer the server; all others are written as they are.
STEERING = frozenset(
    {"connection", "content-length", "date", "keep-alive", "proxy-connection"}
    | {"transfer-encoding", "upgrade"}
)
STATUS_LINES = {status: f"HTTP/1.1 {status} {text}\r\n" for status, text in PHRASES.items()}

CLOSE = "Connection: close\r\n\r\n"
KEEP_ALIVE = {"1.0": "Connection: keep-alive\r\n\r\n", "1.1": "\r\n"}
"""How a head ends after which another request may follow, by the client's version of HTTP."""


class Framing(Enum):
    """How a client knows where a response's body ends."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()


def status_line(status: int, reason: str | None) -> str:
    """Return the first line of a response; ValueError for what would break it."""
    if reason is None and status in STATUS_LINES:
        return STATUS_LINES[status]
    if not 100 <= status <= 999:
        raise ValueError(f"a status has three digits, got {status!r}")
    return f"HTTP/1.1 {status} {check_value('reason', reason or '')}\r\n"


def has_length(status: int) -> bool:
    """Say whether the head may have a Content-Length (RFC 9110, 8.6)."""
    return status >= 200 and status != 204


def render_fields(headers: Headers, date: str) -> tuple[str, str | list[str] | None, bool]:
    """Sort the application's fields into those to write and those that steer the server.

    Return the lines of the first, with `date` among them unless they have a Date; the
    Content-Length; and whether they want the connection closed.
    """
    text = date
    length = None
    wants_close = False
    for key, (name, value) in headers.entries():
        if key not in STEERING:
            text += f"{name}: {value}\r\n" if type(value) is str else _lines(name, value)
        elif key == "content-length":
            length = value
        elif key == "upgrade":  # what a 426 asks for (RFC 9110, 7.8 and 15.5.22)
            text += f"Connection: Upgrade\r\n{_lines(name, value)}"
        elif key == "date":
            text = text.removeprefix(date) + _lines(name, value)
        elif key == "connection":
            wants_close = "close" in _options(value)
    return text, length, wants_close


def _lines(name: str, value: str | list[str]) -> str:
    values = value if isinstance(value, list) else [value]
    return "".join([f"{name}: {each}\r\n" for each in values])


def _options(value: str | list[str]) -> list[str]:
    text = value if isinstance(value, str) else ",".join(value)
    return [each.strip() for each in text.lower().split(",")]


def checked_length(value: str | list[str] | None) -> int | None:
    """Return a Content-Length as a number of bytes; ValueError for what is none."""
    if value is None:
        return None
    if not (isinstance(value, str) and value.isascii() and value.isdigit()):
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
