"""How long a connection lasts, what may be sent ahead, who may go when (RFC 9112, 9)."""

import asyncio
import struct

import pytest

from ohia.exchange import Exchange, SocketOptions
from ohia.http.headers import Headers

from .dialogue import GET, NEXT, Client, Wire, get, post, rows, sent

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
IN_CHUNKS = b"Transfer-Encoding: chunked"


async def hello(exchange: Exchange) -> None:
    """Answer without a look at the body."""
    await sent(exchange.send_response(200, "OK", Headers(), b"hello"))


# --- Persistence


def old(*fields: bytes) -> bytes:
    return b"\r\n".join([b"GET / HTTP/1.0", *fields, b"", b""])


PERSISTENCE = rows(
    ("RFC 9112, 9.3", "1.1 goes on", get(), True),
    ("RFC 9112, 9.3", "1.1 with keep-alive", get(b"Connection: keep-alive"), True),
    ("RFC 9112, 9.3", "1.1 with an option that is unknown", get(b"Connection: closed"), True),
    ("RFC 9112, 9.3", "1.1 with empty options", get(b"Connection: ,"), True),
    ("RFC 9112, 9.6", "1.1 with close", get(b"Connection: close"), False),
    ("RFC 9110, 7.6.1", "close in any case", get(b"CONNECTION: Close"), False),
    ("RFC 9110, 7.6.1", "close behind another", get(b"Connection: x, close"), False),
    ("RFC 9110, 7.6.1", "close before another", get(b"Connection: close,x"), False),
    ("RFC 9110, 7.6.1", "close among blanks", get(b"Connection: ,\t close \t,"), False),
    ("RFC 9110, 7.6.1", "close in a line of its own", get(
        b"Connection: x", b"Connection: close"), False),
    ("RFC 9112, 9.3", "close outdoes keep-alive", get(b"Connection: keep-alive, close"), False),
    ("RFC 9112, 9.3", "in two lines too", get(
        b"Connection: close", b"Connection: keep-alive"), False),
    ("RFC 9112, C.2.2", "Proxy-Connection means nothing", get(b"Proxy-Connection: close"), True),
    ("RFC 9112, 9.3", "1.0 ends", old(), False),
    ("RFC 9112, 9.3", "1.0 with keep-alive goes on", old(b"Connection: keep-alive"), True),
    ("RFC 9110, 7.6.1", "1.0 with Keep-Alive", old(b"Connection: Keep-Alive"), True),
    ("RFC 9110, 7.6.1", "1.0 with it behind another", old(b"Connection: x, keep-alive"), True),
    ("RFC 9112, 9.3", "1.0 with both", old(b"Connection: keep-alive, close"), False),
    ("RFC 9112, C.2.2", "1.0 with the field Keep-Alive", old(b"Keep-Alive: timeout=5"), False),
    ("RFC 9112, C.2.2", "1.0 with that of proxies", old(b"Proxy-Connection: keep-alive"), False),
)  # fmt: skip


@pytest.mark.parametrize(("request_", "goes_on"), PERSISTENCE)
async def test_the_client_decides_whether_the_connection_goes_on(
    wire: Wire, request_: bytes, goes_on: bool
) -> None:
    heard = await wire.say(request_ + NEXT)
    assert heard.statuses == [200] * (1 + goes_on)
    assert len(heard.seen) == 1 + goes_on
    assert heard.closes
    says = b"Connection: keep-alive\r\n" in heard.data
    assert says == (goes_on and b"HTTP/1.0" in request_)


async def test_no_connection_sees_the_options_of_another(wire: Wire) -> None:
    """All heads go through one parser, which must forget: RFC 9112, 9.3."""
    for fields in (
        [b"Proxy-Connection: close"],
        [b"Connection: close"],
        [b"Connection: x close"],
        [b"Connection: upgrade", b"Upgrade: h2c"],
        [b"Connection: upgrade", b"Upgrade: websocket"],
        [b"Connection: upgrade", b"Upgrade: x", b"Content-Length: 3"],
        [b"Connection: keep-alive", b"Upgrade: x"],
        [b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip"],
        [b"X: \x00"],
    ):
        async with wire.clients(2) as (first, second):
            first.say(post(*fields))
            await asyncio.sleep(0)
            for _ in range(3):
                second.say(GET)
                assert b" 200 OK" in await second.until(b"GET / 1.1")


# --- What is sent ahead


def numbered(count: int, fields: bytes = b"") -> bytes:
    return b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n%b\r\n" % (n, fields) for n in range(count))


@pytest.mark.parametrize("count", [2, 10, 100, 1000])
async def test_requests_sent_ahead_are_answered_in_order(wire: Wire, count: int) -> None:
    """RFC 9112, 9.3.2."""
    heard = await wire.say(numbered(count) + NEXT)
    assert heard.statuses == [200] * (count + 1)
    assert heard.seen == [*(f"GET /{n} 1.1" for n in range(count)), "GET /next 1.1"]


async def test_requests_with_bodies_are_parted_where_the_bodies_end(wire: Wire) -> None:
    """RFC 9112, 9.3.2."""
    talk = (
        post(b"Content-Length: 2", body=b"ab")
        + post(IN_CHUNKS, body=b"1\r\nc\r\n0\r\nX: y\r\n\r\n")
        + b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
        + post(b"Content-Length: 0")
        + b"\r\n"
        + get(b"Content-Length: 1")
        + b"d"
    )
    heard = await wire.hear(talk + NEXT)
    assert heard.seen == [
        "POST / 1.1 ab", "POST / 1.1 c", "HEAD / 1.1", "POST / 1.1", "GET / 1.1 d", "GET /next 1.1"
    ]  # fmt: skip
    assert heard.statuses == [200] * 6


MALFORMED_AHEAD = rows(
    ("RFC 9112, 3", "a bad line", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("RFC 9112, 3.2", "no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("RFC 9112, 5.1", "a bad field", get(b"X : y"), 400),
    (
        "RFC 9112, 6.3",
        "two framings",
        post(b"Content-Length: 1", IN_CHUNKS, body=b"0\r\n\r\n"),
        400,
    ),
    ("RFC 9110, 15.6.6", "another version", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("RFC 9110, 10.1.1", "another expectation", get(b"Expect: x"), 417),
    ("RFC 6585, 5", "too many fields", get(*[b"X: y"] * 200), 431),
    ("RFC 9112, 2.2", "bytes behind a body", b"abc\r\n" + GET, 400),
)


@pytest.mark.parametrize("ahead", [0, 1, 5, 50])
@pytest.mark.parametrize(("request_", "status"), MALFORMED_AHEAD)
async def test_a_refusal_comes_behind_the_answers_before_it_and_is_the_last(
    wire: Wire, request_: bytes, status: int, ahead: int
) -> None:
    heard = await wire.say(numbered(ahead) + request_ + numbered(3) + NEXT)
    assert heard.statuses == [200] * ahead + [status]
    assert heard.seen == [f"GET /{n} 1.1" for n in range(ahead)]
    assert heard.closes


@pytest.mark.parametrize("ahead", [1, 20])
async def test_nothing_behind_a_request_with_close_is_read(wire: Wire, ahead: int) -> None:
    """RFC 9112, 9.6."""
    last = get(b"Connection: close")
    for behind in (GET, b"\x00", b"GET / HTTP/2.0\r\n\r\n"):
        heard = await wire.say(numbered(ahead) + last + behind)
        assert heard.statuses == [200] * (ahead + 1)
        assert heard.seen[-1] == "GET / 1.1"


async def test_a_request_sent_while_an_answer_streams_waits_for_its_end(wire: Wire) -> None:
    """RFC 9112, 9.3.2."""
    go_on = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if exchange.target == "/next":
            return await wire.answer(exchange)
        exchange.send_head(200, "OK", Headers())
        exchange.send_piece(b"one")
        await go_on.wait()
        exchange.send_piece(b"two")
        return await sent(exchange.end())

    async with wire.client(answer) as client:
        client.say(GET)
        await client.until(b"3\r\none\r\n")
        await client.say_slowly(NEXT, leap=1)
        assert wire.seen == []
        go_on.set()
        data = await client.rest()
    assert data.startswith(b"3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert data.endswith(b"GET /next 1.1")


async def test_an_upgrade_behind_other_requests_comes_in_its_turn(wire: Wire) -> None:
    """RFC 6455, 4.2: frames right behind the handshake are for the socket."""

    async def answer(exchange: Exchange) -> None:
        if not exchange.is_websocket:
            return await wire.answer(exchange)
        socket = await exchange.upgrade(Headers(), None, SocketOptions())
        await sent(socket.send(await socket.receive()))
        return await socket.close()

    handshake = get(
        b"Connection: keep-alive, Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    frames = b"\x81\x82\x00\x00\x00\x00hi" + b"\x88\x82\x00\x00\x00\x00" + struct.pack("!H", 1000)
    async with wire.client(answer) as client:
        client.say(numbered(3) + handshake + frames)
        data = await client.rest()
    assert wire.seen == [f"GET /{n} 1.1" for n in range(3)]
    assert data.index(b"GET /2 1.1") < data.index(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in data
    assert data.endswith(b"\r\n\r\n\x81\x02hi\x88\x02\x03\xe8")


async def test_a_refused_upgrade_leaves_the_connection_as_it_was(wire: Wire) -> None:
    """RFC 9110, 7.8."""
    for protocol in (b"websocket", b"h2c", b"TLS/1.0", b"x, websocket"):
        heard = await wire.hear(get(b"Connection: upgrade", b"Upgrade: " + protocol) + NEXT)
        assert (heard.statuses, heard.seen) == ([200, 200], ["GET / 1.1", "GET /next 1.1"])


# --- Expect


async def test_continue_is_sent_when_the_body_is_wanted(wire: Wire) -> None:
    """RFC 9110, 10.1.1."""
    for framing, body in ((b"Content-Length: 3", b"abc"), (IN_CHUNKS, b"3\r\nabc\r\n0\r\n\r\n")):
        async with wire.client() as client:
            client.say(post(framing, b"Expect: 100-continue"))
            assert await client.until(b"\r\n\r\n") == CONTINUE
            client.say(body + NEXT)
            data = await client.rest()
        assert data.startswith(b"HTTP/1.1 200 ")
        assert wire.seen[-2:] == ["POST / 1.1 abc", "GET /next 1.1"]


async def test_continue_comes_behind_the_answers_before_it(wire: Wire) -> None:
    """RFC 9112, 9.3.2."""
    async with wire.client() as client:
        client.say(numbered(3) + post(b"Content-Length: 3", b"Expect: 100-continue"))
        data = await client.until(CONTINUE)
        client.say(b"abc" + NEXT)
        rest = await client.rest()
    assert data.count(b"HTTP/1.1 200 ") == 3
    assert rest.count(b"HTTP/1.1 200 ") == 2
    assert wire.seen[3:] == ["POST / 1.1 abc", "GET /next 1.1"]


NO_CONTINUE = rows(
    ("RFC 9110, 10.1.1", "a body that is there", post(
        b"Content-Length: 3", b"Expect: 100-continue", body=b"abc")),
    ("RFC 9110, 10.1.1", "chunks that are there", post(
        IN_CHUNKS, b"Expect: 100-continue", body=b"3\r\nabc\r\n0\r\n\r\n")),
    ("RFC 9110, 10.1.1", "no body", post(b"Expect: 100-continue")),
    ("RFC 9110, 10.1.1", "an empty body", post(b"Content-Length: 0", b"Expect: 100-continue")),
    ("RFC 9110, 10.1.1", "HTTP/1.0", post(b"Connection: keep-alive", b"Content-Length: 3",
        b"Expect: 100-continue", body=b"abc").replace(b"HTTP/1.1", b"HTTP/1.0")),
)  # fmt: skip


@pytest.mark.parametrize("request_", NO_CONTINUE)
async def test_continue_is_not_sent_where_nothing_waits_for_it(wire: Wire, request_: bytes) -> None:
    heard = await wire.say(request_ + NEXT)
    assert heard.statuses == [200, 200]


@pytest.mark.parametrize("framing", [b"Content-Length: 3", IN_CHUNKS])
async def test_without_a_reader_the_answer_comes_at_once_and_is_the_last(
    wire: Wire, framing: bytes
) -> None:
    """What comes next could be the body or a request: RFC 9110, 10.1.1."""
    async with wire.client(hello) as client:
        client.say(post(framing, b"Expect: 100-continue"))
        data = await client.until(b"hello")
        client.say(NEXT)
        assert await client.rest() == b""
    assert data.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in data


# --- Bodies that nobody reads


@pytest.mark.parametrize("size", [0, 1, 10, 60_000])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunks"])
async def test_a_small_unread_body_is_dropped_and_the_connection_goes_on(
    wire: Wire, size: int, is_chunked: bool
) -> None:
    """RFC 9112, 9.3: what follows must not be taken for a request."""
    body = (GET * (1 + size // len(GET)))[:size]
    chunks = b"%x\r\n%b\r\n" % (size, body) if size else b""
    request = (
        post(IN_CHUNKS, body=chunks + b"0\r\n\r\n")
        if is_chunked
        else post(b"Content-Length: %d" % size, body=body)
    )
    async with wire.client(hello) as client:
        client.say(request + NEXT)
        data = await client.rest()
    assert data.count(b"HTTP/1.1 200 ") == 2


async def test_a_large_unread_body_ends_the_connection_but_not_the_answer(wire: Wire) -> None:
    """RFC 9112, 9.6."""
    async with wire.client(hello) as client:
        client.say(post(b"Content-Length: 9000000", body=bytes(1_000_000)))
        data = await client.rest()
    assert data.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in data
    assert data.endswith(b"hello")


async def test_an_unread_body_without_end_ends_the_connection(wire: Wire) -> None:
    """RFC 9112, 9.6."""
    async with wire.client(hello) as client:
        client.say(post(IN_CHUNKS, body=b"fff\r\n" + bytes(4095) + b"\r\n"))
        await client.until(b"hello")
        client.say((b"fff\r\n" + bytes(4095) + b"\r\n") * 40)
        assert await client.rest() == b""


async def test_a_refused_client_that_still_sends_reads_why(wire: Wire) -> None:
    """Closing at once would reset the connection: RFC 9112, 9.6."""
    async with wire.client(max_request_body=10) as client:
        client.say(post(b"Content-Length: 1000000", body=bytes(1_000_000)))
        assert (await client.rest()).startswith(b"HTTP/1.1 413 ")


# --- Clients that go


HALF_CLOSED = rows(
    ("RFC 9112, 9.6", "before anything", b"", [], []),
    ("RFC 9112, 2.2", "behind an empty line", b"\r\n", [], []),
    ("RFC 9112, 8", "in a request line", b"GET / HT", [400], []),
    ("RFC 9112, 8", "in a field", GET[:-3], [400], []),
    ("RFC 9112, 8", "before the empty line", GET[:-2], [400], []),
    ("RFC 9112, 8", "in the head behind a whole request", GET + b"GET", [200, 400], ["GET / 1.1"]),
    ("RFC 9112, 9.6", "behind a request", GET, [200], ["GET / 1.1"]),
    ("RFC 9112, 9.6", "behind two", GET + GET, [200, 200], ["GET / 1.1"] * 2),
    ("RFC 9112, 9.6", "behind a hundred", GET * 100, [200] * 100, ["GET / 1.1"] * 100),
    ("RFC 9112, 8", "before a body", post(b"Content-Length: 3"), [], ["POST / 1.1 gone"]),
    ("RFC 9112, 8", "in a body", post(b"Content-Length: 3", body=b"a"), [], ["POST / 1.1 gone"]),
    ("RFC 9112, 8", "in a chunk", post(IN_CHUNKS, body=b"3\r\na"), [], ["POST / 1.1 gone"]),
    ("RFC 9112, 8", "before the last chunk", post(IN_CHUNKS, body=b"1\r\na\r\n"), [],
        ["POST / 1.1 gone"]),
    ("RFC 9112, 9.6", "behind a body", post(b"Content-Length: 1", body=b"a"), [200],
        ["POST / 1.1 a"]),
    ("RFC 9112, 9.6", "behind the last chunk", post(IN_CHUNKS, body=b"0\r\n\r\n"), [200],
        ["POST / 1.1"]),
)  # fmt: skip


@pytest.mark.parametrize(("data", "statuses", "seen"), HALF_CLOSED)
async def test_a_client_that_ends_its_side_is_answered_as_far_as_it_asked(
    wire: Wire, data: bytes, statuses: list[int], seen: list[str]
) -> None:
    async with wire.client() as client:
        client.say(data)
        client.end()
        answers = await client.rest()
    assert [int(each[:3]) for each in answers.split(b"HTTP/1.1 ")[1:]] == statuses
    assert wire.seen == seen


async def test_a_client_that_ends_its_side_gets_a_stream_to_its_end(wire: Wire) -> None:
    """RFC 9112, 9.6."""
    go_on = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())
        exchange.send_piece(b"one")
        await go_on.wait()
        exchange.send_piece(b"two")
        await sent(exchange.end())

    async with wire.client(answer) as client:
        client.say(GET)
        client.end()
        await client.until(b"one\r\n")
        go_on.set()
        assert await client.rest() == b"3\r\ntwo\r\n0\r\n\r\n"


GOING = rows(
    ("RFC 9112, 9.5", "before anything", b"", b""),
    ("RFC 9112, 9.5", "in a request line", b"GET /", b""),
    ("RFC 9112, 9.5", "in a head", GET[:-3], b""),
    ("RFC 9112, 9.5", "in a body", post(b"Content-Length: 9", body=b"a"), b""),
    ("RFC 9112, 9.5", "in a chunk", post(IN_CHUNKS, body=b"9\r\na"), b""),
    ("RFC 9112, 9.5", "while it waits to go on", post(
        b"Content-Length: 9", b"Expect: 100-continue"), CONTINUE),
    ("RFC 9112, 9.5", "behind an answer", GET, b"GET / 1.1"),
    ("RFC 9112, 9.5", "behind a refusal", b"GET / HTTP/2.0\r\n\r\n", b"Supported"),
    ("RFC 9112, 9.5", "with answers under way", GET * 50, b"GET / 1.1"),
)  # fmt: skip


@pytest.mark.parametrize(("data", "until"), GOING)
async def test_a_client_that_vanishes_leaves_the_others_alone(
    wire: Wire, data: bytes, until: bytes
) -> None:
    async with wire.clients(2) as (first, second):
        first.say(data)
        await first.until(until) if until else await turn(second)
        first.vanish()
        await turn(second)
        second.say(NEXT)
        assert (await second.rest()).endswith(b"GET /next 1.1")
    assert not any("!" in each for each in wire.seen)


async def turn(client: Client) -> None:
    """Let the server read what was sent before."""
    client.say(GET)
    await client.until(b"GET / 1.1")
