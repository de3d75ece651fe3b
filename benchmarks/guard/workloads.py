"""What is counted: middleware, the client that asks it, the request and its answer."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from apps import (
    cookie,
    echo,
    generator_layer,
    hello,
    json,
    layer,
    not_found,
    router,
    socket_echo,
    stream,
)
from clients import AsgiClient, HttpClient, SocketClient

LAYERS = 10
USUAL = b"Host: localhost:3000\r\nUser-Agent: guard\r\nAccept: */*\r\n"
# Chromium's, on a click; its cookie is another each time, so no head that was read is known.
BROWSER = (
    b"GET / HTTP/1.1\r\nHost: localhost:3000\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"\r\nsec-ch-ua-mobile: ?0\r\n'
    b'sec-ch-ua-platform: "Linux"\r\nUpgrade-Insecure-Requests: 1\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/130.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    b"image/apng,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n"
    b"Sec-Fetch-Dest: document\r\nReferer: http://localhost:3000/\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n"
    b"Cookie: visit=%08d; theme=dark\r\n\r\n"
)
UPLOAD = bytes(range(256)) * 40  # 10 KiB
UPLOAD_END = UPLOAD[-16:]
MASK = b"\x37\xfa\x21\x3d"  # the sample of RFC 6455, 5.7


class Workload(NamedTuple):
    """One workload; its client sends `packets(number)` as the request of that number."""

    middleware: Sequence[Callable]
    packets: Callable[[int], Sequence[bytes]]
    start: bytes  # of the answer
    end: bytes
    client: type = HttpClient


def always(*packets):
    return lambda _number: packets


def request(method, *lines):
    return b"".join([method, b" / HTTP/1.1\r\n", USUAL, *lines, b"\r\n"])


def cut(packet, size):
    return [packet[start : start + size] for start in range(0, len(packet), size)]


def frame(length, payload):
    """Return `payload` as a client's text frame, with `length` as RFC 6455, 5.2, writes it."""
    mask = MASK * (len(payload) // len(MASK) + 1)
    return b"\x81" + length + MASK + bytes(a ^ b for a, b in zip(payload, mask, strict=False))


OK = b"HTTP/1.1 200 OK\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\n"
HELLO = b"Hello World"
JSON = b'{"id":1,"name":"ohia","tags":["a","b","c"],"price":9.99,"nested":{"ok":true,"none":null}}'
GET = always(request(b"GET"))
POST = request(b"POST", b"Content-Length: %d\r\n" % len(UPLOAD))
SMALL, LARGE = frame(b"\xc0", b"." * 64), frame(b"\xff\0\0\0\0\0\1\0\0", b"." * 65536)
SMALL_BACK, LARGE_BACK = b"\x81\x40", b"\x81\x7f\0\0\0\0\0\1\0\0"

WORKLOADS = {
    "hello": Workload([hello], GET, OK, HELLO),
    "layers": Workload([layer] * LAYERS + [hello], GET, OK, HELLO),
    "generators": Workload([generator_layer] * LAYERS + [hello], GET, OK, HELLO),
    "json": Workload([json], GET, OK, JSON),
    "browser": Workload([hello], lambda number: [BROWSER % number], OK, HELLO),
    "echo": Workload([echo], always(POST + UPLOAD), OK, UPLOAD_END),
    "packets": Workload([echo], always(POST, *cut(UPLOAD, 2048)), OK, UPLOAD_END),
    "stream": Workload([stream], GET, OK, b"0\r\n\r\n"),
    "socket": Workload([socket_echo], always(SMALL), SMALL_BACK, b".", SocketClient),
    # As it comes: a piece of the loopback's largest size, and the rest.
    "large-socket": Workload(
        [socket_echo], always(*cut(LARGE, 65483)), LARGE_BACK, b".", SocketClient
    ),
    "error": Workload([not_found], GET, NOT_FOUND, b"Not Found"),
    "head": Workload([hello], always(request(b"HEAD")), OK, b"\r\n\r\n"),
    "cookie": Workload([cookie], GET, OK, HELLO),
    "route": Workload([router], always(b"GET /users/42 HTTP/1.1\r\n" + USUAL + b"\r\n"), OK, b"42"),
    "asgi": Workload([hello], always(), b"200", HELLO, AsgiClient),
}
