"""One HTTP request over ASGI."""

import asyncio
from typing import Any

import pytest

from ohia.adapters.asgi.http import HttpExchange
from ohia.errors import BadRequest, ClientDisconnect
from ohia.exchange import SocketOptions
from ohia.http.headers import Headers

from .wire import GONE, Wire, body, http_scope


def exchange_on(wire: Wire, **changes: Any) -> HttpExchange:
    return HttpExchange(http_scope(**changes), wire.receive, wire.send)


async def read_all(exchange: HttpExchange) -> list[bytes]:
    pieces = []
    while piece := await exchange.read():
        pieces.append(piece)
    return pieces


async def wait_gone(exchange: HttpExchange) -> None:
    await exchange.disconnected.wait()


async def test_the_body_comes_in_pieces_and_then_stays_empty() -> None:
    wire = Wire().feed(body(b"a", more=True), body(more=True), body(b"b", more=True), body())
    exchange = exchange_on(wire)
    assert await read_all(exchange) == [b"a", b"b"]
    assert await exchange.read() == b""
    assert wire.received == 4


async def test_nothing_is_received_before_somebody_asks() -> None:
    wire = Wire().feed(body(b"a"))
    exchange = exchange_on(wire)
    await exchange.send_response(200, "OK", Headers(), b"")  # type: ignore[misc]
    assert wire.received == 0


async def test_a_message_may_leave_out_what_is_default() -> None:
    assert await exchange_on(Wire().feed({"type": "http.request"})).read() == b""


async def test_a_body_that_is_cut_raises() -> None:
    exchange = exchange_on(Wire().feed(body(b"a", more=True), GONE))
    assert await exchange.read() == b"a"
    for _ in range(2):
        with pytest.raises(ClientDisconnect):
            await exchange.read()
    assert not exchange.can_send


async def test_a_server_that_cannot_be_read_any_more_counts_as_gone() -> None:
    async def receive() -> Any:
        raise RuntimeError("disconnected already")

    exchange = HttpExchange(http_scope(), receive, Wire().send)
    with pytest.raises(ClientDisconnect):
        await exchange.read()


@pytest.mark.parametrize("length", [b"5", b"3"])
async def test_a_body_that_the_server_lost_is_refused(length: bytes) -> None:
    """Uvicorn with httptools drops the body of a request for another protocol (#2722)."""
    headers = [(b"upgrade", b"h2c"), (b"content-length", length)]
    exchange = exchange_on(Wire().feed(body(b"ab")), headers=headers)
    with pytest.raises(BadRequest, match="shorter than its Content-Length"):
        await exchange.read()


async def test_a_whole_response_is_two_messages() -> None:
    wire = Wire()
    exchange = exchange_on(wire)
    headers = Headers({"Content-Type": "text/plain", "Set-Cookie": ["a=1", "b=2"]})
    await exchange.send_response(201, "Created", headers, b"hello")  # type: ignore[misc]
    assert wire.sent == [
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [
                (b"content-type", b"text/plain"),
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
                (b"content-length", b"5"),
            ],
        },
        {"type": "http.response.body", "body": b"hello", "more_body": False},
    ]
    assert not exchange.can_send
    assert not exchange.must_be_cut


async def test_framing_is_left_to_the_server() -> None:
    wire = Wire()
    headers = Headers(
        {
            "Connection": "close",
            "Keep-Alive": "timeout=5",
            "Transfer-Encoding": "chunked",
            "Upgrade": "h2c",
            "Content-Length": "0",
        }
    )
    await exchange_on(wire).send_response(200, "OK", headers, b"")  # type: ignore[misc]
    assert wire.sent[0]["headers"] == [(b"content-length", b"0")]


@pytest.mark.parametrize(
    ("version", "expected"), [("1.1", [(b"upgrade", b"websocket")]), ("2", [])]
)
async def test_a_426_names_what_to_upgrade_to_where_that_may_be_said(
    version: str, expected: list[tuple[bytes, bytes]]
) -> None:
    """RFC 9110, 15.5.22; RFC 9113, 8.2.2."""
    wire = Wire()
    exchange = exchange_on(wire, http_version=version)
    await exchange.send_response(426, "", Headers({"Upgrade": "websocket"}), b"")  # type: ignore[misc]
    assert wire.sent[0]["headers"] == expected


async def test_a_head_alone_is_pushed_out_by_an_empty_piece() -> None:
    wire = Wire()
    exchange = exchange_on(wire)
    await exchange.send_head(200, "OK", Headers())  # type: ignore[misc]
    assert wire.types == ["http.response.start", "http.response.body"]
    assert wire.sent[1] == {"type": "http.response.body", "body": b"", "more_body": True}
    exchange.close()


async def test_pieces_follow_in_order_and_the_end_ends() -> None:
    wire = Wire()
    exchange = exchange_on(wire)
    await exchange.send_head(200, "OK", Headers())  # type: ignore[misc]
    await exchange.send_piece(b"a")  # type: ignore[misc]
    await exchange.send_piece(b"b")  # type: ignore[misc]
    await exchange.end()  # type: ignore[misc]
    assert [(each["body"], each["more_body"]) for each in wire.sent[1:]] == [
        (b"", True),
        (b"a", True),
        (b"b", True),
        (b"", False),
    ]
    with pytest.raises(RuntimeError, match="over"):
        exchange.end()


async def test_a_second_head_is_an_error() -> None:
    exchange = exchange_on(Wire())
    await exchange.send_head(200, "OK", Headers())  # type: ignore[misc]
    with pytest.raises(RuntimeError, match="begun"):
        exchange.send_head(200, "OK", Headers())
    exchange.close()


async def test_a_stream_hears_that_the_client_has_gone_although_sending_is_silent() -> None:
    """No server but aiohttp and h2corn says so when something is sent."""
    wire = Wire().feed(body())
    exchange = exchange_on(wire)
    await exchange.send_head(200, "OK", Headers())  # type: ignore[misc]
    wire.feed(GONE)
    await wait_gone(exchange)
    with pytest.raises(ClientDisconnect):
        exchange.send_piece(b"a")
    assert not exchange.can_send
    assert not exchange.must_be_cut


async def test_a_piece_under_way_when_the_client_goes_raises_too() -> None:
    wire = Wire()
    exchange = exchange_on(wire)
    await exchange.send_head(200, "OK", Headers())  # type: ignore[misc]
    piece = exchange.send_piece(b"a")
    wire.feed(GONE)
    await wait_gone(exchange)
    with pytest.raises(ClientDisconnect):
        await piece  # type: ignore[misc]


async def test_an_oserror_from_send_is_the_clients_going_and_cancels_nobody() -> None:
    exchange = exchange_on(Wire(failure=ConnectionResetError()))
    task = asyncio.current_task()
    assert task is not None
    exchange.disconnected.add_callback(task.cancel)
    with pytest.raises(ClientDisconnect):
        await exchange.send_response(200, "OK", Headers(), b"a")  # type: ignore[misc]
    assert not exchange.can_send
    exchange.disconnected.remove_callback(task.cancel)
    await wait_gone(exchange)
    exchange.close()


async def test_a_mistake_that_the_server_found_is_no_going() -> None:
    exchange = exchange_on(Wire(failure=RuntimeError("too long")))
    with pytest.raises(RuntimeError, match="too long"):
        await exchange.send_response(200, "OK", Headers(), b"a")  # type: ignore[misc]
    assert exchange.must_be_cut


async def test_the_watch_reads_one_message_ahead_and_the_body_is_not_lost() -> None:
    wire = Wire().feed(body(b"a", more=True), body(b"b", more=True), body(b"c"))
    exchange = exchange_on(wire)
    gone = exchange.disconnected
    for _ in range(10):
        await asyncio.sleep(0)
    assert wire.received == 1
    assert await exchange.read() == b"a"
    assert await read_all(exchange) == [b"b", b"c"]
    assert not gone.is_set()
    wire.feed(GONE)
    await gone.wait()


async def test_the_watch_may_begin_while_the_body_is_being_read() -> None:
    wire = Wire()
    exchange = exchange_on(wire)
    reading = asyncio.create_task(read_all(exchange))
    await asyncio.sleep(0)
    gone = exchange.disconnected
    wire.feed(body(b"a"), GONE)
    assert await reading == [b"a"]
    await gone.wait()


async def test_an_unread_body_that_is_whole_does_not_hide_the_going() -> None:
    wire = Wire().feed(body(b"a"), GONE)
    exchange = exchange_on(wire)
    await wait_gone(exchange)
    assert await exchange.read() == b"a"


async def test_a_disconnect_behind_a_whole_response_is_no_going() -> None:
    wire = Wire().feed(body())
    exchange = exchange_on(wire)
    gone = exchange.disconnected
    await exchange.send_response(200, "OK", Headers(), b"")  # type: ignore[misc]
    wire.feed(GONE)  # uvicorn
    for _ in range(10):
        await asyncio.sleep(0)
    assert not gone.is_set()
    assert not exchange.disconnected.is_set()


async def test_close_ends_the_watch_and_every_sending() -> None:
    before = asyncio.all_tasks()
    exchange = exchange_on(Wire())
    assert not exchange.disconnected.is_set()
    assert len(asyncio.all_tasks()) == len(before) + 1
    exchange.close()
    exchange.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert exchange.target == "/a"
    with pytest.raises(RuntimeError, match="over"):
        exchange.send_response(200, "OK", Headers(), b"")


async def test_what_was_aborted_must_be_cut() -> None:
    exchange = exchange_on(Wire())
    await exchange.send_head(200, "OK", Headers())  # type: ignore[misc]
    exchange.abort()
    assert exchange.must_be_cut
    assert not exchange.can_send


async def test_an_http_scope_is_never_a_websocket() -> None:
    """A server without WebSockets hands the handshake over as plain HTTP."""
    headers = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    exchange = exchange_on(Wire(), headers=headers)
    assert not exchange.is_websocket
    with pytest.raises(RuntimeError, match="scopes of their own"):
        await exchange.upgrade(Headers(), None, SocketOptions())
