import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from ohia.adapters.memory import ContractViolation, MemoryExchange, ResponseCut
from ohia.errors import ClientDisconnect
from ohia.exchange import Exchange, Handler, SocketOptions
from ohia.http.headers import Headers

HANDSHAKE = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "chat, superchat",
}


class Answer:
    """A handler that is one function."""

    draining = False

    def __init__(self, handle: Callable[[Exchange], Awaitable[None]]) -> None:
        self._handle = handle

    async def handle(self, exchange: Exchange) -> None:
        await self._handle(exchange)

    async def startup(self) -> None: ...

    async def shutdown(self) -> None: ...


def make_exchange(method: str = "GET", headers: dict[str, str] | None = None) -> MemoryExchange:
    return MemoryExchange(method, "/", Headers(headers or {}))


async def test_it_serves_a_handler_as_an_exchange() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_response(200, "OK", Headers(), exchange.method.encode())

    handler: Handler = Answer(answer)
    exchange = make_exchange("PUT")
    await exchange.serve(handler)
    assert await exchange.next_piece() == b"PUT"


async def test_a_response_sent_at_once_reaches_the_client() -> None:
    exchange = make_exchange()
    headers = Headers({"Content-Length": "2"})
    assert exchange.send_response(200, "Fine", headers, b"hi") is None
    assert not exchange.can_send
    head = await exchange.wait_head()
    assert (head.status, head.reason, dict(head.headers)) == (200, "Fine", dict(headers))
    assert [await exchange.next_piece() for _ in range(3)] == [b"hi", b"", b""]


async def test_the_head_is_there_before_the_body() -> None:
    exchange = make_exchange()
    headers = Headers({"a": "1"})
    asyncio.get_running_loop().call_soon(exchange.send_head, 200, "OK", headers)
    head = await exchange.wait_head()
    headers["a"] = "2"
    assert head.headers["a"] == "1"


async def test_the_application_waits_while_a_piece_waits_for_the_client() -> None:
    exchange = make_exchange()
    exchange.send_head(200, "OK", Headers())
    assert exchange.send_piece(b"a") is None
    waiting = exchange.send_piece(b"b")
    assert isinstance(waiting, asyncio.Future)
    assert not waiting.done()
    assert await exchange.next_piece() == b"a"
    await waiting
    assert await exchange.next_piece() == b"b"


async def test_the_client_waits_for_a_piece_and_for_the_end() -> None:
    exchange = make_exchange()
    exchange.send_head(200, "OK", Headers())
    loop = asyncio.get_running_loop()
    loop.call_soon(exchange.send_piece, b"a")
    assert await exchange.next_piece() == b"a"
    loop.call_soon(exchange.end)
    assert await exchange.next_piece() == b""


async def test_abort_is_a_cut_after_what_was_sent() -> None:
    exchange = make_exchange()
    exchange.send_head(200, "OK", Headers())
    exchange.send_piece(b"a")
    exchange.abort()
    assert not exchange.can_send
    assert not exchange.disconnected.is_set()
    assert await exchange.next_piece() == b"a"
    with pytest.raises(ResponseCut, match="before its end"):
        await exchange.next_piece()


async def test_abort_before_the_head_is_a_cut_and_no_violation() -> None:
    exchange = make_exchange()
    asyncio.get_running_loop().call_soon(exchange.abort)
    with pytest.raises(ResponseCut, match="before its head"):
        await exchange.wait_head()
    exchange.close()
    assert exchange.violation is None


async def test_abort_after_the_end_cuts_nothing() -> None:
    exchange = make_exchange()
    exchange.send_response(200, "OK", Headers(), b"a")
    exchange.abort()
    assert [await exchange.next_piece() for _ in range(2)] == [b"a", b""]


@pytest.mark.parametrize("leave", [MemoryExchange.hang_up, MemoryExchange.abort])
async def test_all_that_sends_fails_once_the_connection_is_cut(
    leave: Callable[[MemoryExchange], None],
) -> None:
    exchange = make_exchange()
    exchange.send_head(200, "OK", Headers())
    exchange.send_piece(b"a")
    waiting = exchange.send_piece(b"b")
    assert waiting is not None
    leave(exchange)
    with pytest.raises(ClientDisconnect):
        await waiting
    with pytest.raises(ClientDisconnect):
        exchange.send_piece(b"c")
    with pytest.raises(ClientDisconnect):
        exchange.end()


async def test_an_answer_to_nobody_is_no_violation() -> None:
    exchange = make_exchange()
    exchange.hang_up()
    for _ in range(2):
        with pytest.raises(ClientDisconnect):
            exchange.send_response(200, "OK", Headers(), b"a")
    exchange.close()
    assert exchange.violation is None


async def test_a_piece_that_nobody_awaits_is_no_warning_when_the_client_goes() -> None:
    exchange = make_exchange()
    exchange.send_head(200, "OK", Headers())
    exchange.send_piece(b"a")
    exchange.send_piece(b"b")
    exchange.hang_up()


async def test_the_clients_going_is_an_event_and_wakes_read() -> None:
    async def body() -> AsyncGenerator[bytes]:
        await asyncio.Event().wait()
        yield b"never"

    async def answer(exchange: Exchange) -> None:
        with pytest.raises(ClientDisconnect):
            await exchange.read()
        assert exchange.disconnected.is_set()
        assert not exchange.can_send

    exchange = MemoryExchange("POST", "/", Headers(), body())
    serving = asyncio.create_task(exchange.serve(Answer(answer)))
    await asyncio.wait([serving], timeout=0)
    exchange.hang_up()
    await serving
    assert exchange.violation is None


async def test_hanging_up_after_a_whole_response_is_no_disconnect() -> None:
    exchange = make_exchange()
    exchange.send_response(200, "OK", Headers(), b"")
    exchange.hang_up()
    assert not exchange.disconnected.is_set()


async def test_a_body_that_fails_is_a_client_that_went() -> None:
    async def body() -> AsyncGenerator[bytes]:
        yield b"a"
        raise ValueError("broken")

    exchange = MemoryExchange("POST", "/", Headers(), body())
    assert await exchange.read() == b"a"
    with pytest.raises(ClientDisconnect):
        await exchange.read()
    assert exchange.disconnected.is_set()
    assert str(exchange.upload_error) == "broken"


async def test_two_reads_at_once_are_a_violation() -> None:
    async def body() -> AsyncGenerator[bytes]:
        await asyncio.Event().wait()
        yield b"never"

    async def answer(exchange: Exchange) -> None:
        first = asyncio.create_task(exchange.read())
        await asyncio.wait([first], timeout=0)
        with pytest.raises(ContractViolation, match="another read"):
            await exchange.read()
        first.cancel()

    exchange = MemoryExchange("POST", "/", Headers(), body())
    await exchange.serve(Answer(answer))
    assert exchange.violation is not None


@pytest.mark.parametrize("body", ["text", None, bytearray(b"a")])
async def test_a_body_that_is_not_bytes_is_a_violation(body: bytes) -> None:
    with pytest.raises(ContractViolation):
        make_exchange().send_response(200, "OK", Headers(), body)


async def test_an_application_that_leaves_without_a_response_is_a_violation() -> None:
    async def answer(exchange: Exchange) -> None: ...

    exchange = make_exchange()
    await exchange.serve(Answer(answer))
    assert "without a response" in str(exchange.violation)
    with pytest.raises(ResponseCut):
        await exchange.wait_head()


async def test_leaving_in_the_middle_cuts_the_response() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())

    exchange = make_exchange()
    await exchange.serve(Answer(answer))
    assert exchange.violation is None
    with pytest.raises(ResponseCut):
        await exchange.next_piece()


async def test_an_application_that_closes_by_itself_is_not_closed_again() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_response(200, "OK", Headers(), b"")
        exchange.close()

    exchange = make_exchange()
    await exchange.serve(Answer(answer))
    assert exchange.violation is None


async def test_closing_twice_is_a_violation() -> None:
    exchange = make_exchange()
    exchange.send_response(200, "OK", Headers(), b"")
    exchange.close()
    with pytest.raises(ContractViolation, match="second time"):
        exchange.close()


async def test_after_close_facts_stay_and_sending_is_an_error() -> None:
    exchange = make_exchange()
    exchange.send_head(200, "OK", Headers())
    exchange.close()
    exchange.abort()
    exchange.hang_up()
    assert exchange.method == "GET"
    assert not exchange.can_send
    with pytest.raises(RuntimeError, match="send_piece"):
        exchange.send_piece(b"a")
    with pytest.raises(RuntimeError, match="read"):
        await exchange.read()
    assert exchange.violation is None


async def test_upgrade_gives_both_ends_of_a_socket() -> None:
    exchange = make_exchange(headers=HANDSHAKE)
    socket = await exchange.upgrade(Headers({"a": "1"}), "chat", SocketOptions())
    head = await exchange.wait_head()
    assert (head.status, head.reason) == (101, "Switching Protocols")
    assert dict(head.headers) == {
        "a": "1",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",  # RFC 6455, 1.3
        "sec-websocket-protocol": "chat",
    }
    assert exchange.client_socket is not None
    socket.send("a")
    assert await exchange.client_socket.receive() == "a"
    assert not exchange.can_send


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Connection", "close", "asks for none"),
        ("Upgrade", "h2c", "asks for none"),
        ("Sec-WebSocket-Version", "8", "version"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j", "key"),  # 15 bytes
        ("Sec-WebSocket-Key", "?", "key"),
        ("Sec-WebSocket-Key", "\u00fc", "key"),
    ],
)
async def test_upgrading_a_bad_handshake_is_a_violation(
    name: str, value: str, message: str
) -> None:
    exchange = make_exchange(headers=HANDSHAKE | {name: value})
    with pytest.raises(ContractViolation, match=message):
        await exchange.upgrade(Headers(), None, SocketOptions())


async def test_upgrading_to_a_subprotocol_that_was_not_offered_is_a_violation() -> None:
    exchange = make_exchange(headers=HANDSHAKE)
    with pytest.raises(ContractViolation, match="'mqtt'"):
        await exchange.upgrade(Headers(), "mqtt", SocketOptions())


async def test_a_response_after_the_upgrade_is_a_violation() -> None:
    exchange = make_exchange(headers=HANDSHAKE)
    await exchange.upgrade(Headers(), None, SocketOptions())
    with pytest.raises(ContractViolation, match="after upgrade"):
        exchange.send_response(200, "OK", Headers(), b"")


async def test_hanging_up_loses_the_socket() -> None:
    exchange = make_exchange(headers=HANDSHAKE)
    socket = await exchange.upgrade(Headers(), None, SocketOptions())
    exchange.hang_up()
    assert socket.close_code == 1006
    assert exchange.disconnected.is_set()


async def test_hanging_up_after_the_close_handshake_is_no_disconnect() -> None:
    exchange = make_exchange(headers=HANDSHAKE)
    socket = await exchange.upgrade(Headers(), None, SocketOptions())
    await socket.close()
    exchange.hang_up()
    assert not exchange.disconnected.is_set()


@pytest.mark.parametrize("leave", [MemoryExchange.abort, MemoryExchange.close])
async def test_a_socket_that_is_left_open_is_lost(leave: Callable[[MemoryExchange], None]) -> None:
    exchange = make_exchange(headers=HANDSHAKE)
    await exchange.upgrade(Headers(), None, SocketOptions())
    leave(exchange)
    assert exchange.client_socket is not None
    assert exchange.client_socket.close_code == 1006


def test_the_first_failure_is_kept() -> None:
    exchange = make_exchange()
    first = ValueError()
    exchange.failed(first)
    exchange.failed(KeyError())
    assert exchange.failure is first


def test_the_addresses_are_known() -> None:
    exchange = MemoryExchange("GET", "/", Headers(), client=("::1", 5), server=("::1", 80))
    assert exchange.get_extra_info("peername") == ("::1", 5)
    assert exchange.get_extra_info("sockname") == ("::1", 80)
    assert exchange.get_extra_info("ssl_object") is None


def test_the_scope_is_that_of_asgi() -> None:
    headers = Headers({"Host": "here", "A": ["1", "2"]})
    exchange = MemoryExchange("PUT", "/app/%C3%BC%2F?a=%20", headers, mount_path="/app")
    assert exchange.scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/app/\u00fc/",
        "raw_path": b"/app/%C3%BC%2F",
        "query_string": b"a=%20",
        "root_path": "/app",
        "headers": [(b"host", b"here"), (b"a", b"1"), (b"a", b"2")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def test_the_scope_of_a_handshake_is_that_of_a_websocket() -> None:
    scope = MemoryExchange("GET", "/", Headers(HANDSHAKE), secure=True).scope
    assert (scope["type"], scope["scheme"]) == ("websocket", "wss")
    assert scope["subprotocols"] == ["chat", "superchat"]
    assert "method" not in scope
