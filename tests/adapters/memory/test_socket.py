import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from ohia.adapters.memory import MemorySocket
from ohia.errors import WebSocketClosed
from ohia.exchange import SocketOptions


def make_pair(options: SocketOptions | None = None) -> tuple[MemorySocket, MemorySocket]:
    """Return a sender and a receiver that has `options`."""
    return MemorySocket.pair(SocketOptions(), options or SocketOptions(), "chat")


def start(waiting: Awaitable[None] | None) -> "asyncio.Future[None]":
    assert waiting is not None
    return asyncio.ensure_future(waiting)


async def test_messages_go_both_ways_in_order() -> None:
    here, there = make_pair()
    here.send("a")
    here.send(b"b")
    assert [await there.receive(), await there.receive()] == ["a", b"b"]
    there.send("")
    assert await here.receive() == ""
    assert here.subprotocol == there.subprotocol == "chat"


async def test_a_message_wakes_the_receiver() -> None:
    here, there = make_pair()
    asyncio.get_running_loop().call_soon(here.send, "a")
    assert await there.receive() == "a"


async def test_the_sender_waits_while_the_queue_is_full() -> None:
    here, there = make_pair(SocketOptions(max_queue=1))
    assert here.send("a") is None
    waiting = start(here.send("bcd"))
    assert here.buffered == 3
    assert not waiting.done()
    assert await there.receive() == "a"
    await waiting
    assert here.buffered == 0
    assert await there.receive() == "bcd"


async def test_a_wait_that_was_given_up_changes_nothing() -> None:
    here, there = make_pair(SocketOptions(max_queue=1))
    here.send("a")
    start(here.send("b")).cancel()
    assert [await there.receive(), await there.receive()] == ["a", "b"]


async def test_close_is_seen_on_both_ends_after_the_messages() -> None:
    here, there = make_pair()
    here.send("a")
    await here.close(3000, "bye")
    assert await there.receive() == "a"
    with pytest.raises(WebSocketClosed) as caught:
        await there.receive()
    assert (caught.value.code, caught.value.reason) == (3000, "bye")
    assert (here.close_code, here.close_reason) == (there.close_code, there.close_reason)
    assert (here.close_code, here.close_reason) == (3000, "bye")


async def test_close_waits_behind_what_has_no_room() -> None:
    here, there = make_pair(SocketOptions(max_queue=1))
    here.send("a")
    here.send("b")
    closing = asyncio.create_task(here.close())
    assert await there.receive() == "a"
    assert await there.receive() == "b"
    await closing
    assert there.close_code == 1000


async def test_nothing_is_sent_after_close_was_called() -> None:
    here, there = make_pair(SocketOptions(max_queue=1))
    here.send("a")
    here.send("b")
    closing = asyncio.create_task(here.close(1001, "leaving"))
    await asyncio.wait([closing], timeout=0)
    with pytest.raises(WebSocketClosed, match="1001 leaving"):
        here.send("c")
    there.lose()
    await closing


async def test_close_again_changes_nothing() -> None:
    here, there = make_pair()
    await here.close(3000)
    await here.close(3001)
    await there.close(3002)
    assert here.close_code == there.close_code == 3000


async def test_a_close_that_finds_no_room_in_time_loses_the_connection() -> None:
    there, here = MemorySocket.pair(
        SocketOptions(max_queue=1), SocketOptions(close_timeout=0), subprotocol=None
    )
    here.send("a")
    here.send("b")
    await here.close()
    assert here.close_code == there.close_code == 1006


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000])  # RFC 6455, 7.4
async def test_close_refuses_codes_that_no_frame_may_have(code: int) -> None:
    here, _ = make_pair()
    with pytest.raises(ValueError, match="cannot have the code"):
        await here.close(code)
    assert here.close_code is None


async def test_close_refuses_a_reason_of_more_than_123_bytes() -> None:
    here, _ = make_pair()
    with pytest.raises(ValueError, match="at most 123 bytes"):
        await here.close(1000, "\u00fc" * 62)


@pytest.mark.parametrize("message", ["\u00fc\u00fc", b"1234"])
async def test_a_message_above_the_limit_closes_with_1009(message: str | bytes) -> None:
    here, there = make_pair(SocketOptions(max_message_size=3))
    here.send("abc")
    here.send(message)
    assert here.close_code == 1009
    assert await there.receive() == "abc"
    with pytest.raises(WebSocketClosed, match="1009"):
        await there.receive()


async def test_without_a_limit_any_size_passes() -> None:
    here, there = make_pair(SocketOptions(max_message_size=None))
    here.send(b"a" * 2_000_000)
    assert len(await there.receive()) == 2_000_000


async def test_a_lost_connection_is_1006_on_both_ends() -> None:
    here, there = make_pair(SocketOptions(max_queue=1))
    here.send("a")
    waiting = start(here.send("b"))
    there.lose()
    with pytest.raises(WebSocketClosed, match="1006"):
        await waiting
    with pytest.raises(WebSocketClosed, match="1006"):
        here.send("c")
    assert here.close_code == there.close_code == 1006
    assert here.buffered == 0


async def test_an_unawaited_send_to_a_lost_connection_is_no_warning() -> None:
    here, there = make_pair(SocketOptions(max_queue=1))
    here.send("a")
    here.send("b")
    there.lose()


async def test_ping_answers_at_once_until_the_end() -> None:
    here, there = make_pair()
    assert await here.ping() == 0
    await there.close()
    with pytest.raises(WebSocketClosed):
        await here.ping()


async def test_wait_closed_returns_at_the_end() -> None:
    here, there = make_pair()
    waiting = asyncio.create_task(there.wait_closed())
    await here.close()
    await waiting


async def test_two_tasks_cannot_receive_at_once() -> None:
    here, there = make_pair()
    first = asyncio.create_task(there.receive())
    await asyncio.wait([first], timeout=0)
    with pytest.raises(RuntimeError, match="another task"):
        await there.receive()
    here.send("a")
    assert await first == "a"


@pytest.mark.parametrize("message", [None, 1, bytearray(b"a")])
async def test_only_str_and_bytes_are_messages(message: Any) -> None:
    here, _ = make_pair()
    with pytest.raises(TypeError, match="str or bytes"):
        here.send(message)
