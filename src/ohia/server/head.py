"""The head of a request: bytes in, a checked `Head` out, or the HTTPError that refuses it.

A head comes here whole, up to its blank line. httptools reads the field lines, with a request
line of our own before them: so every token can be a method, nothing of one request stays in the
parser for the next, and one parser serves all connections. What httptools lets pass and
RFC 9112 does not is refused here: nobody in front of us may read two requests where we read one.
"""

import re
import sys
from collections.abc import Mapping
from copy import copy
from ipaddress import IPv6Address
from typing import Final

import httptools

from ohia.errors import (
    BadRequest,
    ExpectationFailed,
    HTTPError,
    HTTPVersionNotSupported,
    PayloadTooLarge,
    RequestHeaderFieldsTooLarge,
    URITooLong,
    http_error,
)
from ohia.server.limits import Limits
from ohia.server.response import CLOSE, KEEP_ALIVE

__all__ = ["CHUNKED", "Field", "Fields", "Head", "HeadReader", "tokens"]

Field = tuple[bytes, bytes]
Special = Mapping[bytes, list[bytes]]

CHUNKED: Final = -1
"""The `length` of a body that tells its end by itself."""

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # one character of it: RFC 9110, 5.6.2
# A target has no fragment; that of CONNECT is no path (RFC 9112, 3.2).
REQUEST_LINE = re.compile(rb"(?!CONNECT /)(" + TOKEN + rb"{1,64}) ([!\"$-~]+) HTTP/1\.([0-9])\r\n")
LONG_METHOD = re.compile(TOKEN + rb"{65,} ")
OTHER_VERSION = re.compile(TOKEN + rb"+ (?:/[!-~]*|[!-~]+ HTTP/[02-9]\.[0-9])")
ABSOLUTE_FORM = re.compile(rb"https?://([^/?]+)(?:[/?].*)?", re.IGNORECASE)
# A host and its port; a comma would be legal, but comes of two Hosts that somebody joined.
PORT = rb"[0-9]{0,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
AUTHORITY = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9\-._~!$&'()*+;=]+|%[0-9A-Fa-f]{2})++)(?::("
    + PORT
    + rb"))?"
)
CODING = re.compile(TOKEN + rb"+")
# What no head can hold, seen before its end: controls, a CR or LF that stands alone.
NEVER_IN_A_HEAD = re.compile(rb"[^\t\r\n\x20-\x7e\x80-\xff]|(?<!\r)\n|\r(?!\n|\Z)")
# Blanks after a value, which are no part of it (RFC 9110, 5.5); a line of blanks is left to fail.
BLANKS = re.compile(rb"(?<=[^\r\n\t ])[\t ]+(?=\r\n)")

# A higher minor version is read as the highest that we know (RFC 9110, 2.5).
FIRST_LINES = {b"%d" % minor: b"GET / HTTP/1.%d\r\n" % min(minor, 1) for minor in range(10)}
SPECIAL = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"proxy-connection",
        b"transfer-encoding",
        b"upgrade",
    }
)
SLASH = 0x2F
LINE_ROOM = 1024  # bytes in a request line beside the target: a method, a version
LONGEST_LENGTH = 18  # digits of a Content-Length: an exabyte
# Field lines that are kept, and the bytes of the longest: 256 KiB at most.
MOST_KNOWN = 256
LONGEST_KNOWN = 1024


class Fields:
    """The field lines of one request, and what they mean to the connection."""

    __slots__ = (
        "ending",
        "expects",
        "http_version",
        "is_handshake",
        "keep_alive",
        "length",
        "lines",
    )

    http_version: str
    lines: list[Field]
    ending: str
    """The last lines of the answer's head, if it is for the client to decide."""
    length: int
    """Bytes of the body, 0 for none, CHUNKED."""
    keep_alive: bool
    expects: bool
    """Whether the client waits for `100 Continue`."""
    is_handshake: bool
    """Whether they ask for a WebSocket."""


class Head:
    """One request without its body, checked."""

    __slots__ = ("fields", "method", "target")

    method: str
    target: str
    fields: Fields


class HeadReader:
    """Reads heads, one whole head after the other.

    Clients send the same field lines again and again, so a few that were read are kept: the
    same bytes mean the same.
    """

    __slots__ = (
        "_complete",
        "_known",
        "_limits",
        "_lines",
        "_max_head",
        "_max_target",
        "_parser",
        "_special",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._max_target = sys.maxsize if limits.max_target is None else limits.max_target
        self._max_head = sys.maxsize if limits.max_head is None else limits.max_head
        self._known: dict[bytes, Fields] = {}
        self._lines: list[Field] = []
        self._special: dict[bytes, list[bytes]] = {}
        self._complete = False
        self._parser: httptools.HttpRequestParser | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one field from the parser."""
        self._lines.append((name, value))
        key = name.lower()
        if key in SPECIAL:
            self._special.setdefault(key, []).append(value)

    def on_headers_complete(self) -> None:
        """Note that the parser has seen the blank line too."""
        self._complete = True

    def read(self, data: bytes, start: int, end: int) -> Head:
        """Return the head that begins at `start` and has its CRLF CRLF at `end`."""
        line = REQUEST_LINE.match(data, start, end + 2)
        if line is None:
            raise _refused_line(data[start : data.find(b"\r\n", start)], self._limits)
        method, target, minor = line.groups()
        if len(target) > self._max_target:
            raise URITooLong
        host = None if target[0] == SLASH else _check_target(method, target)
        if end + 4 - start > self._max_head:
            raise _too_long(data, start, self._max_head)
        head = Head()
        head.method = method.decode("ascii")
        head.target = target.decode("ascii")
        text = data[line.end(2) : end + 4]
        head.fields = fields = self._known.get(text) or self._read_fields(text, minor)
        if fields.is_handshake and fields.length and method == b"GET":
            raise BadRequest  # its body could not be told from frames
        if host is not None:
            head.fields = _with_host(fields, host)
        return head

    def check_start(self, data: bytes, start: int, seen: int) -> None:
        """Refuse at once what can no longer become a head, or one that grows too large.

        It begins at `start` and was checked up to `seen` before. Each refusal is the one that
        `read` would give.
        """
        limits = self._limits
        size = len(data) - start
        stop = data.find(b"\r\n", start)
        if stop < 0 and limits.max_target is not None and size > limits.max_target + LINE_ROOM:
            raise _refused_line(data[start:], limits)
        if stop >= max(start, seen - 1):
            self._check_line(data, start, stop)
        if limits.max_head is not None and size > limits.max_head:
            raise _too_long(data, start, limits.max_head)
        if NEVER_IN_A_HEAD.search(data, max(start, seen - 1)):
            raise BadRequest

    def _check_line(self, data: bytes, start: int, stop: int) -> None:
        line = REQUEST_LINE.match(data, start)
        if line is None:
            raise _refused_line(data[start:stop], self._limits)
        method, target, _ = line.groups()
        if self._limits.max_target is not None and len(target) > self._limits.max_target:
            raise URITooLong
        if not target.startswith(b"/"):
            _check_target(method, target)

    def _read_fields(self, text: bytes, minor: bytes) -> Fields:
        """Return the fields of `text`, a head from its version on."""
        parser = self._parser or httptools.HttpRequestParser(self)
        # It goes back only after a head that leaves nothing in it for the next.
        self._parser = None
        fields = Fields()
        fields.http_version = "1.0" if minor == b"0" else "1.1"
        lines = text[text.find(b"\n") + 1 :]
        has_blanks = b" \r\n" in lines or b"\t\r\n" in lines
        lines = BLANKS.sub(b"", lines) if has_blanks else lines
        fields.lines = self._parse(parser, FIRST_LINES[minor] + lines)
        most = self._limits.max_headers
        if most is not None and len(fields.lines) > most:
            raise RequestHeaderFieldsTooLarge
        special = self._special
        _learn(fields, special, self._limits.max_request_body, is_old=minor == b"0")
        if not fields.length and fields.keep_alive and not _may_end_parser(special):
            self._parser = parser
        self._remember(text, fields)
        return fields

    def _parse(self, parser: httptools.HttpRequestParser, text: bytes) -> list[Field]:
        lines = self._lines = []
        self._special = {}
        self._complete = False
        try:
            parser.feed_data(text)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            raise _refused_lines(self._special) from None
        if not self._complete:
            raise BadRequest
        return lines

    def _remember(self, text: bytes, fields: Fields) -> None:
        if len(text) > LONGEST_KNOWN:
            return
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[text] = fields


def tokens(values: list[bytes]) -> list[bytes]:
    """Return the members of a list field, in lower case (RFC 9110, 5.6.1).

    >>> tokens([b"keep-alive, Upgrade", b"x"])
    [b'keep-alive', b'upgrade', b'x']
    """
    members = b",".join(values).lower().split(b",")
    return [each.strip(b" \t") for each in members if each.strip(b" \t")]


def _learn(fields: Fields, special: Special, largest_body: int | None, *, is_old: bool) -> None:
    """Learn from the lines what concerns the connection; refuse what is ambiguous."""
    _check_host(special, is_old=is_old)
    fields.length = length = _body_length(special, largest_body, is_old=is_old)
    fields.expects = b"expect" in special and _expects(special, length, is_old=is_old)
    fields.is_handshake = b"upgrade" in special and _is_handshake(special)
    fields.keep_alive = _persists(special, is_old=is_old)
    fields.ending = KEEP_ALIVE[fields.http_version] if fields.keep_alive else CLOSE


def _may_end_parser(special: Special) -> bool:
    """Say whether llhttp may want no request behind these; it obeys Proxy-Connection as well."""
    for name in (b"connection", b"proxy-connection"):
        for wish in special.get(name, ()):
            if wish.lower() != b"keep-alive":
                return True
    return False


def _refused_line(line: bytes, limits: Limits) -> HTTPError:
    longest = len(line) if limits.max_target is None else limits.max_target + LINE_ROOM
    if NEVER_IN_A_HEAD.search(line[:longest]):
        return BadRequest()
    if len(line) > longest:
        return URITooLong()
    if LONG_METHOD.match(line):
        return http_error(501)  # RFC 9112, 3
    return HTTPVersionNotSupported() if OTHER_VERSION.fullmatch(line) else BadRequest()


def _too_long(data: bytes, start: int, most: int) -> HTTPError:
    """Return the answer to a head of more than `most` bytes, as if they came one by one."""
    is_clean = NEVER_IN_A_HEAD.search(data, start, start + most) is None
    return RequestHeaderFieldsTooLarge() if is_clean else BadRequest()


def _refused_lines(special: Special) -> HTTPError:
    """Return the answer to lines that httptools does not take, as far as it gave them."""
    if b"content-length" not in special and b"transfer-encoding" in special:
        return _refused_coding(special[b"transfer-encoding"])
    return BadRequest()


def _refused_coding(values: list[bytes]) -> HTTPError:
    """Tell codings that we do not know below chunked from those that hide the body's end.

    The first are 501 (RFC 9112, 6.1), the others 400 (6.3).
    """
    *inner, last = (each.partition(b";")[0].rstrip(b" \t") for each in tokens(values) or [b""])
    has_end = last == b"chunked" and all(CODING.fullmatch(name) for name in inner)
    return http_error(501 if has_end and set(inner) - {b"chunked", b"identity"} else 400)


def _check_target(method: bytes, target: bytes) -> bytes | None:
    """Refuse what is none of the four forms of a target (RFC 9112, 3.2); return its host."""
    if target == b"*" and method == b"OPTIONS":
        return None
    if method == b"CONNECT":
        parts = _authority(target)
        if parts is None or not int(parts[2] or 0):  # RFC 9110, 9.3.6
            raise BadRequest
        raise http_error(501)  # here is no proxy, and none who asks should think so
    parts = ABSOLUTE_FORM.fullmatch(target)
    if parts is None or _authority(parts[1]) is None:
        raise BadRequest
    return parts[1]


def _authority(text: bytes) -> re.Match[bytes] | None:
    """Return a host and its port as matched, None for what is no host (RFC 3986, 3.2).

    >>> [bool(_authority(each)) for each in (b"a:80", b"[::1]", b"a:b", b"a:65536", b"[1]")]
    [True, True, False, False, False]
    """
    parts = AUTHORITY.fullmatch(text)
    return None if parts is None or (parts[1] and not _is_ipv6(parts[1])) else parts


def _is_ipv6(address: bytes) -> bool:
    try:
        IPv6Address(address.decode("ascii"))
    except ValueError:
        return False
    return True


def _with_host(fields: Fields, host: bytes) -> Fields:
    """Return `fields` with the host of the target, which outdoes Host (RFC 9112, 3.2.2)."""
    fields = copy(fields)
    others = [line for line in fields.lines if line[0].lower() != b"host"]
    fields.lines = [(b"Host", host), *others]
    return fields


def _persists(special: Special, *, is_old: bool) -> bool:
    """Say whether the client lets the connection go on (RFC 9112, 9.3)."""
    wishes = special.get(b"connection")
    if wishes is None:
        return not is_old
    options = tokens(wishes)
    return b"close" not in options and (not is_old or b"keep-alive" in options)


def _check_host(special: Special, *, is_old: bool) -> None:
    """Refuse a Host that is missing, repeated or no host (RFC 9112, 3.2)."""
    hosts = special.get(b"host")
    if hosts is None:
        if not is_old:
            raise BadRequest
        return
    if len(hosts) != 1:
        raise BadRequest
    host = hosts[0].strip(b" \t")
    if host and _authority(host) is None:
        raise BadRequest


def _body_length(special: Special, largest: int | None, *, is_old: bool) -> int:
    """Return the length of the body (RFC 9112, 6.3); never guess."""
    codings = special.get(b"transfer-encoding")
    lengths = special.get(b"content-length")
    if codings is not None:
        if is_old or lengths is not None:
            raise BadRequest
        if len(codings) != 1 or codings[0].strip(b" \t").lower() != b"chunked":
            raise _refused_coding(codings)
        return CHUNKED
    if lengths is None:
        return 0
    text = lengths[0].strip(b" \t")
    if len(lengths) != 1 or not text.isdigit():
        raise BadRequest
    digits = text.lstrip(b"0") or b"0"
    if len(digits) > LONGEST_LENGTH:
        raise BadRequest
    length = int(digits)
    if largest is not None and length > largest:
        raise PayloadTooLarge
    return length


def _expects(special: Special, length: int, *, is_old: bool) -> bool:
    """Say whether the client waits for 100; refuse other wishes (RFC 9110, 10.1.1)."""
    if is_old:
        return False
    wishes = set(tokens(special[b"expect"]))
    if wishes - {b"100-continue"}:
        raise ExpectationFailed
    return bool(wishes) and length != 0


def _is_handshake(special: Special) -> bool:
    """Say whether the fields ask for a WebSocket (RFC 6455, 4.2.1)."""
    connection = tokens(special.get(b"connection", []))
    return b"upgrade" in connection and b"websocket" in tokens(special[b"upgrade"])
