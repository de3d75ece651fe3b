"""From request to WebSocket, at any point of the chain."""

import asyncio
from typing import Any

import pytest

from ohia import Context, Next, Ohia, WebSocket, WebSocketClosed, upgrade
from ohia.errors import Forbidden
from ohia.http.headers import Headers
from ohia.testing import Client, UpgradeRefused
from ohia.upgrade import accept_headers, check_origin, choose_subprotocol

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(**{"env": "test", **options})
    app.use(*middleware)
    return app


async def echo(ctx: Context, next: Next) -> None:
    if not ctx.upgradable:
        return await next()  # type: ignore[no-any-return]
    socket = await ctx.upgrade()
    async for message in socket:
        await socket.send(message)
    return None


async def test_echo_of_text_and_bytes() -> None:
    async with Client(app_of(echo)) as client:
        async with client.websocket("/") as socket:
            await socket.send("text")
            await socket.send(b"bytes")
            assert [await socket.receive(), await socket.receive()] == ["text", b"bytes"]
        assert (await client.get("/")).status == 404


async def test_after_the_upgrade_ctx_tells_so_and_ignores_writes() -> None:
    seen: list[Any] = []

    async def middleware(ctx: Context) -> None:
        socket = await ctx.upgrade()
        ctx.body = "ignored"
        ctx.status = 500
        ctx.set("X-Late", "1")
        ctx.cookies.set("late", "1")
        seen.extend([ctx.status, ctx.header_sent, ctx.writable, ctx.body])
        seen.append(ctx.websocket is socket)
        seen.append(await ctx.upgrade() is socket)

    async with Client(app_of(middleware)) as client, client.websocket("/") as socket:
        await socket.wait_closed()
    assert seen == [101, True, False, None, True, True]


async def test_headers_and_cookies_set_so_far_are_on_the_101() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.set("X-Request-Id", "7")
        ctx.cookies.set("a", "1")
        ctx.cookies.set("b", "2")
        ctx.before_send(lambda ctx: ctx.set("X-Status", ctx.status))
        await next()

    async def middleware(ctx: Context) -> None:
        ctx.type = "json"
        await ctx.upgrade(headers={"X-More": "1"})

    async with Client(app_of(upstream, middleware)) as client, client.websocket("/") as socket:
        headers = socket.headers
    assert (headers["x-request-id"], headers["x-more"], headers["x-status"]) == ("7", "1", "101")
    assert len(headers.get_all("set-cookie")) == 2
    assert "content-type" not in headers


async def test_a_refusal_is_an_ordinary_answer() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.status = 401
        ctx.cookies.set("seen", "1")
        ctx.body = {"error": "login first"}

    async with Client(app_of(middleware)) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                raise AssertionError
    response = refused.value.response
    assert (response.status, response.json()) == (401, {"error": "login first"})
    assert response.headers["set-cookie"] == "seen=1; path=/; httponly"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"}, 400),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": None}, 400),
        ({"Upgrade": "h2c"}, 426),
        ({"Content-Length": "3"}, 400),
        ({"Transfer-Encoding": "chunked"}, 400),
        ({"Connection": "keep-alive"}, 426),
        ({"Origin": "https://evil.com"}, 403),  # S43
        ({"Origin": "null"}, 403),
        ({"Origin": "http://testserver:8080"}, 403),
    ],
    ids=str,
)
async def test_handshakes_that_are_refused(changes: dict[str, str | None], status: int) -> None:
    headers = {name: value for name, value in {**HANDSHAKE, **changes}.items() if value}

    async with Client(app_of(lambda ctx: ctx.upgrade())) as client:
        response = await client.get("/", headers={"Host": "testserver", **headers})
    assert response.status == status
    if status == 426:
        assert response.headers["upgrade"] == "websocket"
    if "8" in changes.values():
        assert response.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://testserver"},
        {"Origin": "https://testserver"},  # behind a TLS proxy the scheme differs
        {"Connection": "keep-alive, UPGRADE", "Upgrade": "WebSocket"},
    ],
    ids=str,
)
async def test_handshakes_that_are_accepted(headers: dict[str, str]) -> None:
    async with Client(app_of(echo)) as client, client.websocket("/", headers=headers) as socket:
        await socket.send("x")
        assert await socket.receive() == "x"


async def test_a_post_is_no_handshake() -> None:
    async def middleware(ctx: Context) -> None:
        await ctx.upgrade()

    async with Client(app_of(middleware)) as client:
        assert (await client.post("/", headers=HANDSHAKE)).status == 400


async def test_after_the_response_began_it_is_an_error() -> None:
    async def middleware(ctx: Context) -> None:
        ctx.status = 200
        await ctx.flush_headers()
        with pytest.raises(RuntimeError, match="begun"):
            await ctx.upgrade()

    async with Client(app_of(middleware)) as client:
        assert (await client.get("/", headers=HANDSHAKE)).status == 200


@pytest.mark.parametrize(
    ("ending", "code", "reason", "errors"),
    [
        (None, 1000, "", 0),
        (ValueError("secret"), 1011, "", 1),
        (403, 1008, "Forbidden", 1),
        (503, 1011, "", 1),
    ],
)
async def test_the_end_of_the_chain_closes(
    ending: Any, code: int, reason: str, errors: int
) -> None:
    told: list[Any] = []

    async def middleware(ctx: Context) -> None:
        await ctx.upgrade()
        if isinstance(ending, int):
            ctx.throw(ending)
        if ending is not None:
            raise ending

    app = app_of(middleware)
    app.on("error", lambda err, ctx: told.append((err, ctx)))
    async with Client(app, raise_errors=False) as client, client.websocket("/") as socket:
        with pytest.raises(WebSocketClosed) as closed:
            await socket.receive()
    assert (closed.value.code, closed.value.reason, len(told)) == (code, reason, errors)


async def test_a_long_message_of_an_error_is_cut_to_what_a_close_frame_holds() -> None:
    async def middleware(ctx: Context) -> None:
        await ctx.upgrade()
        ctx.throw(400, "é" * 100)

    app = app_of(middleware)
    async with Client(app, raise_errors=False) as client, client.websocket("/") as socket:
        await socket.wait_closed()
        assert socket.close_reason == "é" * 61


async def test_upstream_stays_open_for_the_sockets_life() -> None:
    events: list[str] = []

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.on_detach(lambda ctx: events.append("detached"))
        await next()
        events.append("upstream")

    async with Client(app_of(upstream, echo)) as client, client.websocket("/") as socket:
        await socket.send("x")
        await socket.receive()
        assert events == ["detached"]
    assert events == ["detached", "upstream"]


async def test_respond_False_leaves_the_socket_to_its_owner() -> None:  # noqa: N802
    kept: list[WebSocket] = []

    async def middleware(ctx: Context) -> None:
        ctx.respond = False
        kept.append(await ctx.upgrade())

    async with Client(app_of(middleware)) as client, client.websocket("/") as socket:
        await kept[0].send("still open")
        assert await socket.receive() == "still open"
        await asyncio.gather(kept[0].close(4000, "mine"), socket.wait_closed())
        assert (socket.close_code, socket.close_reason) == (4000, "mine")


async def test_on_finished_runs_after_the_sockets_end() -> None:
    events: list[Any] = []

    async def middleware(ctx: Context) -> None:
        socket = await ctx.upgrade()
        ctx.on_finished(lambda err, ctx: events.append((err, socket.closed)))

    async with Client(app_of(middleware)) as client, client.websocket("/") as socket:
        await socket.wait_closed()
    assert events == [(None, True)]


async def test_defaults_are_the_apps_and_the_call_goes_before_them() -> None:
    async def middleware(ctx: Context) -> None:
        await ctx.upgrade(origins=["https://b.example"] if ctx.path == "/b" else "*")

    app = app_of(middleware)
    assert upgrade(app, subprotocols=["chat"]) is app
    async with Client(app) as client:
        async with client.websocket("/", subprotocols=["x", "chat"]) as socket:
            assert socket.subprotocol == "chat"
        with pytest.raises(UpgradeRefused):
            async with client.websocket("/b", headers={"Origin": "https://c.example"}):
                raise AssertionError
        async with client.websocket("/b", headers={"Origin": "https://B.example"}) as socket:
            assert socket.subprotocol is None


def test_an_unknown_default_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no option size.*max_message_size"):
        upgrade(Ohia(), size=5)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"size": 5}, TypeError),
        ({"max_queue": 0}, ValueError),
        ({"ping_interval": 0}, ValueError),
    ],
)
async def test_an_option_that_cannot_work_is_refused_while_one_can_still_answer(
    options: dict[str, Any], error: type[Exception]
) -> None:
    async def middleware(ctx: Context) -> None:
        with pytest.raises(error, match=next(iter(options))):
            await ctx.upgrade(**options)
        ctx.status = 204

    async with Client(app_of(middleware)) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                raise AssertionError
    assert refused.value.response.status == 204


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "admitted"),
    [
        (None, "a.com", None, True),
        ("http://a.com", "a.com", None, True),
        ("http://a.com", "a.com:80", None, True),
        ("https://a.com", "a.com:443", None, True),
        ("http://A.com:8080", "a.com:8080", None, True),
        ("http://a.com.evil", "a.com", None, False),
        ("http://a.com@evil", "a.com", None, False),
        ("http://evil", "", None, False),
        ("file://a.com", "a.com", None, False),
        ("", "", None, False),
        ("http://[", "[", None, False),
        ("http://x", "a.com", "*", True),
        ("http://x", "a.com", ["*"], True),
        ("http://x", "a.com", ["http://x"], True),
        ("http://x.evil", "a.com", ["http://x"], False),
        ("null", "a.com", ["null"], True),
    ],
)
def test_origins(origin: str | None, host: str, allowed: Any, admitted: bool) -> None:
    if admitted:
        check_origin(origin, host, allowed)
    else:
        with pytest.raises(Forbidden):
            check_origin(origin, host, allowed)


def test_a_refused_origin_is_logged_with_the_option_that_admits_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(Forbidden):
        check_origin("https://evil.com\r\nx", "a.com", None)
    assert "'https://evil.com\\r\\nx'" in caplog.text
    assert "'a.com'" in caplog.text
    assert "origins=" in caplog.text


@pytest.mark.parametrize(
    ("offered", "ours", "chosen"),
    [
        (["a, b", "c"], ["c", "b"], "c"),
        (["a"], [], None),
        ([], ["a"], None),
        ([" " * 16_000 + "a"], ["a"], "a"),  # CVE-2021-32640
        (["a b"], ["a b"], None),
    ],
)
def test_subprotocols(offered: list[str], ours: list[str], chosen: str | None) -> None:
    assert choose_subprotocol(offered, ours) == chosen


def test_headers_of_a_body_and_of_the_handshake_are_not_on_the_101() -> None:
    set_so_far = Headers({"Content-Length": "3", "Sec-WebSocket-Accept": "x", "X": "1"})
    assert list(accept_headers(set_so_far, {"Upgrade": "x"}).lines()) == [("X", "1")]


async def test_middleware_that_only_looks_runs_for_both_kinds() -> None:
    paths: list[str] = []

    async def logger(ctx: Context, next: Next) -> None:
        await next()
        paths.append(f"{ctx.method} {ctx.path} {ctx.status}")

    async with Client(app_of(logger, echo)) as client:
        await client.get("/page")
        async with client.websocket("/socket"):
            pass
    assert paths == ["GET /page 404", "GET /socket 101"]


async def test_an_upgrade_that_a_hook_prevents_can_still_be_answered() -> None:
    async def falling_back(ctx: Context) -> None:
        def failing(ctx: Context) -> None:
            raise ValueError

        ctx.status = 200
        ctx.before_send(failing)
        with pytest.raises(ValueError):  # noqa: PT011 - its own
            await ctx.upgrade()
        ctx.body = "fallback"

    async with Client(app_of(falling_back)) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                pass
    assert (refused.value.response.status, refused.value.response.text) == (200, "fallback")


async def test_a_send_while_the_server_goes_away_is_no_error() -> None:
    errors: list[Any] = []
    refused = asyncio.Event()

    async def sending(ctx: Context) -> None:
        socket = await ctx.upgrade()
        try:
            while True:
                await socket.send("tick")
                await asyncio.sleep(0)
        finally:
            refused.set()

    app = app_of(sending)
    app.on("error", errors.append)
    async with app.listen(0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        lines = ("GET / HTTP/1.1", *(f"{name}: {value}" for name, value in HANDSHAKE.items()))
        writer.write("\r\n".join((*lines, "Host: x", "", "")).encode())
        await reader.readuntil(b"tick")
        closing = asyncio.create_task(server.close())
        await refused.wait()  # the client has not answered the Close yet
        writer.close()
        await closing
    assert errors == []
