import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from ohia import Next, Ohia
from ohia.errors import ClientDisconnect, HTTPError, WebSocketClosed, http_error
from ohia.exchange import Exchange, Socket, SocketOptions
from ohia.http.headers import Headers
from ohia.testing import (
    Client,
    ContractViolation,
    Response,
    ResponseCut,
    UpgradeRefused,
)


class App:
    """A handler that is one function, and counts its starts and stops."""

    draining = False

    def __init__(self, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        self._answer = answer
        self.life: list[str] = []

    async def handle(self, exchange: Exchange) -> None:
        await self._answer(exchange)

    async def startup(self) -> None:
        self.life.append("startup")

    async def shutdown(self) -> None:
        self.life.append("shutdown")


def send(
    exchange: Exchange, body: bytes = b"", headers: Mapping[str, str | list[str]] | None = None
) -> None:
    exchange.send_response(200, "OK", Headers(headers or {}), body)


async def read_all(exchange: Exchange) -> bytes:
    pieces: list[bytes] = []
    while piece := await exchange.read():
        pieces.append(piece)
    return b"".join(pieces)


async def mirror(exchange: Exchange) -> None:
    """Answer with what came: the body as the body, the rest in headers."""
    body = await read_all(exchange)
    headers = {f"got-{name}": value for name, value in exchange.headers.items()}
    headers["target"] = exchange.target
    headers["method"] = exchange.method
    headers["secure"] = "yes" if exchange.secure else "no"
    send(exchange, b"" if exchange.method == "HEAD" else body, headers)


async def test_the_lifespan_is_around_the_block() -> None:
    app = App(mirror)
    async with Client(app):
        assert app.life == ["startup"]
    assert app.life == ["startup", "shutdown"]


async def test_a_response_is_plain_values() -> None:
    async def answer(exchange: Exchange) -> None:
        headers = Headers({"Content-Type": "application/json", "Set-Cookie": ["a=1", "b=2"]})
        exchange.send_response(201, "Made", headers, b'{"a": [1]}')

    async with Client(App(answer)) as client:
        response = await client.get("/")
    assert (response.status, response.message) == (201, "Made")
    assert response.headers["content-type"] == "application/json"
    assert response.content == b'{"a": [1]}'
    assert response.text == '{"a": [1]}'
    assert response.json() == {"a": [1]}
    assert response.json(dict[str, list[int]]) == {"a": [1]}
    assert response.cookies == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/plain; charset=latin-1", "\u00fc"),
        ('text/plain; charset="ISO-8859-1"', "\u00fc"),
        ("text/plain", "\ufffd"),
        ("text/plain; charset=klingon", "\ufffd"),
    ],
)
def test_text_is_read_by_its_charset(content_type: str, text: str) -> None:
    response = Response(200, "OK", Headers({"Content-Type": content_type}), b"\xfc", {})
    assert response.text == text


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
async def test_each_method_has_a_function(method: str) -> None:
    async with Client(App(mirror)) as client:
        response = await getattr(client, method)("/x")
    assert response.headers["method"] == method.upper()
    assert response.headers["target"] == "/x"


async def test_any_other_method_goes_by_request() -> None:
    async with Client(App(mirror)) as client:
        assert (await client.request("PROPFIND", "/")).headers["method"] == "PROPFIND"


@pytest.mark.parametrize(
    ("url", "query", "target"),
    [
        ("/a%2Fb?x=%20", {}, "/a%2Fb?x=%20"),
        ("/\u00fc b", {}, "/%C3%BC%20b"),
        ("/a\r\nb", {}, "/a%0D%0Ab"),
        ("//evil.example/", {}, "//evil.example/"),
        ("/#part", {}, "/"),
        ("/", {"a": 1, "b": ["x y", "&"]}, "/?a=1&b=x+y&b=%26"),
        ("/?a=1", [("a", "2")], "/?a=1&a=2"),
        ("http://there", {}, "/"),
        ("http://there?a=/", {"b": 1}, "/?a=/&b=1"),
    ],
)
async def test_the_target_of_a_url(
    url: str, query: Mapping[str, Any] | Sequence[tuple[str, Any]], target: str
) -> None:
    async with Client(App(mirror)) as client:
        assert (await client.get(url, query=query)).headers["target"] == target


async def test_the_whole_server_is_a_target() -> None:
    async with Client(App(mirror)) as client:
        assert (await client.options("*")).headers["target"] == "*"


@pytest.mark.parametrize("url", ["", "x", "ftp://here/", "?a"])
async def test_a_url_that_leads_nowhere_is_an_error(url: str) -> None:
    async with Client(App(mirror)) as client:
        with pytest.raises(ValueError, match="a URL starts with"):
            await client.get(url)


@pytest.mark.parametrize(
    ("base_url", "url", "host", "secure", "server"),
    [
        ("http://testserver", "/", "testserver", "no", ("testserver", 80)),
        ("https://Base:8443", "/", "Base:8443", "yes", ("base", 8443)),
        ("https://base", "http://there:81/", "there:81", "no", ("there", 81)),
        ("http://base", "https://there/", "there", "yes", ("there", 443)),
        ("http://base", "http://[::1]/", "[::1]", "no", ("[::1]", 80)),
    ],
)
async def test_the_url_decides_on_host_and_scheme(
    base_url: str, url: str, host: str, secure: str, server: tuple[str, int]
) -> None:
    seen: list[object] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(exchange.server)
        await mirror(exchange)

    async with Client(App(answer), base_url=base_url) as client:
        response = await client.get(url)
    assert response.headers["got-host"] == host
    assert response.headers["secure"] == secure
    assert seen == [server]


async def test_a_get_says_no_more_than_its_host() -> None:
    async with Client(App(mirror)) as client:
        response = await client.get("/")
    assert [name for name in response.headers if name.startswith("got-")] == ["got-host"]


async def test_headers_of_the_client_and_of_the_request_go_along() -> None:
    async with Client(App(mirror), headers={"A": "1", "B": "1", "C": "1"}) as client:
        response = await client.get("/", headers={"b": ["2", "3"], "c": None, "host": None})
    got = {name: value for name, value in response.headers.items() if name.startswith("got-")}
    assert got == {"got-a": "1", "got-b": "2, 3"}


async def test_the_client_has_an_address() -> None:
    seen: list[object] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(exchange.client)
        send(exchange)

    for address in [("10.0.0.1", 1), None]:
        async with Client(App(answer), client=address) as client:
            await client.get("/")
    assert seen == [("10.0.0.1", 1), None]


@pytest.mark.parametrize(
    ("options", "content", "content_type"),
    [
        ({"json": {"a": "\u00fc"}}, '{"a":"\u00fc"}'.encode(), "application/json"),
        ({"json": None}, b"null", "application/json"),
        ({"form": {"a": "\u00fc ", "b": [1, 2]}}, b"a=%C3%BC+&b=1&b=2", "form"),
        ({"content": "\u00fc"}, b"\xc3\xbc", None),
        ({"content": b"\xff"}, b"\xff", None),
        ({"content": b""}, b"", None),
        ({}, b"", None),
    ],
)
async def test_bodies_of_requests(
    options: dict[str, Any], content: bytes, content_type: str | None
) -> None:
    async with Client(App(mirror)) as client:
        response = await client.post("/", **options)
    assert response.content == content
    assert response.headers["got-content-length"] == f"{len(content)}"
    known = {"form": "application/x-www-form-urlencoded"}.get(content_type or "", content_type)
    assert response.headers.get("got-content-type") == known


async def test_a_body_in_pieces_has_no_length() -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"a"
        yield b"b"

    async with Client(App(mirror)) as client:
        response = await client.put("/", content=pieces())
    assert response.content == b"ab"
    assert response.headers["got-transfer-encoding"] == "chunked"
    assert "got-content-length" not in response.headers


async def test_a_long_body_comes_in_pieces_as_from_a_network() -> None:
    sizes: list[int] = []

    async def answer(exchange: Exchange) -> None:
        while piece := await exchange.read():
            sizes.append(len(piece))
        send(exchange)

    async with Client(App(answer)) as client:
        await client.post("/", content=bytes(150_000))
    assert sum(sizes) == 150_000
    assert len(sizes) > 1


async def test_a_request_has_one_body() -> None:
    async with Client(App(mirror)) as client:
        with pytest.raises(TypeError, match="one body"):
            await client.post("/", json=None, content=b"")


async def test_an_unknown_option_is_an_error() -> None:
    wrong: dict[str, Any] = {"data": b"a"}
    async with Client(App(mirror)) as client:
        with pytest.raises(TypeError, match="data"):
            await client.post("/", **wrong)


async def test_a_body_that_fails_is_raised_in_the_test() -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"a"
        raise ValueError("my own source")

    async def answer(exchange: Exchange) -> None:
        with pytest.raises(ClientDisconnect):
            await read_all(exchange)

    async with Client(App(answer)) as client:
        with pytest.raises(ValueError, match="my own source"):
            await client.post("/", content=pieces())


async def test_cookies_are_kept_and_deleted() -> None:
    answers = ["a=1; path=/", "b=2; path=/x", "a=; path=/; max-age=0"]

    async def answer(exchange: Exchange) -> None:
        cookie = exchange.headers.get("cookie", "")
        send(exchange, cookie.encode(), {"Set-Cookie": answers.pop(0)} if answers else {})

    async with Client(App(answer)) as client:
        first = await client.get("/")
        assert (first.text, first.cookies) == ("", {"a": "1"})
        assert (await client.get("/")).text == "a=1"
        assert (await client.get("/x")).text == "a=1; b=2"
        assert (await client.get("/")).text == ""
        assert dict(client.cookies) == {"b": "2"}


async def test_deleted_and_foreign_cookies_are_not_among_those_of_a_response() -> None:
    async def answer(exchange: Exchange) -> None:
        send(exchange, b"", {"Set-Cookie": ["a=; max-age=0", "b=1; domain=there", "c=1"]})

    async with Client(App(answer)) as client:
        assert (await client.get("/")).cookies == {"c": "1"}


async def test_cookies_of_one_request_are_not_kept() -> None:
    async with Client(App(mirror)) as client:
        client.cookies["a"] = "1"
        response = await client.get("/", cookies={"b": "2"})
        assert response.headers["got-cookie"] == "a=1; b=2"
        assert (await client.get("/")).headers["got-cookie"] == "a=1"


async def test_a_request_has_ended_when_its_response_is_there() -> None:
    after: list[str] = []

    async def answer(exchange: Exchange) -> None:
        send(exchange)
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0)
        after.append("done")

    async with Client(App(answer)) as client:
        await client.get("/")
    assert after == ["done"]


async def test_requests_run_in_tasks_of_their_own_in_the_tests_loop() -> None:
    test_name = ContextVar("test_name", default="")
    test_name.set("mine")
    seen: list[object] = []

    async def answer(exchange: Exchange) -> None:
        seen.extend([asyncio.get_running_loop(), asyncio.current_task(), test_name.get()])
        test_name.set("theirs")
        send(exchange)

    async with Client(App(answer)) as client:
        await client.get("/")
    loop, task, name = seen
    assert loop is asyncio.get_running_loop()
    assert task is not asyncio.current_task()
    assert (name, test_name.get()) == ("mine", "mine")


async def test_requests_can_run_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def answer(exchange: Exchange) -> None:
        await both.wait()
        send(exchange)

    async with Client(App(answer)) as client, asyncio.TaskGroup() as group:
        group.create_task(client.get("/"))
        group.create_task(client.get("/"))


# Errors of the application.


def failing(error: BaseException, *, status: int = 500) -> App:
    async def answer(exchange: Exchange) -> None:
        exchange.failed(error)
        exchange.send_response(status, "", Headers(), b"answered")

    return App(answer)


@pytest.mark.parametrize("error", [ValueError("x"), http_error(503)])
async def test_an_error_that_left_the_chain_is_raised_in_the_test(error: Exception) -> None:
    async with Client(failing(error)) as client:
        with pytest.raises(type(error)) as caught:
            await client.get("/")
    assert caught.value is error


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1)])
async def test_an_error_that_would_stop_the_test_run_is_wrapped(error: BaseException) -> None:
    async with Client(failing(error)) as client:
        with pytest.raises(RuntimeError, match="the application raised") as caught:
            await client.get("/")
    assert caught.value.__cause__ is error


class Odd(Exception):
    """An error of some other library that has a status."""

    status = 409


@pytest.mark.parametrize(
    "error", [http_error(404), http_error(503, expose=True), HTTPError(400, expose=False), Odd()]
)
async def test_an_error_that_is_an_answer_is_not_raised(error: Exception) -> None:
    async with Client(failing(error)) as client:
        assert (await client.get("/")).text == "answered"


async def test_without_raise_errors_the_client_sees_the_answer() -> None:
    async with Client(failing(ValueError("x")), raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (500, "answered")


async def test_an_error_keeps_what_it_came_from() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers())
        try:
            try:
                raise KeyError("first")  # noqa: TRY301 - it is the context
            except KeyError:
                raise ValueError("second")  # noqa: B904 - as users write it
        except ValueError as error:
            exchange.failed(error)
        exchange.abort()

    async with Client(App(answer)) as client:
        with pytest.raises(ValueError, match="second") as caught:
            await client.get("/")
    assert isinstance(caught.value.__context__, KeyError)


async def test_a_broken_rule_is_raised_whatever_is_asked_for() -> None:
    async def answer(exchange: Exchange) -> None:
        with pytest.raises(ContractViolation):
            exchange.send_piece(b"a")
        send(exchange)

    async with Client(App(answer), raise_errors=False) as client:
        with pytest.raises(ContractViolation, match="before the head"):
            await client.get("/")


async def test_an_application_that_leaves_without_a_response_is_an_error() -> None:
    async def answer(exchange: Exchange) -> None: ...

    async with Client(App(answer)) as client:
        with pytest.raises(ContractViolation, match="without a response"):
            await client.get("/")


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError("x"), ValueError), (asyncio.CancelledError(), ContractViolation)],
)
async def test_handle_must_not_raise(error: BaseException, raised: type[Exception]) -> None:
    async def answer(exchange: Exchange) -> None:
        send(exchange)
        raise error

    async with Client(App(answer), raise_errors=False) as client:
        with pytest.raises(raised):
            await client.get("/")


async def test_a_cut_response_is_an_error_of_the_client() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.failed(ValueError("x"))
        exchange.send_head(200, "OK", Headers())
        exchange.send_piece(b"a")
        exchange.abort()

    async with Client(App(answer), raise_errors=False) as client:
        with pytest.raises(ResponseCut):
            await client.get("/")
    async with Client(App(answer)) as client:
        with pytest.raises(ValueError, match="x"):
            await client.get("/")


# Streams.


async def ticks(exchange: Exchange) -> None:
    """Answer with one tick after the other until the client goes."""
    exchange.send_head(200, "OK", Headers({"a": "1"}))
    while True:
        waiting = exchange.send_piece(b"tick")
        if waiting is not None:
            await waiting


async def test_a_stream_gives_its_head_first_and_pieces_as_they_come() -> None:
    more = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers({"a": "1"}))
        for piece in [b"x", b"y"]:
            await more.wait()
            more.clear()
            exchange.send_piece(piece)
        exchange.end()

    async with Client(App(answer)) as client, client.stream("GET", "/") as response:
        assert (response.status, response.message, response.headers["a"]) == (200, "OK", "1")
        pieces: list[bytes] = []
        more.set()
        async for piece in response:
            pieces.append(piece)
            more.set()
    assert pieces == [b"x", b"y"]


async def test_leaving_an_endless_stream_hangs_up_and_waits_for_the_application() -> None:
    ended: list[bool] = []

    async def answer(exchange: Exchange) -> None:
        try:
            await ticks(exchange)
        except ClientDisconnect:
            ended.append(exchange.disconnected.is_set())

    async with Client(App(answer)) as client:
        async with client.stream("GET", "/") as response:
            assert await anext(response) == b"tick"
        assert ended == [True]


async def test_an_error_inside_the_block_hangs_up_and_stays_what_it_is() -> None:
    ended: list[bool] = []

    async def answer(exchange: Exchange) -> None:
        with pytest.raises(ClientDisconnect):
            await ticks(exchange)
        ended.append(True)

    async with Client(App(answer)) as client:
        with pytest.raises(LookupError):
            async with client.stream("GET", "/"):
                raise LookupError
        assert ended == [True]


async def test_read_gives_the_rest_of_a_stream() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_head(200, "OK", Headers({"Set-Cookie": "a=1"}))
        for piece in [b"x", b"y", b"z"]:
            await (exchange.send_piece(piece) or asyncio.sleep(0))
        exchange.end()

    async with Client(App(answer)) as client, client.stream("GET", "/") as response:
        assert await anext(response) == b"x"
        rest = await response.read()
    assert (rest.content, rest.cookies) == (b"yz", {"a": "1"})


async def test_a_test_that_gives_up_does_not_wait_for_the_application() -> None:
    async def answer(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    app = App(answer)
    async with Client(app) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await client.get("/")
    assert app.life == ["startup", "shutdown"]


async def test_an_error_that_nobody_waits_for_any_more_is_no_warning() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.disconnected.wait()
        raise ValueError("late")

    async with Client(App(answer)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await client.get("/")


# WebSockets.


async def upgrade(exchange: Exchange, headers: Mapping[str, str] | None = None) -> Socket:
    offered = exchange.headers.get("Sec-WebSocket-Protocol")
    subprotocol = offered.split(", ")[-1] if offered else None
    return await exchange.upgrade(Headers(headers or {}), subprotocol, SocketOptions())


async def echo(exchange: Exchange) -> None:
    socket = await upgrade(exchange, {"Set-Cookie": "a=1"})
    try:
        while True:
            await (socket.send(await socket.receive()) or asyncio.sleep(0))
    except WebSocketClosed:
        await socket.close()


async def test_a_websocket_sends_and_receives() -> None:
    async with Client(App(echo)) as client, client.websocket("/") as socket:
        await socket.send("a")
        await socket.send(b"b")
        await socket.send_json({"c": 1})
        assert await socket.receive() == "a"
        assert await socket.receive() == b"b"
        assert await socket.receive_json() == {"c": 1}
        assert await socket.ping() == 0
        assert not socket.closed
        await socket.close(3000, "bye")
        assert (socket.closed, socket.close_code, socket.close_reason) == (True, 3000, "bye")
        await socket.wait_closed()
        with pytest.raises(WebSocketClosed, match="3000 bye"):
            await socket.send("late")


async def test_iteration_ends_when_the_application_closes() -> None:
    async def answer(exchange: Exchange) -> None:
        socket = await upgrade(exchange)
        socket.send("a")
        socket.send("b")
        await socket.close(1001, "enough")

    async with Client(App(answer)) as client, client.websocket("/") as socket:
        assert [message async for message in socket] == ["a", "b"]
        assert (socket.close_code, socket.close_reason) == (1001, "enough")


async def test_leaving_the_block_closes_and_waits_for_the_application() -> None:
    codes: list[int | None] = []

    async def answer(exchange: Exchange) -> None:
        socket = await upgrade(exchange)
        await socket.wait_closed()
        codes.append(socket.close_code)

    async with Client(App(answer)) as client:
        async with client.websocket("/"):
            pass
        assert codes == [1000]


async def test_a_client_that_hangs_up_is_1006() -> None:
    codes: list[int | None] = []

    async def answer(exchange: Exchange) -> None:
        socket = await upgrade(exchange)
        await socket.wait_closed()
        codes.append(socket.close_code)

    async with Client(App(answer)) as client:
        async with client.websocket("/") as socket:
            socket.hang_up()
        assert codes == [1006]


async def test_the_handshake_is_complete_and_cookies_are_kept() -> None:
    seen: list[dict[str, str]] = []

    async def answer(exchange: Exchange) -> None:
        seen.append(dict(exchange.headers))
        assert exchange.is_websocket
        assert exchange.target == "/chat?room=1"
        await echo(exchange)

    async with Client(App(answer)) as client:
        async with client.websocket(
            "wss://there/chat",
            query={"room": 1},
            subprotocols=["a", "b"],
            headers={"Origin": "https://there"},
            cookies={"c": "3"},
        ) as socket:
            assert socket.subprotocol == "b"
            assert socket.headers["Sec-WebSocket-Protocol"] == "b"
        assert client.cookies["a"] == "1"
    assert seen == [
        {
            "host": "there",
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-version": "13",
            "sec-websocket-protocol": "a, b",
            "origin": "https://there",
            "cookie": "c=3",
        }
    ]


async def test_a_handshake_has_no_origin_unless_it_is_given() -> None:
    async with Client(App(mirror)) as client:
        with pytest.raises(UpgradeRefused) as caught:
            async with client.websocket("/", headers={"Sec-WebSocket-Key": None}):
                pass
    headers = caught.value.response.headers
    assert "got-origin" not in headers
    assert "got-sec-websocket-key" not in headers


async def test_a_refusal_has_the_response() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.send_response(403, "Forbidden", Headers({"a": "1"}), b"not you")

    async with Client(App(answer)) as client:
        with pytest.raises(UpgradeRefused, match="403 Forbidden: not you") as caught:
            async with client.websocket("/"):
                pass
    assert caught.value.response.status == 403
    assert caught.value.response.headers["a"] == "1"


async def test_an_error_before_the_upgrade_is_raised_instead_of_the_refusal() -> None:
    async with Client(failing(ValueError("x"))) as client:
        with pytest.raises(ValueError, match="x"):
            async with client.websocket("/"):
                pass


async def fail_after_upgrade(exchange: Exchange) -> None:
    socket = await upgrade(exchange)
    exchange.failed(ValueError("x"))
    await socket.close(1011)


async def test_an_error_after_the_upgrade_is_raised_instead_of_the_close() -> None:
    async with Client(App(fail_after_upgrade)) as client:
        with pytest.raises(ValueError, match="x"):
            async with client.websocket("/") as socket:
                await socket.receive()


async def test_without_raise_errors_the_client_sees_the_close() -> None:
    async with Client(App(fail_after_upgrade), raise_errors=False) as client:
        with pytest.raises(WebSocketClosed, match="1011"):
            async with client.websocket("/") as socket:
                await socket.receive()


async def test_the_application_waits_for_a_client_that_does_not_receive() -> None:
    sent: list[int] = []

    async def answer(exchange: Exchange) -> None:
        socket = await upgrade(exchange)
        for number in range(5):
            sent.append(number)
            if waiting := socket.send(f"{number}"):
                await waiting
        await socket.close()

    async with Client(App(answer)) as client, client.websocket("/", max_queue=2) as socket:
        ahead = [len(sent) - int(message) async for message in socket]
    assert sent == [0, 1, 2, 3, 4]
    assert max(ahead) == 3  # two in the queue, one that waits


# All of it with a real application.


async def chat(ctx: Any, next: Next) -> None:
    if ctx.upgradable and ctx.path == "/chat":
        async for message in await ctx.upgrade():
            await ctx.websocket.send(message)
    else:
        await next()


async def endless(ctx: Any, next: Next) -> None:
    if ctx.path == "/ticks":
        async with ctx.stream() as out:
            while True:
                await out.write(b"tick")
    else:
        await next()


async def hello(ctx: Any) -> None:
    if ctx.path == "/bug":
        raise ValueError("a bug")
    if ctx.path == "/hello":
        ctx.body = {"hello": await ctx.request.text()}


async def test_an_application_is_tested_without_a_server() -> None:
    ended: list[str] = []
    app: Ohia[Any] = Ohia(env="test")
    app.use(chat, endless, hello)

    @app.lifespan
    async def life(app: object) -> AsyncGenerator[None]:
        yield
        ended.append("life")

    async with Client(app) as client:
        assert (await client.post("/hello", content="you")).json() == {"hello": "you"}
        assert (await client.head("/hello")).content == b""
        assert (await client.get("/nothing")).status == 404
        async with client.stream("GET", "/ticks") as response:
            assert await anext(response) == b"tick"
        async with client.websocket("/chat") as socket:
            await socket.send("hi")
            assert await socket.receive() == "hi"
        with pytest.raises(UpgradeRefused, match="404"):
            async with client.websocket("/nothing"):
                pass
        with pytest.raises(ValueError, match="a bug"):
            await client.get("/bug")
        assert ended == []
    assert ended == ["life"]


def test_importing_it_does_not_import_pytest() -> None:
    code = "import sys, ohia.testing; sys.exit('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 - our own code
    assert done.returncode == 0
