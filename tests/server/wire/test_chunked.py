"""The chunked coding (RFC 9112, 7.1): sizes, extensions, line ends, trailers.

The application is told of a faulty body where it reads it, by an error of status 400; behind such
a body nothing is read.
"""

import pytest

from ohia.exchange import Exchange
from ohia.http.headers import Headers

from .dialogue import NEXT, Wire, post, rows, sent

CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"

REFUSED = rows(
    # Sizes.
    ("RFC 9112, 7.1", "0x before the size", b"0x3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a plus sign", b"+3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a minus sign", b"-3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "below zero", b"-1\r\n" + END),
    ("RFC 9112, 7.1", "an underscore", b"0_3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "an h behind the digits", b"3h\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a letter beyond f", b"g\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a dot", b"3.0\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a blank before", b" 3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a tab before", b"\t3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a blank behind", b"3 \r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a tab behind", b"3\t\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "two sizes", b"3 3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "NUL behind", b"3\x00\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "a vertical tab behind", b"3\x0b\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "quotes", b'"3"\r\nabc\r\n' + END),
    ("RFC 9112, 7.1", "a digit of another script", b"\xd9\xa3\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "no size", b"\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "only an extension", b";a\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "seventeen digits", b"f" * 17 + b"\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "what is 3 in 64 bits", b"10000000000000003\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "sixteen digits", b"0000000000000003\r\nabc\r\n" + END),
    # Ends of lines.
    ("RFC 9112, 2.2", "bare LF all through", b"3\nabc\n0\n\n"),
    ("RFC 9112, 2.2", "bare LF behind the size", b"3\nabc\r\n" + END),
    ("RFC 9112, 2.2", "bare LF behind the data", b"3\r\nabc\n" + END),
    ("RFC 9112, 2.2", "bare CR behind the size", b"3\rabc\r\n" + END),
    ("RFC 9112, 2.2", "bare CR behind the data", b"3\r\nabc\r" + END),
    ("RFC 9112, 2.2", "CR CR LF behind the size", b"3\r\r\nabc\r\n" + END),
    ("RFC 9112, 2.2", "LF CR behind the size", b"3\n\rabc\r\n" + END),
    ("RFC 9112, 2.2", "bare LF behind the last size", b"3\r\nabc\r\n0\n\r\n"),
    ("RFC 9112, 2.2", "bare LF at the end", b"3\r\nabc\r\n0\r\n\n"),
    ("RFC 9112, 2.2", "bare CR at the end", b"3\r\nabc\r\n0\r\n\rX"),
    # Data.
    ("RFC 9112, 7.1", "no CRLF behind the data", b"3\r\nabc" + END),
    ("RFC 9112, 7.1", "more data than the size says", b"3\r\nabcd\r\n" + END),
    ("RFC 9112, 7.1", "less data than the size says", b"5\r\nabc\r\n" + END),
    ("RFC 9112, 7.1", "two line ends behind the data", b"3\r\nabc\r\n\r\n" + END),
    ("RFC 9112, 7.1", "a request in the place of a size", b"3\r\nabc\r\n"),
    # Extensions.
    ("RFC 9112, 7.1.1", "an extension without a name", b"3;\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "one between two others", b"3;a;;b\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "only a value", b"3;=b\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "no value behind the equals sign", b"3;a=\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "a blank in a value", b"3;a=b c\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "a blank behind the last", b"3;a \r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "open quotes", b'3;a="b\r\nabc\r\n' + END),
    ("RFC 9112, 7.1.1", "LF in quotes", b'3;a="\n"\r\nabc\r\n' + END),
    ("RFC 9112, 7.1.1", "CRLF in quotes", b'3;a="\r\n"\r\nabc\r\n' + END),
    ("RFC 9112, 7.1.1", "an escaped LF in quotes", b'3;a="\\\n"\r\nabc\r\n' + END),
    ("RFC 9112, 7.1.1", "bare LF", b"3;a\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "bare LF and a size", b"3;a\n5\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "bare CR", b"3;a\rb\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "NUL", b"3;a\x00\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "an at sign for the semicolon", b"3@a\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "a long one", b"3;" + b"a" * 5000 + b"\r\nabc\r\n" + END),
    ("RFC 9112, 7.1.1", "many of them", (b"1;" + b"a" * 999 + b"\r\nx\r\n") * 40 + END),
    ("RFC 9112, 7.1.1", "one without an end", b"3;" + b"a" * 100_000),
    # Trailers.
    ("RFC 9112, 7.1.2", "no colon", b"0\r\nX\r\n\r\n"),
    ("RFC 9112, 7.1.2", "a request in their place", b"0\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("RFC 9112, 7.1.2", "no name", b"0\r\n: a\r\n\r\n"),
    ("RFC 9112, 7.1.2", "a blank before the colon", b"0\r\nX : a\r\n\r\n"),
    ("RFC 9112, 7.1.2", "a fold at once", b"0\r\n X: a\r\n\r\n"),
    ("RFC 9112, 7.1.2", "a fold", b"0\r\nX: a\r\n b\r\n\r\n"),
    ("RFC 9112, 7.1.2", "a line of blanks", b"0\r\n \r\n\r\n"),
    ("RFC 9112, 7.1.2", "bare LF", b"0\r\nX: a\n\r\n"),
    ("RFC 9112, 7.1.2", "bare LF within", b"0\r\nX: a\nY: b\r\n\r\n"),
    ("RFC 9112, 7.1.2", "bare CR within", b"0\r\nX: a\rY: b\r\n\r\n"),
    ("RFC 9112, 7.1.2", "NUL", b"0\r\nX: \x00\r\n\r\n"),
    ("RFC 9112, 7.1.2", "a byte above 127 in a name", b"0\r\nX\xe4: a\r\n\r\n"),
    ("RFC 9112, 7.1.2", "a long one", b"0\r\nX: " + b"a" * 5000 + b"\r\n\r\n"),
    ("RFC 9112, 7.1.2", "many of them", b"0\r\n" + b"X: y\r\n" * 5000 + b"\r\n"),
    ("RFC 9112, 7.1.2", "data behind the last chunk", b"0\r\nabc\r\n" + END),
)


@pytest.mark.parametrize("body", REFUSED)
async def test_a_faulty_chunk_is_an_error_of_the_body_and_ends_the_connection(
    wire: Wire, body: bytes
) -> None:
    heard = await wire.hear(post(CHUNKED, body=body) + NEXT)
    assert (heard.statuses, heard.closes, heard.seen) == ([400], True, ["POST / 1.1 !400"])


TAKEN = rows(
    ("RFC 9112, 7.1", "one chunk", b"3\r\nabc\r\n" + END, " abc"),
    ("RFC 9112, 7.1", "no chunk", END, ""),
    ("RFC 9112, 7.1", "many chunks", b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n" + END, " abc"),
    ("RFC 9112, 7.1", "small letters", b"a\r\n0123456789\r\n" + END, " 0123456789"),
    ("RFC 9112, 7.1", "capitals", b"A\r\n0123456789\r\n" + END, " 0123456789"),
    ("RFC 9112, 7.1", "zeros before", b"00000003\r\nabc\r\n" + END, " abc"),
    ("RFC 9112, 7.1", "fifteen digits", b"000000000000003\r\nabc\r\n" + END, " abc"),
    ("RFC 9112, 7.1", "many zeros at the end", b"3\r\nabc\r\n00000\r\n\r\n", " abc"),
    ("RFC 9112, 7.1", "line ends in the data", b"4\r\n\r\n\r\n\r\n" + END, " \r\n\r\n"),
    ("RFC 9112, 7.1", "an end in the data", b"5\r\n0\r\n\r\n\r\n" + END, " 0\r\n\r\n"),
    ("RFC 9112, 7.1", "a chunk in the data", b"8\r\n3\r\nabc\r\n\r\n" + END, " 3\r\nabc\r\n"),
    ("RFC 9112, 7.1.1", "an extension is dropped", b"3;a\r\nabc\r\n" + END, " abc"),
    ("RFC 9112, 7.1.1", "one with a value", b"3;a=b\r\nabc\r\n" + END, " abc"),
    ("RFC 9112, 7.1.1", "one in quotes", b'3;a="b;\\"c"\r\nabc\r\n' + END, " abc"),
    ("RFC 9112, 7.1.1", "several", b"3;a=b;c;d=e\r\nabc\r\n" + END, " abc"),
    ("RFC 9112, 7.1.1", "blanks where they may be", b"3 ; a\t=\tb ;c\r\nabc\r\n" + END, " abc"),
    ("RFC 9112, 7.1.1", "one of the last chunk", b"3\r\nabc\r\n0;a=b\r\n\r\n", " abc"),
    ("RFC 9112, 7.1.2", "a trailer is dropped", b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", " abc"),
    ("RFC 9112, 7.1.2", "several", b"0\r\nX: y\r\nX:\r\nZ:\t\xe4\r\n\r\n", ""),
    ("RFC 9110, 6.5.1", "a length among them means nothing", b"0\r\nContent-Length: 9\r\n\r\n", ""),
    ("RFC 9110, 6.5.1", "nor does a coding", b"0\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
    ("RFC 9110, 6.5.1", "nor does close", b"0\r\nConnection: close\r\n\r\n", ""),
    ("RFC 9110, 6.5.1", "nor does a second Host", b"0\r\nHost: evil\r\n\r\n", ""),
)


@pytest.mark.parametrize(("body", "seen"), TAKEN)
async def test_chunks_become_their_data_and_the_next_request_begins_behind_them(
    wire: Wire, body: bytes, seen: str
) -> None:
    heard = await wire.hear(post(CHUNKED, body=body) + NEXT)
    assert (heard.statuses, heard.seen) == ([200, 200], [f"POST / 1.1{seen}", "GET /next 1.1"])


async def test_trailers_are_never_merged_into_the_fields(wire: Wire) -> None:
    """RFC 9110, 6.5.1."""
    seen: list[list[str]] = []

    async def answer(exchange: Exchange) -> None:
        before = list(exchange.headers)
        assert await exchange.read() == b"abc"
        assert await exchange.read() == b""
        assert list(exchange.headers) == before
        seen.append(before)
        await sent(exchange.send_response(200, "OK", Headers(), b""))

    body = b"3\r\nabc\r\n0\r\nAuthorization: me\r\nHost: evil\r\n\r\n"
    async with wire.client(answer) as client:
        client.say(post(CHUNKED, b"Trailer: Authorization", b"Connection: close", body=body))
        assert (await client.rest()).startswith(b"HTTP/1.1 200 ")
    assert seen == [["host", "transfer-encoding", "trailer", "connection"]]


async def test_what_came_before_a_faulty_chunk_is_read_before_the_error(wire: Wire) -> None:
    """RFC 9112, 7.1."""
    pieces: list[bytes] = []

    async def answer(exchange: Exchange) -> None:
        pieces.append(await exchange.read())
        await wire.answer(exchange)

    async with wire.client(answer) as client:
        client.say(post(CHUNKED, body=b"3\r\nabc\r\n4\r\nde"))
        client.say(b"fg!\r\n" + END + NEXT)
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
    assert pieces[0].startswith(b"abc")
    assert wire.seen == ["POST / 1.1 !400"]


@pytest.mark.parametrize(
    "body", [b"3\r\nabc\r\n", b"3\r\nab", b"3", b"0\r\n", b"0\r\nX: y\r\n", b""]
)
async def test_chunks_that_end_too_early_are_no_body(wire: Wire, body: bytes) -> None:
    """RFC 9112, 8: a chunked body without its last chunk is not whole."""
    async with wire.client() as client:
        client.say(post(CHUNKED, body=body))
        client.end()
        assert await client.rest() == b""
    assert wire.seen == ["POST / 1.1 gone"]


async def test_a_faulty_chunk_that_nobody_reads_ends_the_connection_behind_the_answer(
    wire: Wire,
) -> None:
    """RFC 9112, 7.1: the answer was right, what follows the body cannot be found."""

    async def answer(exchange: Exchange) -> None:
        await sent(exchange.send_response(200, "OK", Headers(), b"early"))

    for body in (b"x\r\nabc\r\n" + END, b"3\r\nabcd\r\n" + END):
        async with wire.client(answer) as client:
            client.say(post(CHUNKED, body=body) + NEXT)
            data = await client.rest()
        assert data.count(b"HTTP/1.1 ") == 1
        assert data.endswith(b"early")
