"""Responses on the wire: framing, fields, what the application gets wrong (RFC 9112, 6 and 9)."""

import re
from collections.abc import Awaitable, Callable

import pytest

from ohia.errors import ClientDisconnect
from ohia.exchange import Exchange
from ohia.http.headers import Headers

from .dialogue import GET, NEXT, Wire, get, rows, sent

Answer = Callable[[Exchange], Awaitable[None]]
Read = Callable[..., list[tuple[int, Headers, bytes]]]

OLD = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


def whole(status: int, body: bytes = b"", /, **fields: str | int | list[str]) -> Answer:
    """Return an application that answers at once; `_` in a name stands for a hyphen."""
    headers = Headers({name.replace("_", "-"): value for name, value in fields.items()})

    async def answer(exchange: Exchange) -> None:
        await sent(exchange.send_response(status, "Something", headers, body))

    return answer


def streamed(status: int, *pieces: bytes, **fields: str | int) -> Answer:
    """Return an application that answers piece by piece."""
    headers = Headers({name.replace("_", "-"): value for name, value in fields.items()})

    async def answer(exchange: Exchange) -> None:
        await sent(exchange.send_head(status, "Something", headers))
        for piece in pieces:
            await sent(exchange.send_piece(piece))
        await sent(exchange.end())

    return answer


async def talk(wire: Wire, answer: Answer, data: bytes) -> bytes:
    async with wire.client(answer) as client:
        client.say(data)
        return await client.rest()


# --- Framing

FRAMINGS = rows(
    # What the application does, the method, the length that the head tells, the body.
    ("RFC 9112, 6.2", "a whole body", whole(200, b"hello"), "GET", "5", b"hello"),
    ("RFC 9112, 6.2", "an empty one", whole(200), "GET", "0", b""),
    ("RFC 9112, 6.2", "an empty one of 404", whole(404), "GET", "0", b""),
    ("RFC 9110, 15.4.3", "an empty redirect", whole(302, Location="/"), "GET", "0", b""),
    ("RFC 9112, 6.2", "one with its length", whole(200, b"abc", Content_Length=3),
        "GET", "3", b"abc"),
    ("RFC 9112, 7.1", "pieces", streamed(200, b"one,", b"two"), "GET", "chunked", b"one,two"),
    ("RFC 9112, 7.1", "no pieces", streamed(200), "GET", "chunked", b""),
    ("RFC 9112, 7.1", "an empty piece, which would end it", streamed(200, b"a", b"", b"b"),
        "GET", "chunked", b"ab"),
    ("RFC 9112, 7.1", "a piece that looks like the end", streamed(200, b"0\r\n\r\n"),
        "GET", "chunked", b"0\r\n\r\n"),
    ("RFC 9112, 6.2", "pieces with a length", streamed(200, b"abc", b"def", Content_Length=6),
        "GET", "6", b"abcdef"),
    ("RFC 9110, 9.3.2", "HEAD", whole(200), "HEAD", None, b""),
    ("RFC 9110, 9.3.2", "HEAD with a length", whole(200, Content_Length=5), "HEAD", "5", b""),
    ("RFC 9110, 9.3.2", "HEAD with a body", whole(200, b"hello"), "HEAD", None, b""),
    ("RFC 9110, 9.3.2", "HEAD with a body and its length", whole(200, b"abc", Content_Length=3),
        "HEAD", "3", b""),
    ("RFC 9110, 9.3.2", "HEAD with pieces", streamed(200, b"abc"), "HEAD", None, b""),
    ("RFC 9110, 9.3.2", "HEAD with another length", streamed(200, b"abc", Content_Length=9),
        "HEAD", "9", b""),
    ("RFC 9110, 9.3.2", "HEAD of an error", whole(500, b"oh"), "HEAD", None, b""),
    ("RFC 9110, 15.3.5", "204", whole(204), "GET", None, b""),
    ("RFC 9110, 8.6", "204 with a length", whole(204, Content_Length=0), "GET", None, b""),
    ("RFC 9110, 15.3.5", "204 with a body", whole(204, b"abc"), "GET", None, b""),
    ("RFC 9110, 15.3.5", "204 with pieces", streamed(204, b"abc"), "GET", None, b""),
    ("RFC 9110, 15.3.6", "205", whole(205), "GET", "0", b""),
    ("RFC 9110, 15.4.5", "304", whole(304), "GET", None, b""),
    ("RFC 9110, 8.6", "304 with the length of the 200", whole(304, Content_Length=5),
        "GET", "5", b""),
    ("RFC 9110, 15.4.5", "304 with a body", whole(304, b"abc"), "GET", None, b""),
    ("RFC 9110, 15.4.5", "304 with pieces", streamed(304, b"abc"), "GET", None, b""),
    ("RFC 9112, 6.1", "a coding of the application", whole(200, b"a", Transfer_Encoding="gzip"),
        "GET", "1", b"a"),
    ("RFC 9112, 6.1", "its own chunked", streamed(200, b"a", Transfer_Encoding="chunked"),
        "GET", "chunked", b"a"),
    ("RFC 9112, 6.1", "its own chunked and a length", whole(
        200, b"a", Transfer_Encoding="chunked", Content_Length=1), "GET", "1", b"a"),
)  # fmt: skip


@pytest.mark.parametrize(("answer", "method", "length", "body"), FRAMINGS)
async def test_a_response_ends_where_it_says_and_the_next_begins_there(
    wire: Wire, read_responses: Read, answer: Answer, method: str, length: str | None, body: bytes
) -> None:
    async def answer_twice(exchange: Exchange) -> None:
        await (wire.answer if exchange.target == "/next" else answer)(exchange)

    data = await talk(wire, answer_twice, f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode() + NEXT)
    first, second = read_responses(data, method, "GET")
    _, headers, read = first
    assert read == body
    assert headers.get("content-length", headers.get("transfer-encoding")) == length
    assert not {"content-length", "transfer-encoding"} <= set(headers)
    assert "connection" not in headers
    assert second[2] == b"GET /next 1.1"


@pytest.mark.parametrize(
    ("answer", "goes_on"),
    [
        (whole(200, b"hello"), True),
        (whole(204), True),
        (whole(304), True),
        (streamed(200, b"hello", Content_Length=5), True),
        (streamed(200, b"he", b"llo"), False),
    ],
    ids=["a body", "204", "304", "a length", "pieces"],
)
async def test_http_1_0_gets_no_chunks_and_goes_on_where_the_end_is_known(
    wire: Wire, answer: Answer, goes_on: bool
) -> None:
    """RFC 9112, 6.1 and 9.3."""
    data = await talk(wire, answer, OLD + OLD.replace(b"keep-alive", b"close"))
    assert b"Transfer-Encoding" not in data
    assert data.count(b"HTTP/1.1 ") == 1 + goes_on
    assert data.count(b"\r\nConnection: keep-alive\r\n") == goes_on
    assert data.count(b"\r\nConnection: close\r\n") == 1
    assert goes_on or data.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("status", [100, 102, 103, 199])
@pytest.mark.parametrize("make", [whole, streamed])
async def test_an_interim_answer_of_the_application_ends_the_connection(
    wire: Wire, make: Callable[[int], Answer], status: int
) -> None:
    """The client waits for a final one, which never comes: RFC 9110, 15.2."""
    data = await talk(wire, make(status), GET + NEXT)
    assert data.startswith(b"HTTP/1.1 %d " % status)
    assert data.count(b"HTTP/1.1 ") == 1
    assert data.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in data


# --- Fields


async def test_every_answer_has_a_date_unless_the_application_gives_one(wire: Wire) -> None:
    """RFC 9110, 6.6.1 and 5.6.7."""
    own = await talk(wire, whole(200), NEXT)
    assert len(re.findall(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n", own)) == 1
    given = await talk(wire, whole(200, Date="today"), NEXT)
    assert re.findall(rb"\r\nDate: ([^\r]*)", given) == [b"today"]


async def test_connection_fields_of_the_application_are_not_written(
    wire: Wire, read_responses: Read
) -> None:
    """RFC 9110, 7.6.1: the server knows better."""
    answer = whole(
        200, b"x", Keep_Alive="x", Connection="x", Proxy_Connection="x", Set_Cookie=["a=1", "b=2"]
    )
    first, _ = read_responses(await talk(wire, answer, GET + NEXT), "GET", "GET")
    _, headers, _ = first
    assert set(headers) == {"set-cookie", "date", "content-length"}
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("value", ["close", "Close", "x, close", "close, x"])
async def test_close_of_the_application_ends_the_connection(wire: Wire, value: str) -> None:
    """RFC 9112, 9.6."""
    for make in (whole(200, b"x", Connection=value), streamed(200, b"x", Connection=value)):
        data = await talk(wire, make, GET + NEXT)
        assert data.count(b"HTTP/1.1 ") == 1
        assert data.count(b"\r\nConnection: close\r\n") == 1


async def test_an_upgrade_that_is_asked_for_is_named_as_connection_option(
    wire: Wire, read_responses: Read
) -> None:
    """RFC 9110, 7.8 and 15.5.22."""
    answer = whole(426, Connection="Upgrade", Upgrade="websocket")
    first, _ = read_responses(await talk(wire, answer, GET + NEXT), "GET", "GET")
    assert (first[1]["connection"], first[1]["upgrade"]) == ("Upgrade", "websocket")


async def test_bytes_above_127_are_written_as_latin_1(wire: Wire) -> None:
    """RFC 9110, 5.5."""
    data = await talk(wire, whole(200, X="\xe4\xff"), NEXT)
    assert b"\r\nX: \xe4\xff\r\n" in data


# --- What the application gets wrong

BREAKING = [
    "a\r\nX: y",
    "a\nX: y",
    "a\rX: y",
    "a\x00",
    "a\r\n\r\nHTTP/1.1 200 OK\r\n",
    "a\x7f",
    "\u0100",
]


@pytest.mark.parametrize("text", BREAKING)
async def test_text_that_would_split_a_head_is_refused_where_it_is_given(
    wire: Wire, text: str
) -> None:
    """RFC 9110, 5.5 and RFC 9112, 4."""

    async def answer(exchange: Exchange) -> None:
        for fields in ({"X": text}, {text: "x"}, {"Content-Length": text}, {"X": ["a", text]}):
            with pytest.raises(ValueError, match="invalid"):
                Headers(fields)
        with pytest.raises(ValueError, match="reason"):
            exchange.send_response(200, text, Headers(), b"")
        with pytest.raises(ValueError, match="reason"):
            exchange.send_head(200, text, Headers())
        await wire.answer(exchange)

    data = await talk(wire, answer, NEXT)
    assert data.count(b"HTTP/1.1 200 OK\r\n") == 1
    assert data.endswith(b"GET /next 1.1")


@pytest.mark.parametrize("status", [0, 99, 1000, -200])
async def test_a_status_has_three_digits(wire: Wire, status: int) -> None:
    """RFC 9112, 4."""

    async def answer(exchange: Exchange) -> None:
        with pytest.raises(ValueError, match="three digits"):
            exchange.send_head(status, "x", Headers())
        with pytest.raises(ValueError, match="three digits"):
            exchange.send_response(status, "x", Headers(), b"")
        await wire.answer(exchange)

    assert (await talk(wire, answer, NEXT)).endswith(b"GET /next 1.1")


@pytest.mark.parametrize(
    "length", ["", "x", "+3", "-3", "3, 3", "3 3", "0x3", "3.0", "\xb2", "3_0"]
)
async def test_a_length_that_is_no_number_is_refused_before_anything_is_sent(
    wire: Wire, length: str
) -> None:
    """RFC 9110, 8.6."""

    async def answer(exchange: Exchange) -> None:
        headers = Headers({"Content-Length": length})
        with pytest.raises(ValueError, match="Content-Length takes one number"):
            exchange.send_head(200, "OK", headers)
        with pytest.raises(ValueError, match="Content-Length takes one number"):
            exchange.send_response(200, "OK", headers, b"abc")
        await wire.answer(exchange)

    data = await talk(wire, answer, NEXT)
    assert data.count(b"Content-Length") == 1
    assert data.endswith(b"GET /next 1.1")


async def test_there_is_never_a_second_length(wire: Wire) -> None:
    """RFC 9112, 6.3."""
    headers = Headers({"Content-Length": 3})
    with pytest.raises(ValueError, match="exactly one value"):
        headers.append("content-length", 4)
    with pytest.raises(ValueError, match="exactly one value"):
        headers["CONTENT-LENGTH"] = ["3", "4"]
    headers["CONTENT-LENGTH"] = 4
    assert list(headers.lines()) == [("CONTENT-LENGTH", "4")]


WRONG_LENGTHS = rows(
    ("RFC 9112, 8", "a body too short", whole(200, b"ab", Content_Length=3)),
    ("RFC 9112, 8", "a body too long", whole(200, b"abcd", Content_Length=3)),
    ("RFC 9112, 8", "no body", whole(200, Content_Length=3)),
    ("RFC 9112, 8", "a body for zero", whole(200, b"a", Content_Length=0)),
    ("RFC 9112, 8", "pieces too short", streamed(200, b"ab", Content_Length=3)),
    ("RFC 9112, 8", "no pieces", streamed(200, Content_Length=3)),
    ("RFC 9112, 8", "pieces too long", streamed(200, b"abc", b"d", Content_Length=3)),
    ("RFC 9112, 8", "a piece too long", streamed(200, NEXT, Content_Length=3)),
    ("RFC 9112, 8", "a piece for zero", streamed(200, b"a", Content_Length=0)),
)


@pytest.mark.parametrize("answer", WRONG_LENGTHS)
async def test_a_body_of_another_length_cuts_the_connection_and_no_byte_too_much_is_sent(
    wire: Wire, answer: Answer
) -> None:
    async def answer_wrongly(exchange: Exchange) -> None:
        with pytest.raises(RuntimeError, match="Content-Length"):
            await answer(exchange)
        assert not exchange.can_send
        with pytest.raises(ClientDisconnect):
            exchange.send_response(200, "OK", Headers(), b"again")

    data = await talk(wire, answer_wrongly, GET + NEXT)
    assert data.count(b"HTTP/1.1 ") <= 1
    assert len(data.partition(b"\r\n\r\n")[2]) <= 3
    assert b"again" not in data


async def fail_before(exchange: Exchange) -> None:
    raise ValueError(exchange.target)


async def fail_behind_the_head(exchange: Exchange) -> None:
    await sent(exchange.send_head(200, "OK", Headers()))
    raise ValueError(exchange.target)


async def fail_behind_a_piece(exchange: Exchange) -> None:
    await sent(exchange.send_head(200, "OK", Headers()))
    await sent(exchange.send_piece(b"abc"))
    raise ValueError(exchange.target)


async def fail_behind_a_counted_piece(exchange: Exchange) -> None:
    await sent(exchange.send_head(200, "OK", Headers({"Content-Length": 9})))
    await sent(exchange.send_piece(b"abc"))
    raise ValueError(exchange.target)


async def forget_the_end(exchange: Exchange) -> None:
    await sent(exchange.send_head(200, "OK", Headers()))
    await sent(exchange.send_piece(b"abc"))


async def forget_to_answer(exchange: Exchange) -> None:
    return


@pytest.mark.parametrize(
    "answer",
    [
        fail_before,
        fail_behind_the_head,
        fail_behind_a_piece,
        fail_behind_a_counted_piece,
        forget_the_end,
        forget_to_answer,
    ],
)
async def test_an_answer_that_is_not_whole_is_cut_and_never_looks_whole(
    wire: Wire, answer: Answer
) -> None:
    """RFC 9112, 8: no last chunk, no second answer."""
    data = await talk(wire, answer, GET + NEXT)
    assert data.count(b"HTTP/1.1 ") <= 1
    assert b"0\r\n\r\n" not in data
    other = await talk(wire, wire.answer, NEXT)
    assert other.endswith(b"GET /next 1.1")


async def test_an_error_behind_the_answer_does_it_no_harm(wire: Wire) -> None:
    """RFC 9112, 9.3."""

    async def answer(exchange: Exchange) -> None:
        await wire.answer(exchange)
        raise ValueError(exchange.target)

    data = await talk(wire, answer, GET + NEXT)
    assert data.count(b"HTTP/1.1 200 ") == 2


@pytest.mark.parametrize("second", ["response", "head", "piece", "end"])
async def test_nothing_is_sent_behind_a_whole_answer(wire: Wire, second: str) -> None:
    """RFC 9112, 9.3: the next answer is the next request's."""

    async def answer(exchange: Exchange) -> None:
        await wire.answer(exchange)
        send: dict[str, Callable[[], object]] = {
            "response": lambda: exchange.send_response(200, "OK", Headers(), b"again"),
            "head": lambda: exchange.send_head(200, "OK", Headers()),
            "piece": lambda: exchange.send_piece(b"again"),
            "end": exchange.end,
        }
        with pytest.raises(RuntimeError, match="is complete"):
            send[second]()

    data = await talk(wire, answer, GET + NEXT)
    assert data.count(b"HTTP/1.1 200 ") == 2
    assert b"again" not in data


# --- Refusals


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, b"Bad Request"),
        (get(b"Expect: x"), 417, b"Expectation Failed"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, b"URI Too Long"),
        (get(*[b"X: y"] * 200), 431, b"Request Header Fields Too Large"),
        (b"GET / HTTP/2.0\r\n\r\n", 505, b"HTTP Version Not Supported"),
        (get(b"Transfer-Encoding: gzip, chunked"), 501, b"Not Implemented"),
    ],
)
async def test_a_refusal_is_a_whole_answer_with_a_short_text(
    wire: Wire, read_responses: Read, request_: bytes, status: int, body: bytes
) -> None:
    """RFC 9110, 15.5."""
    [(known, headers, text)] = read_responses(await talk(wire, wire.answer, request_), "GET")
    assert (known, text) == (status, body)
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["connection"] == "close"
    assert headers["date"].endswith(" GMT")


@pytest.mark.parametrize("before", [b"", b"\r\n"])
@pytest.mark.parametrize(
    "request_",
    [
        HEAD.replace(b"Host: a\r\n", b""),
        HEAD.replace(b"HTTP/1.1", b"HTTP/2.0"),
        HEAD.replace(b"\r\n\r\n", b"\r\nX : y\r\n\r\n"),
        b"HEAD /\x00",
    ],
)
async def test_the_refusal_of_a_head_request_has_no_body(
    wire: Wire, read_responses: Read, before: bytes, request_: bytes
) -> None:
    """RFC 9110, 9.3.2."""
    [(status, _, body)] = read_responses(await talk(wire, wire.answer, before + request_), "HEAD")
    assert status in {400, 505}
    assert body == b""
