"""A WebSocket handshake over ASGI: refused like any request, or accepted."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ohia.adapters.asgi import outgoing
from ohia.adapters.asgi.websocket import MAX_REFUSAL, WebSocketExchange
from ohia.errors import ClientDisconnect
from ohia.exchange import SocketOptions
from ohia.http.headers import Headers

from .wire import CONNECT, Wire, left, websocket_scope

GRANIAN: dict[str, object] = {"http.response.pathsend": {}, "websocket.http.response": {}}


@pytest.fixture(autouse=True)
def forget_warnings() -> Iterator[None]:
    outgoing._warned.clear()
    yield
    outgoing._warned.clear()


def exchange_on(wire: Wire, **changes: Any) -> WebSocketExchange:
    return WebSocketExchange(websocket_scope(**changes), wire.receive, wire.send)


async def test_a_handshake_is_a_get_without_a_body() -> None:
    wire = Wire().feed(CONNECT)
    exchange = exchange_on(wire)
    assert (exchange.method, exchange.is_websocket) == ("GET", True)
    assert await exchange.read() == b""
    assert wire.received == 0


async def test_the_fields_of_the_handshake_read_as_the_client_sent_them() -> None:
    exchange = exchange_on(Wire(), subprotocols=["chat"])
    assert exchange.headers["connection"] == "keep-alive, Upgrade"
    assert exchange.headers["upgrade"] == "websocket"
    assert exchange.headers["sec-websocket-protocol"] == "chat"


async def test_what_http_2_has_no_field_for_reads_all_the_same() -> None:
    exchange = exchange_on(Wire(), http_version="2", headers=[])
    assert exchange.headers["connection"] == "Upgrade"
    assert exchange.headers["upgrade"] == "websocket"
    assert "sec-websocket-protocol" not in exchange.headers


async def test_offered_subprotocols_are_split_once_more() -> None:
    """Granian up to 2.7 gave `["a, b"]`."""
    exchange = exchange_on(Wire(), subprotocols=["a,b", "c"])
    assert exchange.headers["sec-websocket-protocol"] == "a, b, c"


async def test_a_refusal_is_a_start_and_exactly_one_body() -> None:
    wire = Wire().feed(CONNECT)
    exchange = exchange_on(wire)
    headers = Headers(
        {
            "Content-Type": "application/json",
            "Content-Length": "2",
            "Set-Cookie": ["a=1", "b=2"],
            "Connection": "close",
        }
    )
    await exchange.send_response(401, "", headers, b"{}")  # type: ignore[misc]
    assert wire.sent == [
        {
            "type": "websocket.http.response.start",
            "status": 401,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", b"2"),
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
            ],
        },
        {"type": "websocket.http.response.body", "body": b"{}", "more_body": False},
    ]
    assert wire.received == 1
    assert not exchange.must_be_cut


async def test_a_streamed_refusal_is_sent_as_a_whole() -> None:
    wire = Wire().feed(CONNECT)
    exchange = exchange_on(wire)
    assert exchange.send_head(200, "OK", Headers()) is None
    assert exchange.send_piece(b"a") is None
    assert exchange.send_piece(b"b") is None
    assert wire.sent == []
    await exchange.end()  # type: ignore[misc]
    assert wire.sent[0]["headers"] == [(b"content-length", b"2")]
    assert wire.sent[1]["body"] == b"ab"
    assert len(wire.sent) == 2


async def test_a_refusal_that_never_ends_does_not_fill_the_memory() -> None:
    exchange = exchange_on(Wire().feed(CONNECT))
    exchange.send_head(200, "OK", Headers())
    exchange.send_piece(bytes(MAX_REFUSAL))
    with pytest.raises(ValueError, match="too long"):
        exchange.send_piece(b"a")


async def test_a_refusal_needs_a_head_and_only_one() -> None:
    exchange = exchange_on(Wire().feed(CONNECT))
    with pytest.raises(RuntimeError, match="no head"):
        await exchange.end()  # type: ignore[misc]
    exchange.send_head(200, "OK", Headers())
    with pytest.raises(RuntimeError, match="begun"):
        exchange.send_head(200, "OK", Headers())


async def test_a_server_without_refusals_can_only_answer_403(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Daphne, gunicorn, saltare, peregrine."""
    for _ in range(2):
        wire = Wire().feed(CONNECT)
        exchange = exchange_on(wire, extensions=None)
        await exchange.send_response(401, "", Headers(), b"no")  # type: ignore[misc]
        assert wire.types == ["websocket.close"]
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "403" in warnings[0].getMessage()


async def test_granian_never_gets_two_equal_names(caplog: pytest.LogCaptureFixture) -> None:
    """Two equal names in a refusal end its whole process."""
    wire = Wire().feed(CONNECT)
    exchange = exchange_on(wire, extensions=GRANIAN)
    headers = Headers(
        {
            "WWW-Authenticate": ["Basic", "Bearer"],
            "Set-Cookie": ["a=1", "b=2"],
            "Upgrade": "websocket",
            "Content-Length": "0",
        }
    )
    await exchange.send_response(401, "", headers, b"")  # type: ignore[misc]
    assert wire.sent[0]["headers"] == [
        (b"www-authenticate", b"Basic, Bearer"),
        (b"set-cookie", b"a=1"),
        (b"content-length", b"0"),
    ]
    assert "first Set-Cookie" in caplog.text


@pytest.mark.parametrize(("cookie", "count"), [("a=1", 1), (None, 0)])
async def test_granian_loses_the_cookies_of_an_upgrade_and_that_is_said(
    caplog: pytest.LogCaptureFixture, cookie: str | None, count: int
) -> None:
    exchange = exchange_on(Wire().feed(CONNECT), extensions=GRANIAN)
    headers = Headers({} if cookie is None else {"Set-Cookie": cookie})
    await exchange.upgrade(headers, None, SocketOptions())
    assert len(caplog.records) == count
    exchange.close()


async def test_an_upgrade_takes_connect_first_and_sends_headers_and_subprotocol() -> None:
    wire = Wire().feed(CONNECT)
    exchange = exchange_on(wire)
    headers = Headers(
        {
            "Set-Cookie": ["a=1", "b=2"],
            "Sec-WebSocket-Protocol": "evil",
            "Sec-WebSocket-Extensions": "x",
            "Connection": "close",
            "Content-Length": "3",
        }
    )
    socket = await exchange.upgrade(headers, "chat", SocketOptions())
    assert wire.sent == [
        {
            "type": "websocket.accept",
            "subprotocol": "chat",
            "headers": [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")],
        }
    ]
    assert socket.subprotocol == "chat"
    with pytest.raises(RuntimeError, match="answered"):
        exchange.send_response(200, "OK", Headers(), b"")
    exchange.close()
    assert not exchange.must_be_cut


async def test_a_client_that_went_before_the_answer_is_gone() -> None:
    exchange = exchange_on(Wire().feed(left(1006)))
    with pytest.raises(ClientDisconnect):
        await exchange.upgrade(Headers(), None, SocketOptions())
    assert not exchange.can_send
    assert not exchange.must_be_cut


async def test_the_going_is_heard_before_the_answer() -> None:
    wire = Wire().feed(CONNECT, left(1006))
    exchange = exchange_on(wire)
    await exchange.disconnected.wait()
    with pytest.raises(ClientDisconnect):
        exchange.send_response(200, "OK", Headers(), b"")


async def test_without_an_answer_the_server_has_to_cut() -> None:
    exchange = exchange_on(Wire().feed(CONNECT))
    exchange.abort()
    exchange.close()
    assert exchange.must_be_cut
    assert not exchange.can_send
