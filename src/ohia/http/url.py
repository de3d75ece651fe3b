r"""URLs as browsers read them (the WHATWG URL standard), and request targets as HTTP writes them.

What a browser would do with a link is what counts when a redirect or an origin is judged:
`http:\\evil.com`, `//evil.com` and `/\evil.com` are read here as there, and otherwise by `urllib`.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from ohia.http.host import parse_host
from ohia.http.query import Query, parse_query

__all__ = [
    "INVALID_URL",
    "URL",
    "encode_url",
    "parse_url",
    "target_path",
    "target_querystring",
    "with_path",
    "with_querystring",
]

DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
"""The schemes that have hosts in the way of http, and the port that each leaves out."""

EDGES = "".join(map(chr, range(0x21)))  # C0 controls and the space
TAB_OR_NEWLINE = re.compile(r"[\t\n\r]+")
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
AUTHORITY = re.compile(r"[^/\\?#]*")
TWO_SLASHES = re.compile(r"[/\\]{2}")
PORT = re.compile(r"[0-9]*")
DOT = re.compile(r"\.|%2e", re.IGNORECASE)

# What is percent-encoded where (WHATWG URL, 1.3), as Node 20 has it: ^ stays in a path.
OUTSIDE = r"\x00-\x1f\x7f-\U0010ffff"
IN_PATH = re.compile(rf'[{OUTSIDE} "#<>?`{{}}]+')
IN_QUERY = re.compile(rf"""[{OUTSIDE} "#<>']+""")
IN_FRAGMENT = re.compile(rf'[{OUTSIDE} "<>`]+')
IN_USERINFO = re.compile(rf'[{OUTSIDE} "#<>?`{{}}/:;=@\[\\\]^|]+')
IN_OPAQUE = re.compile(rf"[{OUTSIDE}]+")


NOT_IN_URL = re.compile(
    r"[^\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x5f\x61-\x7a\x7c~]+|%(?![0-9A-Fa-f]{2})"
)
ABSOLUTE_FORM = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/\\?#]*")  # RFC 9112, 3.2.2
AUTHORITY_FORM = re.compile(r"[^/@]*:[0-9]+")  # RFC 9112, 3.2.3


@dataclass(frozen=True, slots=True)
class URL:
    """The parts of a URL, with the names and the punctuation of the WHATWG standard.

    `protocol` has its colon, `search` its `?` and `hash` its `#`, each is empty where there is
    nothing; `port` is empty for the scheme's own. All are None in the URL of what is no URL.
    """

    href: str | None = None
    protocol: str | None = None
    username: str | None = None
    password: str | None = None
    host: str | None = None
    hostname: str | None = None
    port: str | None = None
    pathname: str | None = None
    search: str | None = None
    hash: str | None = None

    @property
    def query(self) -> Query | None:
        """The names and values of `search`."""
        return None if self.search is None else parse_query(self.search)

    @property
    def origin(self) -> str | None:
        """Protocol and host, `null` for a scheme without hosts (WHATWG HTML, 7.1.1)."""
        if self.protocol is None:
            return None
        return f"{self.protocol}//{self.host}" if self.protocol[:-1] in DEFAULT_PORTS else "null"


INVALID_URL = URL()


@dataclass(frozen=True, slots=True)
class _Authority:
    username: str = ""
    password: str = ""
    hostname: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class _Parts:
    """A URL of a scheme with hosts, half read: `query` and `fragment` are None where absent."""

    scheme: str
    authority: _Authority
    segments: list[str]
    query: str | None
    fragment: str | None


def parse_url(text: str, base: str | None = None) -> URL | None:
    r"""Read `text`, relative to `base` if that is given; None if it is no URL (WHATWG URL, 4.4).

    Complete for http, https, ws, wss and ftp. Of other schemes only protocol, pathname, search
    and hash are told, and nothing is read relative to them.

    >>> parse_url("HTTP:\\\\b\u00fccher.example:80/a/../b?x#y").href
    'http://xn--bcher-kva.example/b?x#y'
    >>> parse_url("//evil.example", "https://good.example/").host
    'evil.example'
    """
    origin = None
    if base is not None:
        origin = _parse(_clean(base), None)
        if origin is None:
            return None
    parts = _parse(_clean(text), origin if isinstance(origin, _Parts) else None)
    return _serialize(parts) if isinstance(parts, _Parts) else parts


def _clean(text: str) -> str:
    """Drop what browsers overlook: blanks and controls around, tabs and newlines inside."""
    text = text.strip(EDGES)
    if text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return TAB_OR_NEWLINE.sub("", text)


def _parse(text: str, base: _Parts | None) -> _Parts | URL | None:
    match = SCHEME.match(text)
    if match is None:
        return None if base is None else _parse_relative(text, base)
    scheme, rest = match[1].lower(), text[match.end() :]
    if scheme not in DEFAULT_PORTS:
        return _parse_foreign(scheme, rest)
    if base is not None and base.scheme == scheme and not rest.startswith("//"):
        return _parse_relative(rest, base)
    return _parse_absolute(scheme, rest.lstrip("/\\"))


def _parse_absolute(scheme: str, rest: str) -> _Parts | None:
    """Read what follows the slashes: authority, path, query, fragment."""
    match = AUTHORITY.match(rest)
    end = match.end() if match else 0
    authority = _parse_authority(rest[:end], scheme)
    if authority is None:
        return None
    path, query, fragment = _split(rest[end:])
    return _Parts(scheme, authority, _walk([], path), query, fragment)


def _parse_relative(text: str, base: _Parts) -> _Parts | None:
    if TWO_SLASHES.match(text):
        return _parse_absolute(base.scheme, text.lstrip("/\\"))
    path, query, fragment = _split(text)
    if path.startswith(("/", "\\")):
        segments = _walk([], path)
    elif path:
        segments = _walk(base.segments[:-1], path)
    else:
        segments = base.segments
        query = base.query if query is None else query
    return _Parts(base.scheme, base.authority, segments, query, fragment)


def _split(text: str) -> tuple[str, str | None, str | None]:
    """Cut `text` into path, query and fragment, encoded except for the path."""
    text, hash_, fragment = text.partition("#")
    path, mark, query = text.partition("?")
    return (
        path,
        _escape(IN_QUERY, query) if mark else None,
        _escape(IN_FRAGMENT, fragment) if hash_ else None,
    )


def _walk(start: list[str], path: str) -> list[str]:
    """Follow `path` from the segments `start`: `.` stays, `..` goes up, at most to the root."""
    segments = list(start)
    plain = ""
    for step in path.replace("\\", "/").removeprefix("/").split("/"):
        plain = DOT.sub(".", step) if len(step) <= len("%2e%2e") else step
        if plain == "..":
            del segments[-1:]
        elif plain != ".":
            segments.append(_escape(IN_PATH, step))
    if plain in {".", ".."}:
        segments.append("")
    return segments


def _escape(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(_quote, text)


def _quote(match: re.Match[str]) -> str:
    return quote(match[0], safe="")


def _parse_authority(text: str, scheme: str) -> _Authority | None:
    userinfo, _, host_and_port = text.rpartition("@")
    username, _, password = userinfo.partition(":")
    after_bracket = host_and_port.rfind("]") + 1
    colon = host_and_port.find(":", after_bracket)
    end = len(host_and_port) if colon < 0 else colon
    hostname = parse_host(host_and_port[:end])
    port = _parse_port(host_and_port[end + 1 :], scheme)
    if hostname is None or port is None:
        return None
    return _Authority(
        _escape(IN_USERINFO, username), _escape(IN_USERINFO, password), hostname, port
    )


def _parse_port(text: str, scheme: str) -> str | None:
    if not PORT.fullmatch(text):
        return None
    port = text.lstrip("0") or text[:1]
    if len(port) > 5 or int(port or 0) > 0xFFFF:
        return None
    return "" if port == DEFAULT_PORTS[scheme] else port


def _parse_foreign(scheme: str, rest: str) -> URL:
    """Tell what a URL of a scheme without such hosts is made of, roughly."""
    head, hash_, fragment = rest.partition("#")
    path, mark, query = head.partition("?")
    pathname = _escape(IN_OPAQUE, path)
    search = _escape(IN_QUERY, mark + query)
    ending = _escape(IN_FRAGMENT, hash_ + fragment)
    return URL(
        href=f"{scheme}:{pathname}{search}{ending}",
        protocol=f"{scheme}:",
        username="",
        password="",
        host="",
        hostname="",
        port="",
        pathname=pathname,
        search=search if query else "",
        hash=ending if fragment else "",
    )


def _serialize(parts: _Parts) -> URL:
    authority = parts.authority
    userinfo = authority.username
    if authority.password:
        userinfo += f":{authority.password}"
    host = f"{authority.hostname}:{authority.port}" if authority.port else authority.hostname
    pathname = "/" + "/".join(parts.segments)
    search = "" if parts.query is None else f"?{parts.query}"
    ending = "" if parts.fragment is None else f"#{parts.fragment}"
    at = "@" if userinfo else ""
    return URL(
        href=f"{parts.scheme}://{userinfo}{at}{host}{pathname}{search}{ending}",
        protocol=f"{parts.scheme}:",
        username=authority.username,
        password=authority.password,
        host=host,
        hostname=authority.hostname,
        port=authority.port,
        pathname=pathname,
        search=search if parts.query else "",
        hash=ending if parts.fragment else "",
    )


def encode_url(text: str) -> str:
    r"""Percent-encode what cannot stand in a URL, and leave what is encoded already.

    A `%` that begins no escape becomes `%25`, a surrogate that stands alone U+FFFD, a backslash
    `%5C` (browsers take it for a slash). Quotes and angle brackets do not survive, `'` does.

    >>> encode_url("/a b%20c%zz\u20ac\\d")
    '/a%20b%20c%25zz%E2%82%AC%5Cd'
    """
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return NOT_IN_URL.sub(_quote, text)


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
