"""An upgraded exchange over ASGI."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ohia.adapters.asgi import socket as module
from ohia.adapters.asgi.socket import AsgiSocket
from ohia.adapters.asgi.websocket import WebSocketExchange
from ohia.errors import WebSocketClosed
from ohia.exchange import SocketOptions
from ohia.http.headers import Headers

from .wire import CONNECT, Wire, left, text, websocket_scope


@pytest.fixture
def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every send return what waits until the server has taken the message."""
    monkeypatch.setattr(module, "ENOUGH", -1)


@asynccontextmanager
async def socket_on(wire: Wire, **options: Any) -> AsyncIterator[AsgiSocket]:
    wire.feed(CONNECT)
    exchange = WebSocketExchange(websocket_scope(), wire.receive, wire.send)
    socket = await exchange.upgrade(Headers(), None, SocketOptions(**options))
    wire.sent.clear()
    before = asyncio.all_tasks()
    yield socket
    exchange.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


async def test_messages_are_text_or_bytes() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.feed(
            text("a"),
            {"type": "websocket.receive", "bytes": b"b"},
            {"type": "websocket.receive", "bytes": None, "text": "c"},  # hypercorn
            {"type": "websocket.receive", "bytes": b"", "text": None},
        )
        assert [await socket.receive() for _ in range(4)] == ["a", b"b", "c", b""]


@pytest.mark.usefixtures("_full")
async def test_sending_keeps_the_order_of_calls_awaited_or_not() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        socket.send("a")
        await socket.send(b"b")  # type: ignore[misc]
        socket.send("é")
        await socket.send("c")  # type: ignore[misc]
        assert wire.sent == [
            {"type": "websocket.send", "text": "a"},
            {"type": "websocket.send", "bytes": b"b"},
            {"type": "websocket.send", "text": "é"},
            {"type": "websocket.send", "text": "c"},
        ]


async def test_only_more_than_the_outbox_holds_makes_a_sender_wait() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.is_blocked = True
        assert socket.send(b"a" * module.ENOUGH) is None
        waiting = socket.send(b"b")
        assert waiting is not None
        wire.let_through.set()
        await waiting
        assert [len(each["bytes"]) for each in wire.sent] == [module.ENOUGH, 1]


async def test_a_send_that_fails_ends_the_socket_although_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SHORTLY", 0)
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.failure = OSError()
        assert socket.send("a") is None
        await socket.wait_closed()
        assert socket.close_code == 1006


async def test_what_was_not_awaited_goes_out_before_the_close() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        socket.send("a")
        closing = asyncio.create_task(socket.close(4001, "bye"))
        await wire.until_sent(2)
        wire.feed(left(1000))
        await closing
        assert wire.sent == [
            {"type": "websocket.send", "text": "a"},
            {"type": "websocket.close", "code": 4001, "reason": "bye"},
        ]


@pytest.mark.usefixtures("_full")
async def test_back_pressure_is_told_by_the_awaitable_and_by_buffered() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.is_blocked = True
        waiting = asyncio.ensure_future(socket.send("é" * 10))  # type: ignore[arg-type]
        socket.send(b"1234")
        assert socket.buffered == 24
        await asyncio.sleep(0)
        assert not waiting.done()
        wire.let_through.set()
        await waiting
        await wire.until_sent(2)
        await socket.send("")  # type: ignore[misc]
        assert socket.buffered == 0


async def test_the_peers_close_ends_receiving_with_its_code() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        assert socket.close_code is None
        wire.feed(text("a"), left(4005, "reas"))
        assert await socket.receive() == "a"
        for _ in range(2):
            with pytest.raises(WebSocketClosed) as caught:
                await socket.receive()
            assert (caught.value.code, caught.value.reason) == (4005, "reas")
        assert socket.close_reason == "reas"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "websocket.disconnect", "code": None}, 1005),  # daphne, an empty Close
        ({"type": "websocket.disconnect"}, 1005),
        ({"type": "websocket.disconnect", "code": 1006}, 1006),
        ({"type": "websocket.disconnect", "code": 1000, "reason": None}, 1000),
    ],
)
async def test_close_codes_are_never_missing(message: dict[str, Any], code: int) -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.feed(message)
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (code, "")


async def test_sending_after_the_peer_left_raises_although_servers_are_silent() -> None:
    """Granian, hypercorn and daphne swallow it."""
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.feed(text("unread"), left(1001))
        await socket.wait_closed()
        with pytest.raises(WebSocketClosed):
            socket.send("a")
        assert await socket.receive() == "unread"


@pytest.mark.usefixtures("_full")
async def test_a_send_that_waits_raises_when_the_peer_leaves() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.is_blocked = True
        sending = asyncio.ensure_future(socket.send("a"))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        wire.feed(left(1001))
        with pytest.raises(WebSocketClosed) as caught:
            await sending
        assert caught.value.code == 1001
        assert socket.buffered == 0


@pytest.mark.usefixtures("_full")
@pytest.mark.parametrize("failure", [OSError(), RuntimeError("gunicorn"), asyncio.CancelledError()])
async def test_a_send_that_fails_ends_the_socket(
    failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHORTLY", 0)
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.failure = failure
        with pytest.raises(WebSocketClosed) as caught:
            await socket.send("a")  # type: ignore[misc]
        assert caught.value.code == 1006


@pytest.mark.usefixtures("_full")
async def test_a_send_that_fails_ends_with_the_code_that_is_on_its_way() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.failure = OSError()  # uvicorn, while the peer's Close waits in its queue
        sending = asyncio.ensure_future(socket.send("a"))  # type: ignore[arg-type]
        for _ in range(3):
            await asyncio.sleep(0)
        wire.feed(left(4005))
        with pytest.raises(WebSocketClosed) as caught:
            await sending
        assert caught.value.code == 4005


async def test_closing_waits_for_the_servers_report_and_keeps_our_code() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        closing = asyncio.create_task(socket.close(4001, "bye"))
        await wire.until_sent(1)
        wire.feed(left(1000))  # hypercorn answers every close of ours with 1000
        await closing
        assert (socket.close_code, socket.close_reason) == (4001, "bye")


async def test_a_server_that_reports_nothing_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SHORTLY", 0)
    async with socket_on(Wire()) as socket:
        await socket.close()
        assert socket.close_code == 1000
        await socket.wait_closed()


async def test_closing_twice_sends_one_close_and_both_wait() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        first = asyncio.create_task(socket.close(4001))
        second = asyncio.create_task(socket.close(4002))
        await wire.until_sent(1)
        wire.feed(left(1000))
        await first
        await second
        await socket.close()
        assert [each["code"] for each in wire.sent] == [4001]


async def test_closing_after_the_peer_sends_nothing() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        wire.feed(left(1001))
        await socket.wait_closed()
        await socket.close(1000)
        assert wire.sent == []
        assert socket.close_code == 1001


async def test_nothing_is_sent_behind_a_close() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        closing = asyncio.create_task(socket.close())
        await asyncio.sleep(0)
        with pytest.raises(WebSocketClosed):
            socket.send("a")
        wire.feed(left())
        await closing


async def test_receiving_ends_when_we_close() -> None:
    wire = Wire()
    async with socket_on(wire) as socket:
        receiving = asyncio.create_task(socket.receive())
        closing = asyncio.create_task(socket.close(4001))
        await wire.until_sent(1)
        wire.feed(left(1000))
        await closing
        with pytest.raises(WebSocketClosed) as caught:
            await receiving
        assert caught.value.code == 4001


async def test_our_close_is_not_the_clients_going() -> None:
    wire = Wire().feed(CONNECT)
    exchange = WebSocketExchange(websocket_scope(), wire.receive, wire.send)
    socket = await exchange.upgrade(Headers(), None, SocketOptions())
    closing = asyncio.create_task(socket.close())
    await wire.until_sent(2)
    wire.feed(left(1000))
    await closing
    assert not exchange.disconnected.is_set()
    exchange.close()


async def test_a_peer_that_takes_nothing_is_given_up_after_close_timeout() -> None:
    wire = Wire()
    async with socket_on(wire, close_timeout=0) as socket:
        wire.is_blocked = True
        socket.send("a")
        await socket.close()
        assert socket.close_code == 1006


async def test_no_more_than_max_queue_messages_are_read_ahead() -> None:
    wire = Wire()
    async with socket_on(wire, max_queue=3) as socket:
        wire.feed(*(text(str(number)) for number in range(10)))
        for _ in range(50):
            await asyncio.sleep(0)
        assert wire.received == 1 + 3
        assert [await socket.receive() for _ in range(10)] == [str(number) for number in range(10)]


@pytest.mark.parametrize("data", ["a" * 8, "é" * 4, "\U0001f40c" * 2])
async def test_a_message_may_have_as_many_bytes_as_the_limit(data: str) -> None:
    wire = Wire()
    async with socket_on(wire, max_message_size=8) as socket:
        wire.feed(text(data))
        assert await socket.receive() == data


@pytest.mark.parametrize("data", ["a" * 9, "é" * 5, "\U0001f40c" * 3])
async def test_a_message_above_the_limit_closes_1009(data: str) -> None:
    wire = Wire()
    async with socket_on(wire, max_message_size=8) as socket:
        wire.feed(text(data))
        receiving = asyncio.create_task(socket.receive())
        await wire.until_sent(1)
        wire.feed(left(1009))
        with pytest.raises(WebSocketClosed) as caught:
            await receiving
        assert caught.value.code == 1009
        assert wire.sent[0]["code"] == 1009


async def test_there_is_no_ping() -> None:
    async with socket_on(Wire()) as socket:
        with pytest.raises(RuntimeError, match="ASGI has no ping"):
            await socket.ping()


async def test_a_socket_left_open_is_lost() -> None:
    async with socket_on(Wire()) as socket:
        pass
    assert socket.close_code == 1006
    with pytest.raises(WebSocketClosed):
        socket.send("a")
