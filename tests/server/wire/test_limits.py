"""Limits: what one client may use, to the byte, and what it costs (RFC 9110, 15.5; RFC 9112, 3)."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from ohia.errors import HTTPError, PayloadTooLarge
from ohia.exchange import Exchange
from ohia.server.body import RequestBody
from ohia.server.head import CHUNKED, HeadReader
from ohia.server.limits import Limits, make_limits

from .dialogue import GET, NEXT, Client, Wire, get, post, rows

IN_CHUNKS = b"Transfer-Encoding: chunked"
MANY = 900_000


def aimed(target: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"


WITHIN = rows(
    ("RFC 9112, 3", "a target of just so many bytes", {"max_target": 21}, aimed(b"/" + b"a" * 20)),
    ("RFC 9112, 3", "one of 8000 bytes", {}, aimed(b"/" + b"a" * 7999)),
    ("RFC 9112, 3", "one of 16 KiB", {}, aimed(b"/" + b"a" * 16383)),
    ("RFC 6585, 5", "a head of just so many bytes", {"max_head": 53}, get(b"X: " + b"a" * 21)),
    ("RFC 6585, 5", "a field of 31 KB", {}, get(b"X: " + b"a" * 31_000)),
    ("RFC 6585, 5", "just so many fields", {"max_headers": 2}, get(b"X: 1")),
    ("RFC 6585, 5", "a hundred fields", {}, get(*[b"X: 1"] * 99)),
    ("RFC 9110, 15.5.14", "a length to the byte", {"max_request_body": 3}, post(
        b"Content-Length: 3", body=b"abc")),
    ("RFC 9110, 15.5.14", "chunks to the byte", {"max_request_body": 3}, post(
        IN_CHUNKS, body=b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")),
    ("RFC 9112, 7.1.1", "a chunk line of 4 KiB", {}, post(
        IN_CHUNKS, body=b"1;" + b"a" * 4092 + b"\r\nx\r\n0\r\n\r\n")),
    ("RFC 9112, 7.1.1", "16 KiB of extensions", {}, post(
        IN_CHUNKS, body=(b"1;" + b"a" * 1023 + b"\r\nx\r\n") * 16 + b"0\r\n\r\n")),
    ("RFC 9112, 7.1.2", "16 KiB of trailers", {}, post(
        IN_CHUNKS, body=b"0\r\n" + (b"X:" + b"a" * 1022 + b"\r\n") * 16 + b"\r\n")),
    ("no limits", "nothing is too large", {"max_target": None, "max_head": None,
        "max_headers": None}, aimed(b"/" + b"a" * 100_000)[:-2] + b"X: 1\r\n" * 999 + b"\r\n"),
)  # fmt: skip


@pytest.mark.parametrize(("limits", "request_"), WITHIN)
async def test_what_is_within_a_limit_is_answered(
    wire: Wire, limits: dict[str, float | None], request_: bytes
) -> None:
    heard = await wire.hear(request_ + NEXT, **{"max_head": 120_000, **limits} if limits else {})
    assert heard.statuses == [200, 200]


BEYOND = rows(
    ("RFC 9112, 3", "a target one byte too long", {"max_target": 20}, aimed(b"/" + b"a" * 20), 414),
    ("RFC 9112, 3", "one of 16 KiB and a byte", {}, aimed(b"/" + b"a" * 16384), 414),
    ("RFC 9112, 3", "one far too long", {}, aimed(b"/" + b"a" * MANY), 414),
    ("RFC 9112, 3", "one without an end", {}, b"GET /" + b"a" * MANY, 414),
    ("RFC 9112, 3", "a method without an end", {}, b"M" * MANY, 414),
    ("RFC 6585, 5", "a head one byte too long", {"max_head": 53}, get(b"X: " + b"a" * 22), 431),
    ("RFC 6585, 5", "a field too long", {}, get(b"X: " + b"a" * MANY), 431),
    ("RFC 6585, 5", "a field without an end", {}, get(b"X: " + b"a" * MANY)[:-4], 431),
    ("RFC 6585, 5", "a field name without an end", {}, GET[:-2] + b"X" * MANY, 431),
    ("RFC 6585, 5", "blanks without an end", {}, GET[:-2] + b"X:" + b" " * MANY, 431),
    ("RFC 6585, 5", "fields without an end", {}, GET[:-2] + b"X: 1\r\n" * (MANY // 6), 431),
    ("RFC 6585, 5", "one field too many", {"max_headers": 2}, get(b"X: 1", b"Y: 2"), 431),
    ("RFC 6585, 5", "a hundred and one", {}, get(*[b"X: 1"] * 100), 431),
    ("RFC 6585, 5", "two thousand of an upgrade", {}, get(
        b"Connection: Upgrade", b"Upgrade: websocket", *[b"X: 1"] * 2000), 431),
    ("RFC 9110, 15.5.14", "a length beyond the limit", {"max_request_body": 3}, post(
        b"Content-Length: 4"), 413),
    ("RFC 9110, 15.5.14", "an exabyte", {"max_request_body": 3}, post(
        b"Content-Length: 999999999999999999"), 413),
)  # fmt: skip


@pytest.mark.parametrize(("limits", "request_", "status"), BEYOND)
async def test_what_is_beyond_a_limit_is_refused_before_the_application_sees_it(
    wire: Wire, limits: dict[str, float | None], request_: bytes, status: int
) -> None:
    heard = await wire.hear(request_ + NEXT, **limits)
    assert (heard.statuses, heard.closes, heard.seen) == ([status], True, [])


LONG_BODIES = rows(
    ("RFC 9110, 15.5.14", "one chunk too long", b"4\r\nabcd\r\n", 413),
    ("RFC 9110, 15.5.14", "one with its end", b"4\r\nabcd\r\n0\r\n\r\n", 413),
    ("RFC 9110, 15.5.14", "chunks too long together", b"3\r\nabc\r\n1\r\nd\r\n", 413),
    ("RFC 9110, 15.5.14", "those with their end", b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", 413),
    ("RFC 9110, 15.5.14", "many small ones", b"1\r\na\r\n" * 5000 + b"0\r\n\r\n", 413),
    ("RFC 9112, 7.1.1", "a chunk line too long", b"1;" + b"a" * 4093 + b"\r\n", 400),
    ("RFC 9112, 7.1.1", "extensions without an end", (b"1;" + b"a" * 8999) * 90, 400),
    ("RFC 9112, 7.1.2", "a trailer too long", b"0\r\nX:" + b"a" * 4094 + b"\r\n\r\n", 400),
    ("RFC 9112, 7.1.2", "trailers without an end", b"0\r\n" + b"X: y\r\n" * 90_000, 400),
)


@pytest.mark.parametrize(("body", "status"), LONG_BODIES)
async def test_a_body_that_grows_too_long_is_an_error_where_it_is_read(
    wire: Wire, body: bytes, status: int
) -> None:
    heard = await wire.hear(post(IN_CHUNKS, body=body) + NEXT, max_request_body=3)
    assert (heard.statuses, heard.closes) == ([status], True)
    assert heard.seen == [f"POST / 1.1 !{status}"]


async def test_no_byte_beyond_the_limit_of_a_body_reaches_the_application(wire: Wire) -> None:
    """RFC 9110, 15.5.14."""
    pieces: list[bytes] = []

    async def answer(exchange: Exchange) -> None:
        try:
            while piece := await exchange.read():
                pieces.append(piece)
        except PayloadTooLarge:
            exchange.abort()

    async with wire.client(answer, max_request_body=5) as client:
        client.say(post(IN_CHUNKS, body=b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n" + NEXT))
        assert await client.rest() == b""
    assert sum(map(len, pieces)) <= 5


# --- Times


@pytest.mark.parametrize(
    "part", [b"G", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\nHost:", GET[:-2], GET[:-1]]
)
async def test_a_head_that_stands_still_is_answered_408(wire: Wire, part: bytes) -> None:
    """RFC 9110, 15.5.9."""
    heard = await wire.say(part, head_timeout=0.04)
    assert (heard.statuses, heard.closes, heard.seen) == ([408], True, [])


async def test_a_head_that_drips_has_no_more_time(wire: Wire) -> None:
    """RFC 9110, 15.5.9."""
    async with wire.client(head_timeout=0.1) as client:
        answers = await client.drip(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 30_000, leap=1)
    assert answers.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("before", "answers"), [(b"", 0), (b"\r\n", 0), (GET, 1), (GET + b"\r\n", 1)]
)
async def test_a_connection_without_a_request_is_closed_without_a_word(
    wire: Wire, before: bytes, answers: int
) -> None:
    """RFC 9112, 9.5."""
    async with wire.client(idle_timeout=0.2, head_timeout=0.2) as client:
        client.say(before)
        assert (await client.rest()).count(b"HTTP/1.1 ") == answers


async def test_empty_lines_do_not_keep_a_connection(wire: Wire) -> None:
    """RFC 9112, 2.2 and 9.5."""
    async with wire.client(idle_timeout=0.2, head_timeout=0.2) as client:
        assert await client.drip(b"\r\n" * 100_000, leap=2) == b""
    async with wire.client(idle_timeout=0.2, head_timeout=0.2) as client:
        client.say(GET)
        await client.until(b"GET / 1.1")
        assert await client.drip(b"\r\n" * 100_000, leap=2) == b""


@pytest.mark.parametrize(
    "request_",
    [
        post(b"Content-Length: 3"),
        post(b"Content-Length: 3", body=b"ab"),
        post(IN_CHUNKS, body=b"3\r\nab"),
        post(IN_CHUNKS, body=b"3\r\nabc\r\n0\r\n"),
    ],
)
async def test_a_body_that_stands_still_is_an_error_of_status_408(
    wire: Wire, request_: bytes
) -> None:
    """RFC 9110, 15.5.9."""
    heard = await wire.say(request_, body_timeout=0.04)
    assert (heard.statuses, heard.closes, heard.seen) == ([408], True, ["POST / 1.1 !408"])


async def test_one_connection_too_many_is_answered_503(wire: Wire) -> None:
    """RFC 9110, 15.6.4."""
    async with wire.clients(2, max_connections=1) as (first, second):
        first.say(GET)
        await first.until(b"GET / 1.1")
        assert (await second.rest()).startswith(b"HTTP/1.1 503 ")
        first.say(NEXT)
        assert (await first.rest()).endswith(b"GET /next 1.1")


# --- Cost


def growth(run: Callable[[int], object]) -> float:
    """Return how much longer `run(4 * N)` takes than `run(N)`: 4 if in step, 16 if squared.

    By processor time, the least of a few rounds in turn: others work on the machine too.
    """
    times: dict[int, list[float]] = {N: [], 4 * N: []}
    for _ in range(5):
        for count, known in times.items():
            start = time.thread_time()
            run(count)
            known.append(time.thread_time() - start)
    return min(times[4 * N]) / max(min(times[N]), SHORTEST)


N = 4000
SHORTEST = 0.0005  # seconds; less is too short to be compared
UNLIMITED = make_limits({"max_target": None, "max_head": None, "max_headers": None})
HOSTILE_HEADS: dict[str, Callable[[int], bytes]] = {
    "short fields": lambda n: get(*[b"a:"] * n),
    "fields of one name": lambda n: get(*[b"X: y"] * n),
    "blanks before a value": lambda n: get(b"X:" + b" " * n + b"y"),
    "blanks in a value": lambda n: get(b"X: y" + b" " * n + b"y"),
    "blanks behind a value": lambda n: get(b"X: y" + b" " * n),
    "blanks behind every value": lambda n: get(*[b"X: y \t"] * n),
    "blanks in turn": lambda n: get(b"X: " + b"y " * n),
    "colons": lambda n: get(b"X" + b":" * n),
    "commas of Connection": lambda n: get(b"Connection: " + b"a," * n),
    "blanks of Connection": lambda n: get(b"Connection: " + b" ,\t" * n),
    "lines of Connection": lambda n: get(*[b"Connection: x"] * n),
    "options of Upgrade": lambda n: get(b"Connection: upgrade", b"Upgrade: " + b"a, " * n),
    "a long Host": lambda n: b"GET / HTTP/1.1\r\nHost: " + b"a" * n + b"@\r\n\r\n",
    "escapes of Host": lambda n: b"GET / HTTP/1.1\r\nHost: " + b"%aa" * n + b"%\r\n\r\n",
    "digits of an address": lambda n: b"GET / HTTP/1.1\r\nHost: [" + b"1:" * n + b"]\r\n\r\n",
    "an absolute target": lambda n: aimed(b"http://" + b"a" * n + b"@"),
    "a target": lambda n: aimed(b"/" + b"/?" * n + b"#"),
    "a method": lambda n: b"M" * n + b" / HTTP/1.1\r\nHost: a\r\n\r\n",
    "zeros of a length": lambda n: post(b"Content-Length: " + b"0" * n),
    "codings": lambda n: post(b"Transfer-Encoding: " + b"a;b, " * n + b"chunked"),
    "expectations": lambda n: post(b"Expect: " + b"100-continue, " * n),
    "folds": lambda n: get(b"X: y" + b"\r\n " * n),
}


@pytest.mark.parametrize("hostile", HOSTILE_HEADS.values(), ids=HOSTILE_HEADS)
def test_reading_a_head_takes_time_in_step_with_its_length(hostile: Callable[[int], bytes]) -> None:
    heads = {count: hostile(count) for count in (N, 4 * N)}

    def read(count: int) -> None:
        head = heads[count]
        reader = HeadReader(UNLIMITED)
        try:
            reader.check_start(head[:-3], 0, 0)
            reader.read(head, 0, len(head) - 4)
        except HTTPError:
            pass

    assert growth(read) < 8


HOSTILE_CHUNKS: dict[str, Callable[[int], bytes]] = {
    "chunks of one byte": lambda n: b"1\r\nx\r\n" * n,
    "trailers": lambda n: b"0\r\n" + b"a:\r\n" * n,
    "extensions": lambda n: b"1" + b";a" * n + b"!\r\n",
    "extensions with blanks": lambda n: b"1" + b" ; a = b" * n + b" \r\n",
    "an extension in quotes": lambda n: b'1;a="' + b'\\"' * n + b"\r\n",
}


@pytest.mark.parametrize("hostile", HOSTILE_CHUNKS.values(), ids=HOSTILE_CHUNKS)
def test_reading_chunks_takes_time_in_step_with_their_length(
    hostile: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ohia.server.body.MAX_LINE", 10**9)
    monkeypatch.setattr("ohia.server.body.MAX_OVERHEAD", 10**9)

    bodies = {count: hostile(count) for count in (N, 4 * N)}

    def read(count: int) -> None:
        RequestBody(CHUNKED, largest=None, expects=False).feed(bodies[count], 0)

    assert growth(read) < 8


async def test_empty_lines_take_time_in_step_with_their_number(wire: Wire) -> None:
    async def skip(count: int, client: Client) -> float:
        start = time.thread_time()
        client.say(b"\r\n" * count + GET)
        await client.until(b"GET / 1.1")
        return time.thread_time() - start

    async with wire.client() as client:
        small = min([await skip(50_000, client) for _ in range(5)])
        large = min([await skip(200_000, client) for _ in range(5)])
    assert large < 8 * small


DRIPS = {
    "a target": b"GET /" + b"a" * 15_000,
    "a field": GET[:-2] + b"X: " + b"a" * 30_000,
    "fields": GET[:-2] + b"X: y\r\n" * 5_000,
    "empty lines": b"\r\n" * 15_000,
    "chunk extensions": post(IN_CHUNKS, body=(b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 15),
    "trailers": post(IN_CHUNKS, body=b"0\r\n" + (b"X: " + b"a" * 1000 + b"\r\n") * 15),
    "small chunks": post(IN_CHUNKS, body=b"1\r\nx\r\n" * 5_000),
}


@pytest.mark.parametrize("data", DRIPS.values(), ids=DRIPS)
async def test_what_drips_in_keeps_no_more_than_its_own_bytes(wire: Wire, data: bytes) -> None:
    async with wire.client() as client:
        client.say(b"\r\n")
        tracemalloc.start()
        try:
            await client.say_slowly(data, leap=10)
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 100_000
    assert peak < 500_000


def test_only_so_many_field_lines_are_kept() -> None:
    reader = HeadReader(Limits())
    tracemalloc.start()
    try:
        for n in range(3000):
            head = get(b"X: %d" % n + b"a" * 900)
            reader.read(head, 0, len(head) - 4)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000
