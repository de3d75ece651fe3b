"""Requests to be drawn: valid ones, with what the application should see of each, and damage."""

import string
from dataclasses import dataclass

from hypothesis import strategies as st

from ohia.http.headers import Headers

from .wire import Seen

__all__ = ["HANDSHAKE", "Request", "damaged", "parts", "requests", "values"]

HANDSHAKE = (
    b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
)

TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"  # RFC 9110, 5.6.2
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
# Names that steer the connection, and that drawn fields shall not have by chance.
STEERING = {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}

tokens = st.text(TOKEN, min_size=1, max_size=12)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "get"]) | tokens.filter(
    lambda each: each != "CONNECT"
)
paths = st.text(VISIBLE.replace("#", ""), max_size=20).map(lambda each: "/" + each)
targets = paths | paths.map(lambda each: "http://a.example:80" + each)
values = st.text(VISIBLE + " \t" + "".join(map(chr, range(0x80, 0x100))), max_size=20).map(
    lambda each: each.strip(" \t")
)
blanks = st.sampled_from(["", " ", "\t", "  \t "])
names = tokens.filter(lambda each: each.lower() not in STEERING)
fields = st.lists(st.tuples(names, values), max_size=3)
bodies = st.binary(max_size=40) | st.sampled_from([b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
extensions = st.sampled_from([b"", b";a", b" ; a=b", b';a="b;\xff"'])
trailers = st.lists(st.sampled_from([b"X: y\r\n", b"Host: b\r\n", b"Content-Length: 3\r\n"]))


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes of a valid request, and what the application sees of it."""

    data: bytes
    seen: Seen
    is_last: bool
    """Whether the connection ends with its answer."""


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Draw a valid request in any of its spellings."""
    method, target = draw(methods), draw(targets)
    version = draw(st.sampled_from(["1.1", "1.1", "1.1", "1.0"]))
    lines = [("Host", "a.example:80"), *draw(fields)]  # first, where that of a target goes too
    connection = draw(st.sampled_from([None, None, "keep-alive", "close", "x, Close", "x"]))
    if connection is not None:
        lines.append(("Connection", connection))
    body, framing, framed = draw(framings(version))
    lines = [lines[0], *framing, *lines[1:]] if draw(st.booleans()) else [*lines, *framing]
    before, after = draw(blanks), draw(blanks)
    text = f"{method} {target} HTTP/{version}\r\n"
    text += "".join(f"{name}:{before}{value}{after}\r\n" for name, value in lines)
    data = draw(st.sampled_from([b"", b"", b"\r\n"])) + f"{text}\r\n".encode("latin-1") + framed
    known = tuple(Headers.from_raw(_encoded(lines)).lines())
    persists = connection == "keep-alive" or (
        version == "1.1" and connection not in {"close", "x, Close"}
    )
    return Request(data, Seen(method, target, version, known, body, "whole"), not persists)


def _encoded(lines: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]


@st.composite
def framings(draw: st.DrawFn, version: str) -> tuple[bytes, list[tuple[str, str]], bytes]:
    """Draw a body: itself, the fields that frame it, and how it is written."""
    kind = draw(st.sampled_from(["none", "none", "counted", "chunked"]))
    if kind == "none":
        return b"", [], b""
    expect = [("Expect", "100-continue")] if draw(st.integers(0, 3)) == 0 else []
    if kind == "counted" or version == "1.0":
        body = draw(bodies)
        zeros = draw(st.sampled_from(["", "0", "000"]))
        return body, [("Content-Length", f"{zeros}{len(body)}"), *expect], body
    chunks = draw(st.lists(bodies.filter(bool), max_size=4))
    framed = b"".join(
        draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % len(each)
        + draw(extensions)
        + b"\r\n"
        + each
        + b"\r\n"
        for each in chunks
    )
    end = draw(st.sampled_from([b"0", b"00"])) + draw(extensions) + b"\r\n"
    framed += end + b"".join(draw(trailers)) + b"\r\n"
    coding = draw(st.sampled_from(["chunked", "Chunked"]))
    return b"".join(chunks), [("Transfer-Encoding", coding), *expect], framed


parts = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"host:b\r\n",
        b"Connection: close\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\n",
        b"Proxy-Connection: close\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 0\r\n",
        b"Expect: 100-continue\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"3\r\nabc\r\n",
        b"3;x=y\r\n",
        b"0\r\n\r\n",
        b"X: y\r\n\r\n",
        b"abc",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"\x00",
        b"\xff",
        HANDSHAKE + b"\r\n",
        b"\x81\x82\x00\x00\x00\x00hi",
        b"\x88\x80\x00\x00\x00\x00",
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw valid requests in a row, then damage some bytes of them."""
    data = b"".join(each.data for each in draw(st.lists(requests(), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 8)))
        new = draw(
            st.sampled_from([b"", data[start:stop] * 2, data[:stop], data[start:][:1]])
            | st.binary(max_size=4)
            | parts
        )
        data = data[:start] + new + data[stop:]
    return data[: draw(st.integers(len(data) // 2, len(data)))] if draw(st.booleans()) else data
