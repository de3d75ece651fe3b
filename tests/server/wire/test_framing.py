"""Where a body ends: Content-Length and Transfer-Encoding (RFC 9112, 6; RFC 9110, 8.6).

What is refused here is what two readers could understand as different numbers of requests.
"""

import pytest

from .dialogue import GET, NEXT, Wire, get, post, rows

CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"
SMUGGLED = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"

LENGTHS_REFUSED = rows(
    *(
        ("RFC 9110, 8.6", name, b"Content-Length: " + value)
        for name, value in {
            "a plus sign": b"+3",
            "minus zero": b"-0",
            "below zero": b"-3",
            "hexadecimal": b"0x3",
            "octal as Python writes it": b"0o3",
            "an underscore": b"3_0",
            "a fraction": b"3.0",
            "an exponent": b"3e0",
            "a letter behind": b"3a",
            "a blank within": b"3 3",
            "a tab within": b"3\t3",
            "a semicolon": b"3;",
            "a list of equal ones": b"3, 3",
            "a list of different ones": b"3, 4",
            "a list without blanks": b"3,3",
            "a comma behind": b"3,",
            "a comma before": b",3",
            "quotes": b'"3"',
            "nothing": b"",
            "blanks": b"   ",
            "NUL behind": b"3\x00",
            "a vertical tab before": b"\x0b3",
            "a form feed behind": b"3\x0c",
            "a bare CR behind": b"3\r",
            "a bare LF behind": b"3\n",
            "a digit of another script": b"\xd9\xa3",
            "a full-width digit": b"\xef\xbc\x93",
            "a superscript": b"\xb2",
            "words": b"three",
            "nineteen digits": b"9" * 19,
            "what fits into 64 bits": b"18446744073709551615",
            "what is 0 in 64 bits": b"18446744073709551616",
            "what is 3 in 64 bits": b"18446744073709551619",
            "thirty digits": b"3" * 30,
            "four thousand digits and more": b"3" * 5000,
        }.items()
    ),
    ("RFC 9112, 6.3", "two lines that differ", b"Content-Length: 3\r\nContent-Length: 4"),
    ("RFC 9112, 6.3", "two lines that are equal", b"Content-Length: 3\r\nContent-Length: 3"),
    ("RFC 9112, 6.3", "two lines in different case", b"Content-Length: 3\r\nCONTENT-LENGTH: 0"),
    ("RFC 9112, 6.3", "two lines of which one is empty", b"Content-Length: 3\r\nContent-Length:"),
    ("RFC 9112, 6.3", "two lines of zero", b"Content-Length: 0\r\nContent-Length: 0"),
    ("RFC 9112, 5.1", "a blank before the colon", b"Content-Length : 3"),
    ("RFC 9112, 5.2", "a folded line", b"Content-Length:\r\n 3"),
    ("RFC 9112, 5.2", "a longer number by folding", b"Content-Length: 3\r\n 0"),
)


@pytest.mark.parametrize("field", LENGTHS_REFUSED)
async def test_a_length_that_is_no_plain_number_is_answered_400_and_nothing_more_is_read(
    wire: Wire, field: bytes
) -> None:
    for body in (b"abc", SMUGGLED):
        heard = await wire.say(post(field, body=body) + NEXT)
        assert (heard.statuses, heard.closes, heard.seen) == ([400], True, [])


CODINGS_REFUSED = rows(
    *(
        ("RFC 9112, 6.1", name, [b"Transfer-Encoding:" + value], status)
        for name, value, status in (
            ("another coding", b" gzip", 400),
            ("another coding and chunked", b" gzip, chunked", 501),
            ("two other codings and chunked", b" x;a=b, gzip , chunked", 501),
            ("another coding that is none", b" g zip, chunked", 400),
            ("chunked and another coding", b" chunked, gzip", 400),
            ("a name that begins like another", b" xchunked", 400),
            ("a name that ends like another", b" chunkedx", 400),
            ("a name in parts", b" chun-ked", 400),
            ("identity, which is no more", b" identity", 400),
            ("chunked and identity", b" chunked, identity", 400),
            ("identity and chunked", b" identity, chunked", 400),
            ("chunked twice", b" chunked, chunked", 400),
            ("a comma behind", b" chunked,", 400),
            ("a comma before", b" ,chunked", 400),
            ("only a comma", b" ,", 400),
            ("nothing", b"", 400),
            ("blanks", b" \t ", 400),
            ("a parameter", b" chunked;q=1", 400),
            ("a semicolon", b" chunked;", 400),
            ("quotes", b' "chunked"', 400),
            ("single quotes", b" 'chunked'", 400),
            ("two words", b" chunked x", 400),
            ("a colon", b" : chunked", 400),
            ("an equals sign", b" =chunked", 400),
            ("a vertical tab before", b"\x0bchunked", 400),
            ("a blank and a vertical tab before", b" \x0bchunked", 400),
            ("a form feed behind", b" chunked\x0c", 400),
            ("NUL behind", b" chunked\x00", 400),
            ("a control before", b" \x01chunked", 400),
            ("a bare CR behind", b" chunked\r", 400),
            ("a bare LF before", b"\nchunked", 400),
            ("a no-break space before", b" \xa0chunked", 400),
            ("a no-break space behind", b" chunked\xa0", 400),
            ("a letter that is k in other scripts", b" chun\xe2\x84\xaaed", 400),
            ("a folded line", b"\r\n chunked", 400),
            ("a folded line that goes on", b" chunked\r\n , identity", 400),
        )
    ),
    (
        "RFC 9112, 6.1",
        "two lines",
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        400,
    ),
    (
        "RFC 9112, 6.1",
        "two lines, the second another",
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        400,
    ),
    (
        "RFC 9112, 6.1",
        "two lines, the first another",
        [b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"],
        501,
    ),
    (
        "RFC 9112, 6.1",
        "two lines, the second empty",
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding:"],
        400,
    ),
    ("RFC 9112, 5.1", "a blank before the colon", [b"Transfer-Encoding : chunked"], 400),
    ("RFC 9112, 5.1", "a tab before the colon", [b"Transfer-Encoding\t: chunked"], 400),
    ("RFC 9112, 5.1", "a vertical tab in the name", [b"Transfer-Encoding\x0b: chunked"], 400),
    ("RFC 9112, 5.2", "a field hidden by a fold", [b"X: a", b" Transfer-Encoding: chunked"], 400),
    ("RFC 9112, 2.2", "a field behind a bare LF", [b"X: a\nTransfer-Encoding: chunked"], 400),
    ("RFC 9112, 2.2", "a field behind a bare CR", [b"X: a\rTransfer-Encoding: chunked"], 400),
)


@pytest.mark.parametrize(("fields", "status"), CODINGS_REFUSED)
async def test_a_transfer_coding_that_is_not_plainly_chunked_is_refused(
    wire: Wire, fields: list[bytes], status: int
) -> None:
    heard = await wire.hear(post(*fields, body=CHUNKS) + NEXT)
    assert (heard.statuses, heard.closes, heard.seen) == ([status], True, [])


BOTH = rows(
    *(
        ("RFC 9112, 6.3", name, fields)
        for name, fields in {
            "length and chunked": [b"Content-Length: 3", b"Transfer-Encoding: chunked"],
            "chunked and length": [b"Transfer-Encoding: chunked", b"Content-Length: 3"],
            "a length of zero": [b"Content-Length: 0", b"Transfer-Encoding: chunked"],
            "other fields between": [b"Content-Length: 3", b"X: y", b"Transfer-Encoding: chunked"],
            "other case": [b"CONTENT-LENGTH: 3", b"transfer-encoding: CHUNKED"],
            "a tab": [b"Content-Length: 3", b"Transfer-Encoding:\tchunked"],
            "another coding": [b"Content-Length: 3", b"Transfer-Encoding: gzip"],
            "identity": [b"Content-Length: 3", b"Transfer-Encoding: identity"],
            "no coding": [b"Content-Length: 3", b"Transfer-Encoding:"],
            "chunked twice": [b"Content-Length: 3", b"Transfer-Encoding: chunked, chunked"],
        }.items()
    )
)


@pytest.mark.parametrize("fields", BOTH)
async def test_a_length_beside_a_transfer_coding_is_answered_400(
    wire: Wire, fields: list[bytes]
) -> None:
    for body in (CHUNKS, b"0\r\n\r\n" + SMUGGLED, b"5c\r\n" + SMUGGLED):
        heard = await wire.say(post(*fields, body=body) + NEXT)
        assert (heard.statuses, heard.closes, heard.seen) == ([400], True, [])


@pytest.mark.parametrize("fields", [b"", b"Connection: keep-alive\r\n", b"Content-Length: 13\r\n"])
async def test_http_1_0_has_no_transfer_coding(wire: Wire, fields: bytes) -> None:
    """RFC 9112, 6.1: its framing is to be treated as faulty."""
    head = b"POST / HTTP/1.0\r\n" + fields + b"Transfer-Encoding: chunked\r\n\r\n"
    heard = await wire.hear(head + CHUNKS + NEXT)
    assert (heard.statuses, heard.closes, heard.seen) == ([400], True, [])


TAKEN = rows(
    ("RFC 9112, 6.3", "no length is no body", post(), "POST / 1.1"),
    ("RFC 9110, 8.6", "a length", post(b"Content-Length: 3", body=b"abc"), "POST / 1.1 abc"),
    ("RFC 9110, 8.6", "zero", post(b"Content-Length: 0"), "POST / 1.1"),
    ("RFC 9110, 8.6", "many zeros", post(b"Content-Length: " + b"0" * 30), "POST / 1.1"),
    (
        "RFC 9110, 8.6",
        "zeros before",
        post(b"Content-Length: 00003", body=b"abc"),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9110, 8.6",
        "five thousand zeros before",
        post(b"Content-Length: " + b"0" * 5000 + b"3", body=b"abc"),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9110, 5.5",
        "blanks around",
        post(b"Content-Length: \t 3 \t", body=b"abc"),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9112, 6.1",
        "chunked",
        post(b"Transfer-Encoding: chunked", body=CHUNKS),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9112, 7",
        "in any case",
        post(b"TRANSFER-ENCODING: Chunked", body=CHUNKS),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9110, 5.5",
        "blanks around the coding",
        post(b"Transfer-Encoding:\t chunked \t", body=CHUNKS),
        "POST / 1.1 abc",
    ),
    ("RFC 9110, 9.3.1", "a GET with a body", get(b"Content-Length: 3") + b"abc", "GET / 1.1 abc"),
    (
        "RFC 9110, 9.3.8",
        "a TRACE with a body",
        b"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "TRACE / 1.1 abc",
    ),
    (
        "RFC 9112, 6.3",
        "a body that looks like a request",
        post(b"Content-Length: %d" % len(GET), body=GET),
        "POST / 1.1 " + GET.decode(),
    ),
    (
        "RFC 9112, 6.3",
        "one that looks like the end of a head",
        post(b"Content-Length: 6", body=b"\r\n\r\n\r\n"),
        "POST / 1.1 \r\n\r\n\r\n",
    ),
    (
        "RFC 9110, 5.1",
        "an underscore makes it another field",
        post(b"Content_Length: 5", b"Transfer_Encoding: chunked"),
        "POST / 1.1",
    ),
    (
        "RFC 9112, 6.3",
        "a length among the options is kept",
        post(b"Connection: content-length", b"Content-Length: 3", body=b"abc"),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9110, 7.8",
        "an upgrade to nothing we know, with a body",
        post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 3", body=b"abc"),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9110, 7.8",
        "the same in chunks",
        post(b"Connection: Upgrade", b"Upgrade: h2c", b"Transfer-Encoding: chunked", body=CHUNKS),
        "POST / 1.1 abc",
    ),
    (
        "RFC 9110, 7.8",
        "the same without a body",
        get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        "GET / 1.1",
    ),
)


@pytest.mark.parametrize(("request_", "seen"), TAKEN)
async def test_a_body_ends_where_it_says_and_the_next_request_begins_there(
    wire: Wire, request_: bytes, seen: str
) -> None:
    heard = await wire.hear(request_ + NEXT)
    assert (heard.statuses, heard.seen) == ([200, 200], [seen, "GET /next 1.1"])


@pytest.mark.parametrize(
    "framing", [[b"Content-Length: 3"], [b"Transfer-Encoding: chunked"]], ids=["length", "chunked"]
)
async def test_a_websocket_handshake_with_a_body_is_answered_400(
    wire: Wire, framing: list[bytes]
) -> None:
    """Nobody could tell the body from frames: RFC 6455, 4.1."""
    upgrade = [b"Connection: Upgrade", b"Upgrade: websocket", *framing]
    heard = await wire.hear(get(*upgrade) + CHUNKS + NEXT)
    assert (heard.statuses, heard.closes, heard.seen) == ([400], True, [])
