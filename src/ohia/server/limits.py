"""Limits: what one client may use of a server, each with an answer of its own.

A limit that is None is off. Sizes are in bytes, times in seconds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

__all__ = ["Limits", "make_limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server."""

    max_target: int | None = 16 * 1024
    """Bytes of a request target; more is answered 414 (RFC 9112, 3, asks for 8000 or more)."""

    max_head: int | None = 32 * 1024
    """Bytes of a request line and its fields; more is answered 431. Node takes 16 KiB."""

    max_headers: int | None = 100
    """Field lines of one request; more are answered 431."""

    max_request_body: int | None = None
    """Bytes of a request's body, a hard cap before the application; more is answered 413."""

    head_timeout: float | None = 30
    """Seconds from the first byte of a head to its last; then 408. Also for a TLS handshake."""

    body_timeout: float | None = 60
    """Seconds in which a body does not move: a request's is answered 408, a response is cut."""

    idle_timeout: float | None = 75
    """Seconds between two requests; then the connection closes. Proxies keep theirs for 60."""

    max_connections: int | None = 20_000
    """Open connections of one process; one more is answered 503."""

    grace: float | None = 30
    """Seconds that requests may still take when the server stops; then they are cut."""


NAMES = tuple(each.name for each in fields(Limits))


def make_limits(options: Mapping[str, object]) -> Limits:
    """Return the limits that `options` ask for, the defaults for the rest.

    Raises TypeError for a name that is no limit or a value that is no number, ValueError for
    one below zero.

    >>> make_limits({"max_head": 8192, "grace": None}).max_head
    8192
    """
    for name, value in options.items():
        _check(name, value)
    return Limits(**options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - checked


def _check(name: str, value: object) -> None:
    if name not in NAMES:
        raise TypeError(f"listen() has no option {name!r}; its limits are {', '.join(NAMES)}")
    if value is None:
        return
    is_size = name.startswith("max_")
    wanted = int if is_size else int | float
    if isinstance(value, bool) or not isinstance(value, wanted):
        kind = "an int" if is_size else "a number of seconds"
        raise TypeError(f"{name} takes {kind} or None, got {value!r}")
    if value < 0 or math.isnan(value):
        raise ValueError(f"{name} cannot be below zero, got {value!r}")
