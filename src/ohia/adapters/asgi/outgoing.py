"""What leaves over ASGI: field lines as bytes, and warnings of what a server cannot send."""

import logging
from collections.abc import Container

from ohia.http.headers import Headers

__all__ = ["FRAMING", "RawHeaders", "raw_headers", "warn_once"]

RawHeaders = list[tuple[bytes, bytes]]

# The server frames the message and keeps the connection (RFC 9110, 7.6.1).
FRAMING = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)

log: logging.Logger = logging.getLogger("ohia")
_warned: set[str] = set()


def raw_headers(headers: Headers, but: Container[str] = FRAMING) -> RawHeaders:
    """Return the field lines of `headers` as ASGI wants them, without the names in `but`."""
    lines: RawHeaders = []
    for name, (_, value) in headers.entries():
        if name in but:
            continue
        if isinstance(value, str):
            lines.append((name.encode(), value.encode("latin-1")))
        else:
            lines.extend([(name.encode(), each.encode("latin-1")) for each in value])
    return lines


def warn_once(message: str) -> None:
    """Log `message`, about a limit of the server, the first time that it shows."""
    if message not in _warned:
        _warned.add(message)
        log.warning(message)
