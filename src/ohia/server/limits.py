"""Limits: what one client may use of a server, each with an answer of its own.

A limit that is None is off. Sizes are in bytes, times in seconds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from ohia.exchange import SocketOptions

__all__ = ["Limits", "make_limits"]

SOCKET = SocketOptions()


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
    """Seconds from the first byte of a head to its last; then 408.

    Also those until a new connection's first byte, and for a TLS handshake; then it closes.
    """

    body_timeout: float | None = 60
    """Seconds in which a body does not move: a request's is answered 408, a response is cut."""

    min_rate: int | None = 100
    """Bytes a second that move at least, counted over `body_timeout`: drops are no movement."""

    max_drain: int | None = 64 * 1024
    """Bytes of a body that nobody read and that are read to keep the connection; else it closes."""

    drain_timeout: float | None = 5
    """Seconds for the whole of that; then the connection closes."""

    linger_timeout: float | None = 2
    """Seconds in which a client that was refused may finish sending, and so read the answer."""

    idle_timeout: float | None = 75
    """Seconds between two requests; then the connection closes. Proxies keep theirs for 60."""

    max_connections: int | None = 20_000
    """Open connections of one process; one more is answered 503."""

    max_message_size: int | None = SOCKET.max_message_size
    """Bytes of one WebSocket message after inflating; more closes it with 1009."""

    max_fragment_size: int | None = SOCKET.max_fragment_size
    """Bytes of one WebSocket frame after inflating; more closes it with 1009."""

    max_queue: int = SOCKET.max_queue
    """WebSocket messages that wait for the application; more stops reading. Never None."""

    ping_interval: float | None = SOCKET.ping_interval
    """Seconds between pings to a WebSocket's peer."""

    ping_timeout: float | None = SOCKET.ping_timeout
    """Seconds after a ping without any sign of life; then the WebSocket is over, with 1011."""

    close_timeout: float | None = SOCKET.close_timeout
    """Seconds for the peer's half of a WebSocket's close; then the connection is cut."""

    grace: float | None = 30
    """Seconds that requests may still take when the server stops; then they are cut."""

    worker_timeout: float | None = 30
    """Seconds that one of several workers may block its loop; then it is killed and replaced.

    Counted once it is ready: imports and the lifespan's start take as long as they take.
    """

    def __post_init__(self) -> None:
        """Raise ValueError for what no WebSocket could work with."""
        _ = self.socket_options

    @property
    def socket_options(self) -> SocketOptions:
        """Those of a WebSocket for which the application asks for nothing else."""
        return SocketOptions(
            max_message_size=self.max_message_size,
            max_fragment_size=self.max_fragment_size,
            max_queue=self.max_queue,
            ping_interval=self.ping_interval,
            ping_timeout=self.ping_timeout,
            close_timeout=self.close_timeout,
        )


NAMES = tuple(each.name for each in fields(Limits))
NEEDED = frozenset({"max_queue"})


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
    if value is None and name not in NEEDED:
        return
    is_size = name.startswith(("max_", "min_"))
    wanted = int if is_size else int | float
    if isinstance(value, bool) or not isinstance(value, wanted):
        kind = "an int" if is_size else "a number of seconds"
        none = "" if name in NEEDED else " or None"
        raise TypeError(f"{name} takes {kind}{none}, got {value!r}")
    if value < 0 or math.isnan(value):
        raise ValueError(f"{name} cannot be below zero, got {value!r}")
