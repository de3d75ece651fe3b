"""A line per request, measured to its last byte."""

import asyncio
import io
import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohia import Context, Next, Ohia
from ohia.middleware.logger import Entry, logger
from ohia.middleware.request_id import request_id
from ohia.testing import Client, UpgradeRefused


def app_of(lines: list[str], *middleware: Any, **options: Any) -> Ohia:
    app: Ohia = Ohia(env="test")
    app.use(logger(write=lines.append, **options), *middleware)
    app.on("error", lambda error: None)
    return app


async def log(
    *middleware: Any, method: str = "GET", url: str = "/", headers: Any = None, **options: Any
) -> list[str]:
    """Return the lines that one request leaves, with times as 0."""
    lines: list[str] = []
    async with Client(app_of(lines, *middleware, **options), raise_errors=False) as client:
        await client.request(method, url, headers=headers)
    return [re.sub(r"[\d.,]+ ?ms\b", "0ms", line) for line in lines]


def hello(ctx: Context) -> None:
    ctx.body = "hello"


async def pieces() -> AsyncIterator[bytes]:
    yield b"abc"
    yield b"d" * 1500


def answer(ctx: Context) -> None:
    match ctx.path:
        case "/204":
            ctx.status = 204
        case "/400":
            ctx.throw(400, "no")
        case "/500":
            raise ValueError
        case "/1500":
            ctx.body = "x" * 1500
        case "/pieces":
            ctx.body = pieces()
        case "/hello":
            ctx.body = "hello"


# --- dev -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "out"),
    [  # what koa-logger 4 prints, but for the lengths of errors and of what has no length
        ("/hello", "--> GET /hello 200 0ms 5b"),
        ("/hello?a=b%20c", "--> GET /hello?a=b%20c 200 0ms 5b"),
        ("/204", "--> GET /204 204 0ms"),
        ("/1500", "--> GET /1500 200 0ms 1.46kb"),
        ("/404", "--> GET /404 404 0ms 9b"),
        ("/pieces", "--> GET /pieces 200 0ms 1.47kb"),
        ("/400", "xxx GET /400 400 0ms 2b"),
        ("/500", "xxx GET /500 500 0ms 21b"),
    ],
)
async def test_dev_has_a_line_in_and_a_line_out(url: str, out: str) -> None:
    assert await log(answer, url=url) == [f"  <-- GET {url}", f"  {out}"]


async def test_dev_in_colours() -> None:
    grey, bold, end = "\x1b[90m", "\x1b[1m", "\x1b[39m"
    begin, result = await log(answer, url="/404", colors=True)
    assert begin == f"  {grey}<--{end} {bold}GET\x1b[22m {grey}/404{end}"
    assert result == (
        f"  {grey}-->{end} {bold}GET\x1b[22m {grey}/404{end}"
        f" \x1b[33m404{end} {grey}0ms{end} {grey}9b{end}"
    )
    assert "\x1b[31m500" in (await log(answer, url="/500", colors=True))[1]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stderr", "environment", "is_coloured"),
    [(Terminal, "", True), (Terminal, "1", False), (io.StringIO, "", False)],
)
async def test_it_writes_to_stderr_in_colours_on_a_terminal(
    stderr: type[io.StringIO],
    environment: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_coloured: bool,
) -> None:
    stream = stderr()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("NO_COLOR", environment)
    app: Ohia = Ohia(env="test")
    app.use(logger(), hello)
    async with Client(app) as client:
        await client.get("/")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert ("\x1b" in stream.getvalue()) is is_coloured


# --- tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        (":method :url", "GET /a?b"),
        ("tiny", "GET /a?b 200 5 - 0ms"),
        ("short", "127.0.0.1 - GET /a?b HTTP/1.1 200 5 - 0ms"),
        ("common", '127.0.0.1 - - [DATE] "GET /a?b HTTP/1.1" 200 5'),
        (
            "combined",
            '127.0.0.1 - - [DATE] "GET /a?b HTTP/1.1" 200 5 "http://b/" "curl/8"',
        ),
        (":req[X-One] :res[content-type] :req[none]", "1 text/plain; charset=utf-8 -"),
        (":event :outcome :error :route :request-id", "response ok - - -"),
        (":response-time[0] ms :total-time[1] ms", "0ms 0ms"),
        ("the end :status.", "the end 200."),
    ],
)
async def test_templates(format: str, expected: str) -> None:
    headers = {"User-Agent": "curl/8", "Referer": "http://b/", "X-One": "1"}
    (line,) = await log(hello, url="/a?b", headers=headers, format=format)
    assert re.sub(r"\[\d\d/[A-Z][a-z]{2}/\d{4}(:\d\d){3} \+0000\]", "[DATE]", line) == expected


async def test_dates_and_the_process() -> None:
    (line,) = await log(hello, format=":date[iso]|:date[web]|:date|:pid")
    iso, web, default, pid = line.split("|")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", iso)
    assert web.endswith(" GMT")
    assert default.endswith(" GMT")
    assert pid.isdigit()


async def test_tokens_of_ones_own() -> None:
    def user(ctx: Context) -> str | None:
        return "tobi" if ctx.path == "/tobi" else None

    options: Any = {"format": ":remote-user :who", "tokens": {"remote-user": user, "who": user}}
    assert await log(hello, url="/tobi", **options) == ["tobi tobi"]
    assert await log(hello, **options) == ["- -"]


@pytest.mark.parametrize("format", ["combiend", ":metod"])
def test_an_unknown_format_or_token_is_refused_at_use(format: str) -> None:
    with pytest.raises(ValueError, match=r"combined|:method"):
        logger(format)


async def test_a_function_formats_entries() -> None:
    def line(entry: Entry) -> str | None:
        return f"{entry.status} {entry.size} {entry.seconds > 0}" if entry.status == 200 else None

    assert await log(answer, url="/hello", format=line) == ["200 5 True"]
    assert await log(answer, url="/404", format=line) == []


async def test_skip_leaves_lines_out() -> None:
    def is_dull(ctx: Context) -> bool:
        return ctx.status < 400

    assert await log(answer, url="/hello", format="tiny", skip=is_dull) == []
    assert len(await log(answer, url="/404", format="tiny", skip=is_dull)) == 1


async def test_a_log_that_fails_is_told_and_stops_no_request() -> None:
    def fail(line: str) -> None:
        raise OSError(line)

    async def respond(ctx: Context) -> None:
        if ctx.upgradable:
            await ctx.upgrade()
        ctx.body = "hello"

    errors: list[str] = []
    app: Ohia = Ohia(env="test")
    app.use(logger(":event", write=fail), respond)
    app.on("error", lambda error: errors.append(str(error)))
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).text == "hello"
        async with client.websocket("/") as socket:
            await socket.wait_closed()
    assert errors == ["response", "upgrade", "socket"]


# --- JSON ------------------------------------------------------------------------------------


async def test_json_is_one_object_a_line() -> None:
    headers = {"User-Agent": "é"}
    (line,) = await log(request_id(), answer, url="/500?a", headers=headers, format="json")
    assert line.isascii()
    assert line.isprintable()
    fields = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", fields.pop("time"))
    assert fields.pop("ms") >= 0
    assert len(fields.pop("request_id")) == 36
    assert fields == {
        "event": "response",
        "method": "GET",
        "url": "/500?a",
        "status": 500,
        "outcome": "error",
        "bytes": 21,
        "ip": "127.0.0.1",
        "user_agent": "é",
        "error": "ValueError",
    }


# --- what must not get into a log ------------------------------------------------------------

HOSTILE = 'a"\\ \x1b[2J\u0085\u00a0\x7f\tb'


@pytest.mark.parametrize("format", ["combined", ":user-agent", "json", ":req[user-agent]"])
async def test_one_line_whatever_the_client_sends(format: str) -> None:
    """Security, row 68."""

    def hostile(ctx: Context) -> None:
        ctx.headers.put("User-Agent", HOSTILE)  # as a foreign server may hand it over

    (line,) = await log(hostile, format=format)
    assert line.isprintable()
    assert '"GET / HTTP/1.1"' in line or format != "combined"
    assert 'a\\"\\\\ \\' in line


@pytest.mark.parametrize("format", ["dev", "combined", "json", ":method :url :route"])
async def test_controls_in_path_and_method_are_escaped(format: str) -> None:
    """Security, row 68: as a foreign server may hand them over, U+2028 too."""

    async def rewritten(ctx: Context, next: Next) -> None:
        ctx.method = "GET\r\nFORGED"
        ctx.app.context.route = "/\u2028\x1b[31m"  # type: ignore[assignment,unused-ignore]
        await next()

    for line in await log(rewritten, hello, format=format):
        assert line.isprintable()
        assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    "format",
    [
        "combined",
        "json",
        "dev",
        ":req[Authorization] :req[COOKIE] :req[proxy-authorization] :req[x-api-key] :res[vary]",
        ":res[Set-Cookie] :res[set-cookie] :req[COOKIE] :req[AUTHORIZATION]",
    ],
)
async def test_credentials_are_never_shown(format: str) -> None:
    """Security, row 70."""

    def login(ctx: Context) -> None:
        ctx.cookies.set("session", "SECRET")
        ctx.throw(401, "no")

    headers = {
        "Authorization": "Basic U0VDUkVUOlNFQ1JFVA==",
        "Proxy-Authorization": "SECRET",
        "Cookie": "a=SECRET",
        "X-Api-Key": "SECRET",
    }
    lines = "".join(await log(login, headers=headers, format=format))
    assert lines
    assert "SECRET" not in lines
    assert "U0VD" not in lines
    assert ("*** *** *** ***" in lines) is format.startswith(":req")


# --- ends ------------------------------------------------------------------------------------


async def test_the_line_comes_after_the_last_byte() -> None:
    lines: list[str] = []
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await go_on.wait()
        yield b"b"

    def middleware(ctx: Context) -> None:
        ctx.body = slow()

    app = app_of(lines, middleware, format=":status :bytes")
    async with Client(app) as client, client.stream("GET", "/") as response:
        await anext(response)
        assert lines == []
        go_on.set()
        await response.read()
    assert lines == ["200 2"]


async def test_a_client_that_goes_is_marked() -> None:
    lines: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    def middleware(ctx: Context) -> None:
        ctx.body = endless()

    async with (
        Client(app_of(lines, middleware)) as client,
        client.stream("GET", "/") as response,
    ):
        await anext(response)
    assert lines[1].startswith("  -x- GET / 200 ")


async def test_a_client_that_goes_before_the_answer_has_no_status() -> None:
    lines: list[str] = []
    reached = asyncio.Event()

    async def middleware(ctx: Context) -> None:
        reached.set()
        await ctx.disconnected.wait()
        ctx.body = "late"

    app = app_of(lines, middleware, format=":status :outcome")
    async with Client(app) as client:
        request = asyncio.create_task(client.get("/"))
        await reached.wait()
        request.cancel()
        await asyncio.wait([request])
    assert lines == ["- cut"]


async def test_an_in_chain_stream_passes_through_it_and_is_counted() -> None:
    async def middleware(ctx: Context) -> None:
        async with ctx.stream() as out:
            await out.write(b"x" * 10)
            await out.write(b"x" * 10)

    assert await log(middleware, format=":event :status :bytes") == ["response 200 20"]


async def test_an_upgraded_request_has_a_line_at_both_ends_and_holds_nothing_else() -> None:
    lines: list[str] = []
    upgraded = asyncio.Event()

    async def middleware(ctx: Context) -> None:
        socket = await ctx.upgrade()
        upgraded.set()
        async for message in socket:
            await socket.send(message)

    app = app_of(lines, middleware, format=":event :status :outcome :bytes")
    async with Client(app) as client:
        async with client.websocket("/"):
            await upgraded.wait()
            assert lines == ["upgrade 101 ok -"]
        async with client.websocket("/") as socket:
            await socket.send("x")
            await socket.receive()
            socket.hang_up()
    assert lines[1:] == ["socket 1000 ok -", "upgrade 101 ok -", "socket 1006 cut -"]


async def test_sockets_look_so_in_dev() -> None:
    lines: list[str] = []

    async def middleware(ctx: Context) -> None:
        await ctx.upgrade()
        if ctx.path == "/fails":
            raise ValueError

    async with Client(app_of(lines, middleware), raise_errors=False) as client:
        for url in ("/live", "/fails"):
            async with client.websocket(url) as socket:
                await socket.wait_closed()
    assert [re.sub(r"\d+ms", "0ms", line) for line in lines] == [
        "  <-- GET /live",
        "  --> GET /live 101 0ms",
        "  --> GET /live 1000 0ms",
        "  <-- GET /fails",
        "  --> GET /fails 101 0ms",
        "  xxx GET /fails 1011 0ms",
    ]


async def test_a_refused_upgrade_has_the_line_of_its_answer() -> None:
    lines: list[str] = []

    def refuse(ctx: Context) -> None:
        ctx.throw(401)

    app = app_of(lines, refuse, format=":event :status :outcome")
    async with Client(app, raise_errors=False) as client:
        with pytest.raises(UpgradeRefused):
            async with client.websocket("/"):
                raise AssertionError
    assert lines == ["response 401 error"]


async def test_the_bytes_on_the_wire_are_counted_by_the_server_too() -> None:
    lines: list[str] = []
    app = app_of(lines, answer, format=":url :bytes")
    async with app.listen(0, access_log=False) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for url in ("/hello", "/pieces"):
            writer.write(f"GET {url} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await reader.readuntil(b"0\r\n\r\n")
        writer.close()
    assert lines == ["/hello 5", "/pieces 1503"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_only_bytes_that_were_sent_count(method: str) -> None:
    lines = await log(hello, method=method, format=":bytes")
    assert lines == ["-" if method == "HEAD" else "5"]


async def later(*_: object) -> str:
    return ""


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("tiny", {"skip": later}),
        ("tiny", {"write": later}),
        (":own", {"tokens": {"own": later}}),
        (later, {}),
    ],
)
def test_async_functions_are_refused_for_nothing_would_await_them(
    format: Any, options: Any
) -> None:
    with pytest.raises(TypeError, match="is a plain function, got the async"):
        logger(format, **options)


async def test_an_awaitable_that_skip_returns_is_an_error_not_a_yes() -> None:
    errors: list[BaseException] = []
    app: Ohia = Ohia(env="test")
    app.use(logger("tiny", skip=lambda _: later()))
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        await client.get("/")
    assert [str(error)[:24] for error in errors] == ["skip is a plain function"]
