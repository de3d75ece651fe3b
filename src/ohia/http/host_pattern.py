"""Which of several hosts a request is for: by name, by name and port, or by a parent domain."""

from collections.abc import Mapping
from typing import TypeVar

from ohia.http.host import hostname

__all__ = ["check_host_pattern", "find_host"]

Value = TypeVar("Value")


def check_host_pattern(pattern: str) -> str:
    """Return `pattern` in lower case: `name`, `name:port`, `*.parent` or `*`, else ValueError.

    >>> check_host_pattern("*.Example.com"), check_host_pattern("localhost:3000")
    ('*.example.com', 'localhost:3000')
    """
    if pattern != "*" and not hostname(pattern.removeprefix("*.")):
        raise ValueError(f"a host is `name`, `name:port`, `*.parent` or `*`, got {pattern!r}")
    return pattern.lower()


def find_host(host: str, table: Mapping[str, Value]) -> Value | None:
    """Return what `table` has for `host`: the whole, without port, then below each parent, `*`.

    The patterns are as `check_host_pattern` gives them. A dot at the end of `host` does not
    count. None for a host that is none.

    >>> find_host("A.B.example.com:80", {"example.com": 1, "*.example.com": 2})
    2
    """
    name = hostname(host)
    if not name:
        return None
    port = host[len(name) :] if host.startswith(name) else ""
    labels = name.lower().removesuffix(".")
    candidates = [labels + port, labels]
    while "." in labels:
        labels = labels.partition(".")[2]
        candidates.append(f"*.{labels}")
    return next((table[each] for each in (*candidates, "*") if each in table), None)
