r"""URLs as browsers read them (the WHATWG URL standard).

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

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def _all_but(escaped: str) -> str:
    return PRINTABLE.translate(dict.fromkeys(map(ord, escaped)))


# What stays as it is where (WHATWG URL, 1.3), as Node 20 has it: ^ stays in a path.
IN_PATH = _all_but(' "#<>?`{}')
IN_QUERY = _all_but(" \"#<>'")
IN_FRAGMENT = _all_but(' "<>`')
IN_USERINFO = _all_but(' "#<>?`{}/:;=@[\\]^|')
IN_OPAQUE = PRINTABLE

NOT_IN_URL = re.compile(
    r"[^\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x5f\x61-\x7a\x7c~]+|%(?![0-9A-Fa-f]{2})"
)


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
        quote(query, IN_QUERY) if mark else None,
        quote(fragment, IN_FRAGMENT) if hash_ else None,
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
            segments.append(quote(step, IN_PATH))
    if plain in {".", ".."}:
        segments.append("")
    return segments


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
    return _Authority(quote(username, IN_USERINFO), quote(password, IN_USERINFO), hostname, port)


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
    pathname = quote(path, IN_OPAQUE)
    search = quote(mark + query, IN_QUERY)
    ending = quote(hash_ + fragment, IN_FRAGMENT)
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


def _quote(match: re.Match[str]) -> str:
    return quote(match[0], safe="")
