"""What is asked of a server, and what it must answer: checked before anything is timed."""

import base64
import hmac
import http.client
import json
from dataclasses import dataclass, replace

KIB = 1024
TEXT, JSON, BYTES = "text/plain", "application/json", "application/octet-stream"
THING = {
    "id": 1,
    "name": "ohia",
    "tags": ["a", "b", "c"],
    "price": 9.99,
    "nested": {"ok": True, "none": None},
}
# A page's first request, as Chrome sends it; Host makes twelve.
BROWSER = (
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("Upgrade-Insecure-Requests", "1"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
    ("Cookie", "theme=dark; session=eyJ1c2VyIjoiMTIzNDU2Nzg5MCIsIm4iOjF9.kq2Yd1vT0aZ8; seen=1"),
)
# Signed as Koa signs, by the key that the programs have.
SIGNED = base64.urlsafe_b64encode(hmac.digest(b"a key", b"user=ada", "sha1")).rstrip(b"=").decode()


@dataclass(frozen=True)
class Workload:
    """One kind of request, for programs started with WORKLOAD=`program`."""

    name: str
    title: str
    program: str
    connections: int = 64
    layers: int = 0
    workers: int = 1
    stretch: int = 1  # how many times as long it takes as others, to warm up and to measure
    method: str = "GET"
    path: str = "/"
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    answer: bytes = b"Hello World"
    media_type: str = TEXT
    is_chunked: bool = False
    beside: str = ""  # the workload that its reference serves, where that is another
    message: int = 0  # bytes of a WebSocket message; 0 is plain HTTP

    @property
    def environment(self) -> dict[str, str]:
        """What its programs are told, beside the port."""
        told = {"WORKLOAD": self.program, "LAYERS": self.layers, "WORKERS": self.workers}
        return {name: str(value) for name, value in told.items()}


def body_of(size: int) -> bytes:
    """Return `size` bytes of every value, not all alike."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


HELLO = Workload("hello", "Hello World", "hello")
LAYERS = replace(HELLO, name="layers", title="Through ten layers", program="layers", layers=10)
ECHO = Workload(
    "echo",
    "10 KiB posted and sent back",
    "echo",
    method="POST",
    fields=(("Content-Type", BYTES),),
    body=body_of(10 * KIB),
    answer=body_of(10 * KIB),
    media_type=BYTES,
)
SOCKET = Workload("socket-64", "WebSocket echo, 64 bytes", "socket", message=64)
WORKLOADS = [
    HELLO,
    LAYERS,
    replace(
        LAYERS,
        name="generators",
        title="Through ten generators",
        program="generators",
        beside="layers",
    ),
    replace(
        HELLO,
        name="browser",
        title="Hello, a browser asks",
        program="browser",
        fields=BROWSER,
    ),
    Workload(
        "json",
        "A small JSON object",
        "json",
        answer=json.dumps(THING, separators=(",", ":")).encode(),
        media_type=JSON,
    ),
    ECHO,
    Workload("route", "A parameter of the path", "route", path="/users/42", answer=b"42"),
    Workload(
        "cookie",
        "A signed cookie",
        "cookie",
        fields=(("Cookie", f"user=ada; user.sig={SIGNED}"),),
        answer=b"ada",
    ),
    Workload(
        "stream",
        "1 MiB streamed in 16 pieces",
        "stream",
        answer=b"x" * KIB * KIB,
        media_type=BYTES,
        is_chunked=True,
    ),
    replace(HELLO, name="crowd", title="Hello over 256 connections", connections=256),
    SOCKET,
    replace(SOCKET, name="socket-64k", title="WebSocket echo, 64 KiB", message=64 * KIB),
]


class WrongAnswerError(Exception):
    """The server answers something else than it was asked for; the text says what."""


def check(workload: Workload, port: int) -> None:
    """Ask once over a connection of its own; raise WrongAnswerError for any other answer."""
    response, answer = ask(workload, port)
    compare("status", response.status, 200)
    compare("media type", response.headers.get_content_type(), workload.media_type)
    compare("length", len(answer), len(workload.answer))
    compare("body", answer[:100], workload.answer[:100])
    if answer != workload.answer:
        raise WrongAnswerError("the body differs beyond its first 100 bytes")
    if workload.is_chunked:
        compare("transfer encoding", response.headers.get("Transfer-Encoding"), "chunked")


def ask(workload: Workload, port: int) -> tuple[http.client.HTTPResponse, bytes]:
    """Send the request with exactly the fields that the load sends; return head and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(workload.method, workload.path, skip_accept_encoding=True)
    for name, value in workload.fields:
        connection.putheader(name, value)
    if workload.body:
        connection.putheader("Content-Length", str(len(workload.body)))
    connection.endheaders(workload.body or None)
    with connection.getresponse() as response:
        answer = response.read()
    connection.close()
    return response, answer


def compare(what: str, came: object, expected: object) -> None:
    """Raise WrongAnswerError unless the two are equal."""
    if came != expected:
        raise WrongAnswerError(f"{what} is {came!r}, expected {expected!r}")
