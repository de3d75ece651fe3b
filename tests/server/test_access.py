import asyncio
import contextlib
import logging
import re
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trustme
from websockets.asyncio.client import connect

from ohia.errors import ClientDisconnect
from ohia.exchange import Exchange, SocketOptions
from ohia.http.headers import Headers
from ohia.server.server import Server

Serve = Callable[..., AbstractAsyncContextManager[Server]]
Talk = Callable[[Server, bytes], Awaitable[bytes]]

GET = b"GET /a?b=%0A HTTP/1.1\r\nHost: a\r\n\r\n"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


async def hello(exchange: Exchange) -> None:
    exchange.send_response(200, "OK", Headers(), b"hello")


async def pieces(exchange: Exchange) -> None:
    exchange.send_head(200, "OK", Headers())
    exchange.send_piece(b"abc")
    exchange.send_piece(b"de")
    exchange.end()


async def half(exchange: Exchange) -> None:
    exchange.send_head(200, "OK", Headers())
    exchange.send_piece(b"abc")
    exchange.abort()


async def silent(exchange: Exchange) -> None:
    exchange.abort()


async def empty(exchange: Exchange) -> None:
    exchange.send_response(304, "Not Modified", Headers(), b"hello")


async def greet(exchange: Exchange) -> None:
    socket = await exchange.upgrade(Headers(), None, SocketOptions())
    socket.send("hello")
    socket.send(b"you")
    await socket.close()


@pytest.mark.parametrize(
    ("answer", "request_", "line"),
    [
        (hello, GET, r"GET /a\?b=%0A 200 5 \d+\.\d"),
        (hello, GET.replace(b"GET", b"HEAD"), r"HEAD /a\?b=%0A 200 0 \d+\.\d"),
        (pieces, GET, r"GET /a\?b=%0A 200 5 \d+\.\d"),
        (empty, GET, r"GET /a\?b=%0A 304 0 \d+\.\d"),
        (half, GET, r"GET /a\?b=%0A 200 3 \d+\.\d cut"),
        (silent, GET, r"GET /a\?b=%0A - 0 \d+\.\d cut"),
        (hello, b"GET /\x1b[2J\r\nHost: a\r\n\r\n", r"refused 400 from 127.0.0.1: GET /\\x1b.*"),
        (hello, b"GET / HTTP/9.1\r\n\r\n", r"refused 505 from 127.0.0.1: GET / HTTP/9.1.*"),
        (hello, b"\xff" * 9000, r"refused 400 from 127.0.0.1: (\\xff){100}\.\.\."),
    ],
)  # fmt: skip
async def test_a_request_has_one_line_at_its_end(
    serve: Serve,
    talk: Talk,
    caplog: pytest.LogCaptureFixture,
    answer: Callable[[Exchange], Awaitable[None]],
    request_: bytes,
    line: str,
) -> None:
    caplog.set_level(logging.INFO, "ohia.access")
    async with serve(answer) as server:
        await talk(server, request_)
    (record,) = [each for each in caplog.records if each.name == "ohia.access"]
    assert re.fullmatch(line, record.getMessage())


async def test_a_websocket_has_one_line_when_it_has_closed(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ohia.access")
    async with serve(greet) as server:
        async with connect(f"ws://127.0.0.1:{server.port}/ws") as client:
            assert [each async for each in client] == ["hello", b"you"]
        await until(lambda: server.connections == 0)
    (record,) = [each for each in caplog.records if each.name == "ohia.access"]
    assert re.fullmatch(r"GET /ws 101 8 \d+\.\d", record.getMessage())


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)


async def test_values_are_there_for_structured_logs(
    serve: Serve, talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ohia.access")
    async with serve(hello) as server:
        await talk(server, GET)
    (record,) = [each for each in caplog.records if each.name == "ohia.access"]
    assert isinstance(record.args, tuple)
    method, target, status, size, milliseconds = record.args
    assert (method, target, status, size) == ("GET", "/a?b=%0A", 200, 5)
    assert isinstance(milliseconds, float)


async def test_a_client_that_had_gone_got_nothing(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ohia.access")

    async def late(exchange: Exchange) -> None:
        await exchange.disconnected.wait()
        with pytest.raises(ClientDisconnect):
            exchange.send_response(200, "OK", Headers(), b"hello")

    async with serve(late) as server:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        await until(lambda: server.connections == 1)
        reset = struct.pack("ii", 1, 0)  # SO_LINGER: on, no seconds
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        writer.transport.abort()
        await until(lambda: server.connections == 0)
    (record,) = [each for each in caplog.records if each.name == "ohia.access"]
    assert re.fullmatch(r"GET /a\?b=%0A - 0 \d+\.\d cut", record.getMessage())


async def test_a_handler_of_logging_that_raises_stops_no_connection(
    serve: Serve, talk: Talk, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("the disk is full")

    logger, broken = logging.getLogger("ohia.access"), Broken()
    logger.addHandler(broken)
    try:
        async with serve(hello, access_log=True) as server:
            data = await talk(server, GET + GET + b"\0" + b"\0" * 99)
    finally:
        logger.removeHandler(broken)
        logger.setLevel(logging.NOTSET)
    assert data.count(b"hello") == 2
    assert b"HTTP/1.1 400 " in data
    assert capsys.readouterr().err.count("RuntimeError: the disk is full") == 1


async def test_what_speaks_no_tls_has_a_line(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ohia.access")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with serve(hello, tls=context) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        await until(lambda: bool(caplog.records))
    (record,) = [each for each in caplog.records if each.name == "ohia.access"]
    assert record.getMessage().startswith("refused TLS from 127.0.0.1: ")


async def test_what_is_answered_in_one_connection_has_a_line_each(
    serve: Serve, talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ohia.access")
    async with serve(hello) as server:
        await talk(server, GET * 3 + b"\0" + b"\0" * 99)
    names = [each.getMessage().split()[0] for each in caplog.records if each.name == "ohia.access"]
    assert names == ["GET", "GET", "GET", "refused"]


@pytest.mark.parametrize(
    ("options", "level", "lines"),
    [
        ({}, logging.WARNING, 0),
        ({"access_log": False}, logging.INFO, 0),
        ({"access_log": True}, logging.NOTSET, 1),
    ],
)
async def test_within_a_loop_it_is_off_unless_asked_for(
    serve: Serve,
    talk: Talk,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
    level: int,
    lines: int,
) -> None:
    logger = logging.getLogger("ohia.access")
    logger.setLevel(level)
    try:
        async with serve(hello, **options) as server:
            await talk(server, GET)
    finally:
        logger.setLevel(logging.NOTSET)
    assert len([each for each in caplog.records if each.name == "ohia.access"]) == lines


async def test_it_stays_below_a_level_that_was_set(
    serve: Serve, talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "ohia.access")
    async with serve(hello, access_log=True) as server:
        await talk(server, GET)
    assert caplog.records == []


SCRIPT = """
import os, signal, threading, urllib.request
from ohia import Ohia

app = Ohia()

@app.use
async def hello(ctx):
    ctx.body = "hello"

server = app.listen(0, {options})

def client():
    for _ in range(3):
        urllib.request.urlopen(server.url + "/x").read()
    os.kill(os.getpid(), signal.SIGTERM)

@app.lifespan
async def start(app):
    threading.Timer(0.1, client).start()
    yield

{configure}
server.run()
"""


@pytest.mark.parametrize(
    ("options", "configure", "expected"),
    [
        ("", "", (STAMP + r"GET /x 200 5 \d+\.\d\n") * 3),
        ("access_log=False", "", ""),
        (
            "",
            "import logging; logging.basicConfig(format='%(name)s %(levelname)s: %(message)s')",
            r"(ohia\.access INFO: GET /x 200 5 \d+\.\d\n){3}",
        ),
        (
            "",
            "import logging as l; l.basicConfig(); l.getLogger('ohia.access').setLevel('ERROR')",
            "",
        ),
    ],
)
def test_run_writes_it_to_stderr_or_to_the_handlers_of_logging(
    options: str, configure: str, expected: str
) -> None:
    script = textwrap.dedent(SCRIPT).format(options=options, configure=configure)
    done = subprocess.run(  # noqa: S603 - the script above
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, check=True, timeout=15
    )
    first, _, rest = done.stderr.partition("\n")
    assert first.startswith("ohia: listening on ")
    assert re.fullmatch(expected, rest)
