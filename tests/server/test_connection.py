"""The wire: framing, persistence, order, refusals, waits (RFC 9112, RFC 9110)."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohia.errors import ClientDisconnect, HTTPError
from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.server.connection import Connection
from ohia.server.exchange import ServerExchange
from ohia.server.limits import Limits, make_limits
from ohia.server.server import Server
from ohia.server.service import Service

Serve = Callable[..., AbstractAsyncContextManager[Server]]
Talk = Callable[[Server, bytes], Awaitable[bytes]]
Read = Callable[..., list[tuple[int, Headers, bytes]]]
Answer = Callable[[Exchange], Awaitable[None]]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def hello(exchange: Exchange) -> None:
    await sent(exchange.send_response(200, "OK", Headers({"Content-Type": "text/plain"}), b"hello"))


async def echo(exchange: Exchange) -> None:
    """Answer with the method, the target and the body; an error of the body with its status."""
    body = b""
    try:
        while piece := await exchange.read():
            body += piece
    except HTTPError as error:
        await sent(exchange.send_response(error.status, error.message, Headers(), b""))
        return
    text = f"{exchange.method} {exchange.target} {exchange.http_version} ".encode() + body
    await sent(exchange.send_response(200, "OK", Headers(), text))


async def stream(exchange: Exchange) -> None:
    await sent(exchange.send_head(200, "OK", Headers({"Content-Type": "text/plain"})))
    for piece in (b"one,", b"two,", b"three"):
        await sent(exchange.send_piece(piece))
    await sent(exchange.end())


async def sent(waiting: Awaitable[None] | None) -> None:
    if waiting is not None:
        await waiting


async def send_for_ever(exchange: Exchange) -> None:
    while True:
        await sent(exchange.send_piece(bytes(65536)))


def unreachable(exchange: Exchange) -> Awaitable[None]:
    raise AssertionError(exchange.target)


# --- Framing of responses


async def test_a_response_has_length_date_and_type(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    async with serve(hello) as server:
        data = await talk(server, GET)
    [(status, headers, body)] = read_responses(data, "GET")
    assert (status, body) == (200, b"hello")
    assert headers["content-length"] == "5"
    assert headers["date"].endswith(" GMT")
    assert "connection" not in headers


async def test_pieces_are_chunks(serve: Serve, talk: Talk, read_responses: Read) -> None:
    async with serve(stream) as server:
        data = await talk(server, GET)
    assert b"\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n" in data
    [(_, headers, body)] = read_responses(data, "GET")
    assert headers["transfer-encoding"] == "chunked"
    assert body == b"one,two,three"


async def test_pieces_for_http_1_0_end_with_the_connection(serve: Serve, talk: Talk) -> None:
    async with serve(stream) as server:
        data = await talk(server, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert b"Connection: close" in head
    assert body == b"one,two,three"


async def test_pieces_with_a_length_are_written_as_they_are(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers({"Content-Length": 6}))
        exchange.send_piece(b"abc")
        exchange.send_piece(b"def")
        exchange.end()

    async with serve(answer) as server:
        data = await talk(server, GET + LAST)
    assert [body for _, _, body in read_responses(data, "GET", "GET")] == [b"abcdef"] * 2


@pytest.mark.parametrize("declared", [None, 5])
async def test_the_answer_to_head_has_no_body(
    serve: Serve, talk: Talk, read_responses: Read, declared: int | None
) -> None:
    async def answer(exchange: Exchange) -> None:
        headers = Headers() if declared is None else Headers({"Content-Length": declared})
        exchange.send_response(200, "OK", headers, b"" if exchange.method == "HEAD" else b"hello")

    async with serve(answer) as server:
        data = await talk(server, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + LAST)
    first, second = read_responses(data, "HEAD", "GET")
    assert first[2] == b""
    assert first[1].get("content-length") == (None if declared is None else "5")
    assert second[2] == b"hello"


@pytest.mark.parametrize(
    ("status", "length", "written"),
    [
        (204, None, None),
        (204, 0, None),  # RFC 9110, 8.6
        (304, None, None),
        (304, 5, "5"),  # that of the 200 it stands for
        (205, None, "0"),  # RFC 9110, 15.3.6
    ],
)
async def test_a_status_without_a_body(
    serve: Serve,
    talk: Talk,
    read_responses: Read,
    status: int,
    length: int | None,
    written: str | None,
) -> None:
    async def answer(exchange: Exchange) -> None:
        headers = Headers() if length is None else Headers({"Content-Length": length})
        exchange.send_response(status, "Something", headers, b"")

    async with serve(answer) as server:
        data = await talk(server, GET + LAST)
    for known, headers, body in read_responses(data, "GET", "GET"):
        assert (known, body) == (status, b"")
        assert headers.get("content-length") == written
        assert "transfer-encoding" not in headers


async def test_connection_fields_of_the_application_are_not_written(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    async def answer(exchange: Exchange) -> None:
        headers = Headers({"Transfer-Encoding": "gzip", "Keep-Alive": "x", "Connection": "x"})
        headers["Set-Cookie"] = ["a=1", "b=2"]
        headers["Date"] = "today"
        exchange.send_response(200, "OK", headers, b"x")

    async with serve(answer) as server:
        data = await talk(server, GET)
    [(_, headers, _)] = read_responses(data, "GET")
    assert set(headers) == {"set-cookie", "date", "content-length"}
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert headers["date"] == "today"


async def test_an_upgrade_that_is_asked_for_is_named_as_connection_option(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    async def answer(exchange: Exchange) -> None:
        headers = Headers({"Connection": "Upgrade", "Upgrade": "websocket"})
        exchange.send_response(426, "Upgrade Required", headers, b"")  # RFC 9110, 15.5.22

    async with serve(answer) as server:
        data = await talk(server, GET)
    [(_, headers, _)] = read_responses(data, "GET")
    assert (headers["connection"], headers["upgrade"]) == ("Upgrade", "websocket")


async def test_close_of_the_application_ends_the_connection(serve: Serve, talk: Talk) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_response(200, "OK", Headers({"connection": "Close"}), b"x")

    async with serve(answer) as server:
        data = await talk(server, GET + GET)
    assert data.count(b"HTTP/1.1 200") == 1
    assert b"Connection: close\r\n" in data


async def test_a_large_body_is_not_copied_into_its_head(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    large = bytes(range(256)) * 4096

    async def answer(exchange: Exchange) -> None:
        await sent(exchange.send_response(200, "OK", Headers(), large))

    async with serve(answer) as server:
        data = await talk(server, GET + LAST)
    assert [body for _, _, body in read_responses(data, "GET", "GET")] == [large, large]


# --- What the application gets wrong


async def test_fewer_bytes_than_declared_cut_the_connection(serve: Serve, talk: Talk) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers({"Content-Length": 5}))
        exchange.send_piece(b"abc")
        with pytest.raises(RuntimeError, match="2 bytes short"):
            exchange.end()

    async with serve(answer) as server:
        assert (await everything(server, GET + GET)).count(b"HTTP/1.1") <= 1


async def test_more_bytes_than_declared_are_never_written(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers({"Content-Length": 3}))
        exchange.send_piece(b"abc")
        with pytest.raises(RuntimeError, match="3 bytes longer"):
            exchange.send_piece(b"def")
        with pytest.raises(ClientDisconnect):
            exchange.send_piece(b"def")

    async with serve(answer) as server:
        assert b"def" not in await everything(server, GET)


@pytest.mark.parametrize("body", [b"", b"four"])
async def test_a_whole_body_of_another_length_is_refused(serve: Serve, body: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        with pytest.raises(RuntimeError, match="its Content-Length 3"):
            exchange.send_response(200, "OK", Headers({"Content-Length": 3}), body)

    async with serve(answer) as server:
        assert await everything(server, GET) == b""


async def test_no_answer_cuts_the_connection(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        pass

    async with serve(answer) as server:
        assert await everything(server, GET) == b""


async def test_an_answer_without_its_end_cuts_the_connection(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())
        await sent(exchange.send_piece(b"abc"))

    async with serve(answer) as server:
        assert b"0\r\n\r\n" not in await everything(server, GET + GET)


async def test_a_reason_cannot_split_the_head(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        with pytest.raises(ValueError, match="reason"):
            exchange.send_response(200, "OK\r\nX: y", Headers(), b"")
        await hello(exchange)

    async with serve(answer) as server:
        assert b"X: y" not in await everything(server, LAST)


async def test_a_closed_exchange_keeps_its_facts_and_sends_nothing(serve: Serve) -> None:
    kept: list[Exchange] = []

    async def answer(exchange: Exchange) -> None:
        kept.append(exchange)
        await hello(exchange)

    async with serve(answer) as server:
        await everything(server, LAST)
    [exchange] = kept
    assert (exchange.method, exchange.headers["host"]) == ("GET", "a")
    assert not exchange.can_send
    assert not exchange.disconnected.is_set()
    with pytest.raises(RuntimeError, match="closed"):
        exchange.send_response(200, "OK", Headers(), b"")


async def everything(server: Server, data: bytes) -> bytes:
    """Return what comes until the connection is closed, or cut."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(data)
    known = b""
    try:
        while piece := await reader.read(65536):
            known += piece
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return known


# --- Requests


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET /a?b=%20c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /a?b=%20c 1.1 "),
        (b"GET / HTTP/1.0\r\n\r\n", b"GET / 1.0 "),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / 1.1 "),  # RFC 9112, 2.2
        (b"FOO!x / HTTP/1.1\r\nHost: a\r\n\r\n", b"FOO!x / 1.1 "),  # any token
        (b"DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n", b"DESCRIBE / 1.1 "),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", b"get / 1.1 "),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"CONNECT a:1 1.1 "),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"OPTIONS * 1.1 "),
        (b"GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET http://b/c 1.1 "),
        (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", b"GET / 1.1 "),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"GET / 1.1 "),  # RFC 9110, 7.2
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 \t\r\n\r\nabc", b"POST / 1.1 abc"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", b"POST / 1.1 "),
        (
            (
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                b'3;x="y;z" ; w\r\nabc\r\n02\r\nde\r\n000\r\nX-Trailer: 1\r\n\r\n'
            ),
            b"POST / 1.1 abcde",
        ),
        (
            (
                b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
                b"Content-Length: 3\r\n\r\nabc"
            ),
            b"POST / 1.1 abc",
        ),
    ],
)
async def test_a_request_is_read(
    serve: Serve, talk: Talk, request_: bytes, expected: bytes
) -> None:
    async with serve(echo) as server:
        data = await talk(server, request_)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\n" + expected)


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n" + body


MALFORMED = [
    # request line: RFC 9112, 3
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    (b"GET / HTTP/0.9\r\n\r\n", 505),
    (b"GET /\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    (b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET / RTSP/1.0\r\nHost: a\r\n\r\n", 400),
    (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET @evil HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 200),  # a path does no harm
    (b"\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\n\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00", 400),  # a TLS handshake
    # fields: RFC 9112, 5
    (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX\xe4: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n", 400),
    # Host: RFC 9112, 3.2
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: evil.com:x@good.com\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a:port\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: [::1]evil\r\n\r\n", 400),
    # lengths: RFC 9112, 6.3
    (post(b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"0\r\n\r\n"), 400),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (post(b"Content-Length: 3\r\nContent-Length: 4", b"abcd"), 400),
    (post(b"Content-Length: 3\r\nContent-Length: 3", b"abc"), 400),
    (post(b"Content-Length: 3, 3", b"abc"), 400),
    (post(b"Content-Length: +3", b"abc"), 400),
    (post(b"Content-Length: -3", b"abc"), 400),
    (post(b"Content-Length: 0x3", b"abc"), 400),
    (post(b"Content-Length: 3 3", b"abc"), 400),
    (post(b"Content-Length: 3_0", b"abc"), 400),
    (post(b"Content-Length: \xb2", b"abc"), 400),
    (post(b"Content-Length:", b"abc"), 400),
    (post(b"Content-Length : 3", b"abc"), 400),
    (post(b"Content-Length: " + b"9" * 40), 400),
    (post(b"Transfer-Encoding: gzip", b"0\r\n\r\n"), 501),
    (post(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"), 501),
    (post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"), 501),
    (post(b"Transfer-Encoding: identity", b"0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding:", b"0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding : chunked", b"0\r\n\r\n"), 400),
    # chunks: RFC 9112, 7.1
    (post(b"Transfer-Encoding: chunked", b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b" 3\r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"\r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"3\nabc\n0\n\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"3;a\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"3;a\x00\r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"3\r\nabc0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"3\r\nabcd\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"f" * 17 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"0\r\nno trailer\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"0\r\nX: a\n\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"3;" + b"a" * 5000 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    (post(b"Transfer-Encoding: chunked", b"1;" + b"a" * 999 + b"\r\nx\r\n" * 40), 400),
    (post(b"Transfer-Encoding: chunked", b"0\r\n" + b"X: y\r\n" * 5000), 400),
    # expectations: RFC 9110, 10.1.1
    (post(b"Content-Length: 3\r\nExpect: 200-ok", b"abc"), 417),
    # a handshake has no body
    (
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Content-Length: 3\r\n\r\nabc"
        ),
        400,
    ),
]


@pytest.mark.parametrize(("request_", "status"), MALFORMED)
async def test_a_malformed_request_is_refused_and_nothing_after_it_is_read(
    serve: Serve, request_: bytes, status: int
) -> None:
    async with serve(echo) as server:
        data = await everything(server, request_ + GET)
    assert data.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in data
    assert data.count(b"HTTP/1.1") == 1


async def test_a_refusal_has_a_short_text(serve: Serve, talk: Talk, read_responses: Read) -> None:
    async with serve(unreachable) as server:
        data = await talk(server, b"GET / HTTP/1.1\r\n\r\n")
    [(status, headers, body)] = read_responses(data, "GET")
    assert (status, body) == (400, b"Bad Request")
    assert headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_refusal_comes_after_the_answers_before_it(serve: Serve, talk: Talk) -> None:
    async with serve(hello) as server:
        data = await talk(server, GET + GET + b"GET /\x00\r\n\r\n")
    assert data.count(b"HTTP/1.1 200") == 2
    assert data.index(b"HTTP/1.1 400") > data.rindex(b"HTTP/1.1 200")


async def test_fields_lose_their_blanks(serve: Serve) -> None:
    seen: list[str | None] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(exchange.headers.get("x"))
        await hello(exchange)

    async with serve(answer) as server:
        await everything(server, LAST[:-2] + b"X: \t a b \t \r\n\r\n")
    assert seen == ["a b"]


async def test_trailers_are_no_fields(serve: Serve) -> None:
    seen: list[Headers] = []

    async def answer(exchange: Exchange) -> None:
        await echo(exchange)
        seen.append(exchange.headers)

    body = b"1\r\nx\r\n0\r\nAuthorization: me\r\n\r\n"
    async with serve(answer) as server:
        await everything(server, post(b"Connection: close\r\nTransfer-Encoding: chunked", body))
    assert [list(each) for each in seen] == [["host", "connection", "transfer-encoding"]]


# --- The connection's life


async def test_http_1_0_persists_only_on_demand(serve: Serve, talk: Talk) -> None:
    async with serve(hello) as server:
        once = await talk(server, b"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n")
        keep = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        twice = await talk(server, keep + keep)
    assert once.count(b"200 OK") == 1
    assert b"Connection: close" in once
    assert twice.count(b"200 OK") == 2
    assert twice.count(b"Connection: keep-alive") == 2


async def test_what_is_sent_ahead_is_answered_in_order_one_at_a_time(
    serve: Serve, talk: Talk, read_responses: Read
) -> None:
    running = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        await echo(exchange)
        running -= 1

    ahead = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" % n for n in range(500)
    )
    async with serve(answer) as server:
        data = await talk(server, ahead)
    bodies = [body for _, _, body in read_responses(data, *["POST"] * 500)]
    assert bodies == [b"POST /%d 1.1 x" % n for n in range(500)]


async def test_a_client_that_ends_its_side_is_still_answered(serve: Serve, talk: Talk) -> None:
    async def answer(exchange: Exchange) -> None:
        await asyncio.get_running_loop().run_in_executor(None, sum, range(100_000))
        await stream(exchange)

    async with serve(answer) as server:
        data = await talk(server, GET)
    assert data.endswith(b"0\r\n\r\n")


async def test_a_client_that_has_gone_is_told_of_while_nothing_is_written(serve: Serve) -> None:
    told = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.disconnected.wait()
        assert not exchange.can_send
        told.set()

    async with serve(answer) as server:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        writer.close()
        await told.wait()


async def test_a_client_that_stops_reading_a_stream_is_told_of(serve: Serve) -> None:
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())
        with pytest.raises(ClientDisconnect):
            await send_for_ever(exchange)
        told.set_result(exchange.disconnected.is_set())

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        await reader.readexactly(100)
        writer.transport.abort()
        assert await told


async def test_sending_waits_for_a_client_that_does_not_read(serve: Serve) -> None:
    waits: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())
        count = 0
        while (waiting := exchange.send_piece(bytes(65536))) is None:
            count += 1
        waits.set_result(count)
        with pytest.raises(ClientDisconnect):
            await waiting

    async with serve(answer) as server:
        _, writer = await asyncio.open_connection(*server.address, limit=1)
        writer.write(GET)
        assert await waits < 1000
        writer.transport.abort()


async def test_a_body_that_the_client_cuts_is_told_to_the_reader(serve: Serve) -> None:
    errors: list[Exception] = []
    pieces: list[bytes] = []

    async def answer(exchange: Exchange) -> None:
        pieces.append(await exchange.read())
        try:
            await exchange.read()
        except ClientDisconnect as error:
            errors.append(error)
        assert exchange.disconnected.is_set()

    async with serve(answer) as server:
        assert await everything_after_eof(server, post(b"Content-Length: 9", b"abc")) == b""
    assert pieces == [b"abc"]
    assert len(errors) == 1


async def everything_after_eof(server: Server, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(data)
    writer.write_eof()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("size", [0, 10, 60_000])
async def test_a_small_unread_body_is_dropped_and_the_connection_goes_on(
    serve: Serve, talk: Talk, read_responses: Read, size: int
) -> None:
    async with serve(hello) as server:
        data = await talk(server, post(b"Content-Length: %d" % size, bytes(size)) + GET)
    assert [status for status, _, _ in read_responses(data, "POST", "GET")] == [200, 200]


async def test_a_large_unread_body_ends_the_connection_but_not_the_answer(serve: Serve) -> None:
    async with serve(hello) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(post(b"Content-Length: 9000000", bytes(1_000_000)))
        data = await reader.read()
        writer.close()
    assert data.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in data
    assert data.endswith(b"hello")


async def test_an_unread_body_without_end_ends_the_connection(serve: Serve) -> None:
    async with serve(hello) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(post(b"Transfer-Encoding: chunked", b"fff\r\n" + bytes(4095) + b"\r\n"))
        for _ in range(40):
            writer.write(b"fff\r\n" + bytes(4095) + b"\r\n")
        data = await reader.read()
        writer.close()
    assert data.endswith(b"hello")


async def stuck(writer: asyncio.StreamWriter) -> None:
    """Return when nothing more of what was written goes out."""
    left = -1
    while left != (left := writer.transport.get_write_buffer_size()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)  # the kernel tells nobody


async def test_reading_stops_while_nobody_takes_the_body(serve: Serve) -> None:
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def answer(exchange: Exchange) -> None:
        await go_on.wait()
        while piece := await exchange.read():
            sizes.append(len(piece))
        await hello(exchange)

    size = 40_000_000
    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(post(b"Connection: close\r\nContent-Length: %d" % size))
        writer.write(bytes(size))
        await stuck(writer)
        go_on.set()
        assert (await reader.read()).endswith(b"hello")
        writer.close()
    assert sum(sizes) == size
    assert sizes[0] < 1_000_000


# --- Expect


async def test_continue_is_sent_when_the_body_is_wanted(serve: Serve) -> None:
    async with serve(echo) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(post(b"Content-Length: 3\r\nExpect: 100-Continue\r\nConnection: close"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await reader.read()).endswith(b"POST / 1.1 abc")
        writer.close()


async def test_continue_is_not_sent_for_a_body_that_is_there(serve: Serve, talk: Talk) -> None:
    async with serve(echo) as server:
        data = await talk(server, post(b"Content-Length: 3\r\nExpect: 100-continue", b"abc"))
    assert data.startswith(b"HTTP/1.1 200")


async def test_without_a_reader_the_answer_comes_at_once_and_is_the_last(serve: Serve) -> None:
    async with serve(hello) as server:
        data = await everything(server, post(b"Content-Length: 3\r\nExpect: 100-continue"))
    assert data.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in data


async def test_http_1_0_gets_no_continue(serve: Serve, talk: Talk) -> None:
    request = b"POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"
    async with serve(echo) as server:
        assert (await talk(server, request)).startswith(b"HTTP/1.1 200")


# --- Limits


@pytest.mark.parametrize(
    ("limits", "request_", "status"),
    [
        ({"max_target": 20}, b"GET /" + b"a" * 20 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ({"max_target": 20}, b"GET /" + b"a" * 2000, 414),
        ({"max_target": 20}, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ({"max_head": 100}, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 99 + b"\r\n\r\n", 431),
        ({"max_head": 100}, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 99, 431),
        ({"max_headers": 2}, b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n", 431),
        ({}, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 2000 + b"\r\n", 431),
        ({}, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 900_000 + b"\r\n\r\n", 431),
        ({}, b"GET /" + b"a" * 900_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ({"max_request_body": 5}, post(b"Content-Length: 6"), 413),
        (
            {"max_request_body": 5},
            post(b"Transfer-Encoding: chunked", b"3\r\nabc\r\n3\r\ndef\r\n"),
            413,
        ),
        ({"head_timeout": 0.04}, b"GET / HTTP/1.1\r\nHost:", 408),
        ({"body_timeout": 0.04}, post(b"Content-Length: 3", b"a"), 408),
    ],
)
async def test_a_limit_has_an_answer_of_its_own(
    serve: Serve, limits: dict[str, float], request_: bytes, status: int
) -> None:
    async with serve(echo, **limits) as server:
        data = await everything(server, request_)
    assert data.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in data


@pytest.mark.parametrize(
    ("limits", "request_", "status"),
    [
        ({"max_target": 21}, b"GET /" + b"a" * 20 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ({"max_head": 27}, GET, 200),
        ({"max_head": 26}, GET, 431),
        ({"max_headers": 1}, GET, 200),
        ({"max_headers": 0}, GET, 431),
        ({"max_request_body": 3}, post(b"Content-Length: 3", b"abc"), 200),
        (
            {"max_request_body": 3},
            post(b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n"),
            200,
        ),
        (
            {"max_target": None, "max_head": None, "max_headers": None},
            b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 999 + b"\r\n",
            200,
        ),
    ],
)
async def test_a_limit_is_exact(
    serve: Serve, talk: Talk, limits: dict[str, int | None], request_: bytes, status: int
) -> None:
    async with serve(echo, **limits) as server:
        assert (await talk(server, request_)).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("limits", [{"idle_timeout": 0.04}, {"head_timeout": 0.04}])
async def test_an_idle_connection_is_closed_without_a_word(
    serve: Serve, limits: dict[str, float]
) -> None:
    request = GET if "idle_timeout" in limits else b""
    async with serve(hello, **limits) as server:
        data = await everything(server, request)
    assert data.count(b"HTTP/1.1") == (1 if request else 0)


async def test_a_client_that_takes_nothing_is_cut(serve: Serve) -> None:
    gone = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        waiting = exchange.send_response(200, "OK", Headers(), bytes(40_000_000))
        assert waiting is not None
        with pytest.raises(ClientDisconnect):
            await waiting
        gone.set()

    async with serve(answer, body_timeout=0.05) as server:
        _, writer = await asyncio.open_connection(*server.address, limit=1)
        writer.write(GET)
        await gone.wait()
        writer.close()


async def test_one_connection_too_many_is_answered_503(serve: Serve) -> None:
    async with serve(hello, max_connections=1) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        await reader.readuntil(b"hello")
        assert (await everything(server, GET)).startswith(b"HTTP/1.1 503 ")
        writer.close()


# --- Isolation and cost


async def test_requests_of_one_connection_do_not_share_context_variables(
    serve: Serve, talk: Talk
) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(variable.get())
        variable.set(exchange.target)
        await echo(exchange)

    ahead = post(b"Content-Length: 100000", bytes(100_000))
    async with serve(answer) as server:
        await talk(server, GET + ahead + GET)
    assert seen == ["unset"] * 3


async def test_a_request_leaves_nothing_for_the_cycle_collector(serve: Serve) -> None:
    kept: list[int] = []

    async def answer(exchange: Exchange) -> None:
        kept.append(id(exchange))
        assert exchange.disconnected is exchange.disconnected
        assert exchange.headers is exchange.headers
        await echo(exchange)

    async with serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                writer.write(post(b"Content-Length: 3", b"abc"))
                await reader.readuntil(b"abc")
            left = sum(isinstance(each, ServerExchange) for each in gc.get_objects())
        finally:
            gc.enable()
            writer.close()
    assert len(kept) == 20
    assert left <= 1


async def test_a_refused_request_leaves_nothing_in_the_parser_that_all_share(
    serve: Serve, talk: Talk
) -> None:
    async with serve(hello) as server:
        for request in (
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
            GET[:-4] + b"\x00\r\n\r\n",
        ):
            assert b" 400 " in await everything(server, request)
            assert b" 200 " in await talk(server, GET)


# --- Any cut of the stream is the same


class MemoryTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


CONVERSATION = (
    GET
    + b"\r\n"
    + post(b"Content-Length: 5", b"ab\r\n\r")
    + post(b"Transfer-Encoding: chunked", b"2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nX: y\r\n\r\n")
    + b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n"
    + b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n"
    + b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    + post(b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3", b"abc")
    + b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)


async def hold(pieces: list[bytes], application: Callable[[Answer], Any]) -> bytes:
    """Return what a connection answers to `pieces`, without its dates."""
    service = Service(application(echo), Limits(), asyncio.get_running_loop())
    service.date = "Date: x\r\n"
    transport = MemoryTransport()
    connection = Connection(service)
    connection.connection_made(transport)
    for piece in pieces:
        if not transport.closed:
            connection.data_received(piece)
        await turns(3)
    await turns(40)
    connection.connection_lost(None)
    service.stop()
    await turns(3)
    return transport.written


async def turns(count: int) -> None:
    """Let the loop run what is ready."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_every_cut_of_a_conversation_gives_the_same_answers(
    application: Callable[[Answer], Any],
) -> None:
    async def compare() -> None:
        whole = await hold([CONVERSATION], application)
        assert whole.count(b"HTTP/1.1 200 OK") == 8
        assert await hold([bytes([each]) for each in CONVERSATION], application) == whole
        for cut in range(1, len(CONVERSATION)):
            assert await hold([CONVERSATION[:cut], CONVERSATION[cut:]], application) == whole

    asyncio.run(compare())


@pytest.mark.parametrize(("request_", "status"), MALFORMED)
def test_every_cut_of_a_malformed_request_is_refused(
    application: Callable[[Answer], Any], request_: bytes, status: int
) -> None:
    async def compare() -> None:
        for cut in range(1, min(len(request_), 150)):
            data = await hold([request_[:cut], request_[cut:]], application)
            assert data.startswith(b"HTTP/1.1 %d " % status), cut

    asyncio.run(compare())


PARTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a HTTP/1.1\r\n",
        b"HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"Connection: close\r\n",
        b"Content-Length: 3\r\n",
        b"Expect: 100-continue\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"abc",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\x00",
        b"\xff",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PARTS | st.binary(max_size=8), max_size=12))
def test_no_input_makes_the_connection_fail(parts: list[bytes]) -> None:
    class Application:
        draining = False

        async def handle(self, exchange: Exchange) -> None:
            try:
                await echo(exchange)
            except ClientDisconnect:
                exchange.abort()
            finally:
                exchange.close()

        async def startup(self) -> None: ...
        async def shutdown(self) -> None: ...

    async def talk(pieces: list[bytes]) -> bytes:
        service = Service(Application(), Limits(), asyncio.get_running_loop())
        service.date = ""
        transport = MemoryTransport()
        connection = Connection(service)
        connection.connection_made(transport)
        for piece in pieces:
            if not transport.closed:
                connection.data_received(piece)
            await turns(8)
        connection.eof_received()
        connection.connection_lost(None)
        service.stop()
        await turns(4)
        return transport.written.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")

    whole = b"".join(parts)
    assert asyncio.run(talk([whole])) == asyncio.run(talk(parts))


def test_an_unknown_limit_is_named_with_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"'max_heads'; its limits are max_target, max_head, "):
        make_limits({"max_heads": 1})


@pytest.mark.parametrize(("name", "value"), [("max_head", "1"), ("max_head", 1.5), ("grace", True)])
def test_a_limit_takes_a_number(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{name} takes"):
        make_limits({name: value})


def test_a_limit_is_not_below_zero() -> None:
    with pytest.raises(ValueError, match="cannot be below zero"):
        make_limits({"grace": -1})
