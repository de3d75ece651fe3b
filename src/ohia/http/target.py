"""Request targets as HTTP writes them (RFC 9112, 3.2): their parts, and how to exchange one."""

import re

__all__ = ["target_path", "target_querystring", "with_path", "with_querystring"]

ABSOLUTE_FORM = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/\\?#]*")  # RFC 9112, 3.2.2
AUTHORITY_FORM = re.compile(r"[^/@]*:[0-9]+")  # RFC 9112, 3.2.3


def target_path(target: str) -> str:
    """Return the path of a request `target` as it was sent, still percent-encoded.

    `*` stays, `//x/p` is all path, an absolute form loses its scheme and host. The empty string
    where there is no path: for CONNECT's `host:port`, or no target (RFC 9112, 3.2).

    >>> target_path("/a%20b?c=d"), target_path("http://x.example/a?b"), target_path("//x/p")
    ('/a%20b', '/a', '//x/p')
    """
    if target.startswith("/") and "#" not in target:
        return target.partition("?")[0]  # what nearly every request has
    return _split_target(target)[1]


def target_querystring(target: str) -> str:
    """Return the query of a request `target`, without `?`; empty where there is none.

    >>> target_querystring("/a?b=c?d")
    'b=c?d'
    """
    return _split_target(target)[2][1:]


def with_path(target: str, path: str) -> str:
    """Return `target` with another path; its query stays. `?` and `#` in `path` are escaped.

    >>> with_path("/a?b=c", "/what?")
    '/what%3F?b=c'
    """
    prefix, old, search, fragment = _split_target(target)
    if path == old:
        return target
    if prefix and not path.startswith("/"):
        path = f"/{path}"
    return prefix + path.replace("?", "%3F").replace("#", "%23") + search + fragment


def with_querystring(target: str, querystring: str) -> str:
    """Return `target` with another query, given with or without its `?`; an empty one removes it.

    >>> with_querystring("/a?b", "c=d#"), with_querystring("/a?b", "")
    ('/a?c=d%23', '/a')
    """
    prefix, path, old, fragment = _split_target(target)
    if querystring == old[1:]:
        return target
    mark = "?" if querystring and querystring[0] != "?" else ""
    return prefix + path + mark + querystring.replace("#", "%23") + fragment


def _split_target(target: str) -> tuple[str, str, str, str]:
    """Cut a request target into scheme and host, path, `?` and query, `#` and fragment."""
    rest, hash_, fragment = target.partition("#")
    path, mark, query = rest.partition("?")
    prefix = ""
    if path[:1] != "/":
        prefix, path = _split_path(path)
    return prefix, path, mark + query, hash_ + fragment


def _split_path(path: str) -> tuple[str, str]:
    """Part scheme and host from the path of an absolute form, or what CONNECT names."""
    if match := ABSOLUTE_FORM.match(path):
        return match[0], path[match.end() :] or "/"
    return (path, "") if AUTHORITY_FORM.fullmatch(path) else ("", path)
