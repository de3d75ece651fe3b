"""Which of several hosts a request is for: by name, by name and port, or by a parent domain."""

from collections.abc import Mapping
from typing import TypeVar

from ohia.http.host import hostname

__all__ = ["check_host_pattern", "find_host"]

Value = TypeVar("Value")


def check_host_pattern(pattern: str) -> str:
    """Return `pattern` in lower case: `name`, `name:port`, `*.parent` or `*`, else ValueError.

    ValueError too for what no host ever matches: a port after `*.parent`, a dot at the end, a
    port that is empty or begins with 0, an IPv6 address in another than its shortest spelling.

    >>> check_host_pattern("*.Example.com"), check_host_pattern("localhost:3000")
    ('*.example.com', 'localhost:3000')
    """
    lowered = pattern.lower()
    if lowered != "*" and not _is_possible(lowered):
        raise ValueError(f"a host is `name`, `name:port`, `*.parent` or `*`, got {pattern!r}")
    return lowered


def _is_possible(pattern: str) -> bool:
    """Say whether `find_host` looks up `pattern` for some host."""
    if pattern.startswith("*."):
        return pattern in _candidates(f"a{pattern[1:]}")
    return pattern in _candidates(pattern)[:1] and _port(pattern)[:2] not in {":", ":0"}


def find_host(host: str, table: Mapping[str, Value]) -> Value | None:
    """Return what `table` has for `host`: the whole, without port, then below each parent, `*`.

    The patterns are as `check_host_pattern` gives them. A dot at the end of `host` does not
    count. None for a host that is none.

    >>> find_host("A.B.example.com:80", {"example.com": 1, "*.example.com": 2})
    2
    """
    return next((table[each] for each in _candidates(host) if each in table), None)


def _candidates(host: str) -> list[str]:
    """Return the patterns that `host` matches, the most specific first; none for no host."""
    name = hostname(host)
    if not name:
        return []
    labels = name.lower().removesuffix(".")
    candidates = [labels + _port(host), labels]
    while "." in labels:
        labels = labels.partition(".")[2]
        candidates.append(f"*.{labels}")
    return [*candidates, "*"]


def _port(host: str) -> str:
    """Return the port of a valid `host`, with its colon; "" if it has none."""
    return "".join(host.rpartition("]")[2].partition(":")[1:])
