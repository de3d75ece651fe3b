"""File descriptors: as many as the system gives us, some of them kept for the application.

A process without a free descriptor cannot accept, nor open a file, nor ask a name server. So
connections are bounded below that number.
"""

import contextlib

try:
    import resource
except ImportError:  # there is no such limit on Windows
    resource = None  # type: ignore[assignment]

__all__ = ["most_connections", "most_sockets", "raise_limit"]

KEPT_PART = 8  # one descriptor of so many is the application's,
KEPT_LEAST = 32  # but no fewer than these
KEPT_MOST = 1024  # and no more
KEPT_ALWAYS = 24  # the loop's own and some air; not even a connection that is refused takes them


def raise_limit() -> None:
    """Raise the soft limit of this process to its hard one, as Go's runtime does."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # macOS has a bound of its own below
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections(wanted: int | None) -> int | None:
    """Return how many connections may be open: `wanted`, or what the descriptors allow."""
    limit = _soft_limit()
    if limit is None:
        return wanted
    allowed = max(1, limit - min(max(KEPT_LEAST, limit // KEPT_PART), KEPT_MOST))
    return allowed if wanted is None else min(wanted, allowed)


def most_sockets() -> int | None:
    """Return how many connections may be open for a moment, those that are refused included."""
    limit = _soft_limit()
    return None if limit is None else max(1, limit - KEPT_ALWAYS)


def _soft_limit() -> int | None:
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
