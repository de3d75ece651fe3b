"""The socket that `ctx.upgrade()` gives."""

import asyncio
from typing import Any

import msgspec
import pytest

from ohia import Context, Ohia, WebSocket, WebSocketClosed
from ohia.testing import Client
from ohia.websocket import cut_reason


async def talk(server: Any, client_side: Any, **options: Any) -> list[Any]:
    """Run `server(socket)` against `client_side(socket)`; return the reported errors."""
    errors: list[Any] = []
    app: Ohia = Ohia(**{"env": "test", **options})

    @app.use
    async def upgrading(ctx: Context) -> None:
        await server(await ctx.upgrade())

    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client, client.websocket("/") as socket:
        await client_side(socket)
    return errors


async def test_json_both_ways() -> None:
    async def server(socket: WebSocket) -> None:
        value = await socket.receive_json()
        await socket.send_json({"got": value})
        assert await socket.receive_json(int) == 5
        with pytest.raises(msgspec.DecodeError):
            await socket.receive_json(int)
        await socket.send("done")

    async def client(socket: Any) -> None:
        await socket.send_json([1])
        assert await socket.receive() == '{"got":[1]}'
        await socket.send("5")
        await socket.send('"x"')
        assert await socket.receive() == "done"

    assert await talk(server, client) == []


async def test_a_send_that_is_not_awaited_still_goes_out_in_order() -> None:
    async def server(socket: WebSocket) -> None:
        for each in ("a", "b", "c"):
            socket.send(each)

    async def client(socket: Any) -> None:
        assert [message async for message in socket] == ["a", "b", "c"]

    assert await talk(server, client) == []


@pytest.mark.parametrize("message", [5, None, {"a": 1}, ["x"]])
async def test_a_message_is_text_or_bytes(message: Any) -> None:
    async def server(socket: WebSocket) -> None:
        with pytest.raises(TypeError, match="send_json"):
            socket.send(message)

    async def client(socket: Any) -> None:
        await socket.wait_closed()

    assert await talk(server, client) == []


async def test_receive_tells_code_and_reason_of_the_close() -> None:
    seen: list[Any] = []

    async def server(socket: WebSocket) -> None:
        with pytest.raises(WebSocketClosed) as closed:
            await socket.receive()
        seen.extend([closed.value.code, closed.value.reason])
        seen.extend([socket.closed, socket.close_code, socket.close_reason])
        with pytest.raises(WebSocketClosed):
            await socket.send("too late")

    async def client(socket: Any) -> None:
        await socket.close(4001, "bye")

    assert await talk(server, client) == []
    assert seen == [4001, "bye", True, 4001, "bye"]


async def test_a_send_to_a_peer_that_has_gone_is_no_error_of_the_app() -> None:
    async def server(socket: WebSocket) -> None:
        while True:
            await socket.send("x")
            await asyncio.sleep(0)

    async def client(socket: Any) -> None:
        await socket.receive()
        await socket.close()

    assert await talk(server, client) == []


async def test_iteration_ends_when_the_peer_closes() -> None:
    messages: list[Any] = []

    async def server(socket: WebSocket) -> None:
        messages.extend([message async for message in socket])
        messages.append("ended")

    async def client(socket: Any) -> None:
        await socket.send("one")
        await socket.close()

    assert await talk(server, client) == []
    assert messages == ["one", "ended"]


async def test_early_messages_wait() -> None:
    async def server(socket: WebSocket) -> None:
        await asyncio.sleep(0)
        assert [await socket.receive() for _ in range(3)] == ["0", "1", "2"]
        await socket.send("all there")

    async def client(socket: Any) -> None:
        for number in range(3):
            await socket.send(str(number))
        assert await socket.receive() == "all there"

    assert await talk(server, client) == []


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
async def test_a_code_that_must_not_be_sent_is_refused(code: int) -> None:
    async def server(socket: WebSocket) -> None:
        with pytest.raises(ValueError, match="invalid close code"):
            await socket.close(code)
        with pytest.raises(ValueError, match="123 bytes"):
            await socket.close(1000, "é" * 62)

    async def client(socket: Any) -> None:
        await socket.wait_closed()

    assert await talk(server, client) == []


async def test_close_twice_is_close_once() -> None:
    async def server(socket: WebSocket) -> None:
        await socket.close(3000, "first")
        await socket.close(3001, "second")
        await socket.wait_closed()

    async def client(socket: Any) -> None:
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (3000, "first")

    assert await talk(server, client) == []


async def test_ping_takes_seconds() -> None:
    async def server(socket: WebSocket) -> None:
        assert await socket.ping() >= 0

    async def client(socket: Any) -> None:
        await socket.wait_closed()

    assert await talk(server, client) == []


async def test_listeners_run_one_at_a_time_and_hear_of_the_close() -> None:
    events: list[Any] = []

    async def server(socket: WebSocket) -> None:
        @socket.on("message")
        async def slow(message: str | bytes) -> None:
            events.append(f"> {message!r}")
            await asyncio.sleep(0)
            events.append(f"< {message!r}")

        socket.on("close", lambda code, reason: events.append((code, reason)))
        with pytest.raises(RuntimeError, match="exclude"):
            await socket.receive()
        with pytest.raises(ValueError, match="message and close"):
            socket.on("open", print)  # type: ignore[call-overload]
        await socket.wait_closed()
        events.append("over")

    async def client(socket: Any) -> None:
        await socket.send("a")
        await socket.send("b")
        await socket.close(4000, "bye")

    assert await talk(server, client) == []
    assert events == ["> 'a'", "< 'a'", "> 'b'", "< 'b'", (4000, "bye"), "over"]


async def test_a_listener_that_fails_closes_1011_and_is_reported_once() -> None:
    async def server(socket: WebSocket) -> None:
        socket.on("message", lambda message: 1 / 0)
        await socket.wait_closed()

    async def client(socket: Any) -> None:
        await socket.send("a")
        await socket.wait_closed()
        assert socket.close_code == 1011

    assert [type(each) for each in await talk(server, client)] == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("reason", "cut"), [("", ""), ("a" * 200, "a" * 123), ("é" * 62, "é" * 61), ("\ud800", "?")]
)
def test_a_reason_is_cut_to_whole_characters(reason: str, cut: str) -> None:
    assert cut_reason(reason) == cut


async def test_a_listener_that_raises_CancelledError_closes_1011_as_any() -> None:  # noqa: N802
    def failing(message: str) -> None:
        raise asyncio.CancelledError

    async def server(socket: WebSocket) -> None:
        socket.on("message", failing)
        await socket.wait_closed()

    async def client(socket: Any) -> None:
        await socket.send("x")
        with pytest.raises(WebSocketClosed, match="1011"):
            await socket.receive()

    assert [type(each) for each in await talk(server, client)] == [asyncio.CancelledError]
