"""What goes wrong around a server: handlers, clients, files, clocks, memory, stderr.

Each fault is provoked for real: over sockets, and in a process of its own where it concerns one.
"""

import asyncio
import contextlib
import gc
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any

import pytest
from websockets.asyncio.client import connect

from ohia import Context, Next, Ohia
from ohia.errors import ClientDisconnect
from ohia.http.headers import Headers
from ohia.server.server import Server

Read = Callable[..., list[tuple[int, Headers, bytes]]]
Handler = Callable[[Context[Any]], Awaitable[None]]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
TOLD = 1.0  # seconds in which an application hears that its client has gone


@pytest.fixture
def told() -> Iterator[list[tuple[BaseException, bool]]]:
    """Errors that the application was told of, each with whether the head had left."""
    errors: list[tuple[BaseException, bool]] = []
    yield errors
    errors.clear()


@pytest.fixture
def app(told: list[tuple[BaseException, bool]]) -> Ohia[Any]:
    """An application that answers /next, and leaves the rest to what a test uses."""
    app: Ohia[Any] = Ohia(env="test")
    app.on("error", lambda error, ctx: told.append((error, error.header_sent)))

    @app.use
    async def answer_next(ctx: Context[Any], next: Next) -> None:
        if ctx.path == "/next":
            ctx.body = "next"
        else:
            await next()

    return app


@pytest.fixture
async def loop_problems() -> AsyncIterator[list[dict[str, Any]]]:
    """What nobody retrieved: it goes to the loop's exception handler."""
    problems: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))
    yield problems
    gc.collect()
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert problems == []


async def exchange(server: Server, *requests: bytes) -> bytes:
    """Send `requests` at once; return what comes until the connection is closed, or cut."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"".join(requests))
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := await reader.read(65536):
            data += piece
    writer.close()
    return data


# --- Handlers that fail


async def test_an_error_after_the_head_cuts_and_is_told_once(
    app: Ohia[Any], told: list[tuple[BaseException, bool]]
) -> None:
    async def pieces() -> AsyncIterator[str]:
        yield "one"
        raise LookupError("late")

    @app.use
    async def answer(ctx: Context[Any], next: Next) -> None:
        ctx.body = pieces()

    async with app.listen(0) as server:
        data = await exchange(server, GET)
        assert data.startswith(b"HTTP/1.1 200 OK")
        assert not data.endswith(b"0\r\n\r\n")
        assert (await exchange(server, NEXT)).endswith(b"next")
    assert [(str(error), header_sent) for error, header_sent in told] == [("late", True)]


class Odd(BaseException):
    """None of the errors that `except Exception` takes."""


def recurse(depth: int) -> int:
    return recurse(depth + 1) + 1


@pytest.mark.parametrize(
    "fault",
    [
        SystemExit,
        KeyboardInterrupt,
        GeneratorExit,
        asyncio.CancelledError,
        Odd,
        MemoryError,
        recurse,
    ],
)
async def test_whatever_a_handler_raises_is_a_500_and_the_connection_goes_on(
    app: Ohia[Any],
    told: list[tuple[BaseException, bool]],
    read_responses: Read,
    fault: Callable[..., BaseException],
) -> None:
    @app.use
    async def answer(ctx: Context[Any], next: Next) -> None:
        raise fault(0)

    async with app.listen(0) as server:
        data = await exchange(server, GET, NEXT)
    assert [status for status, _, _ in read_responses(data, "GET", "GET")] == [500, 200]
    assert len(told) == 1


async def test_an_error_listener_that_raises_changes_no_answer(
    app: Ohia[Any], read_responses: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    @app.on("error")
    def fail(error: BaseException) -> None:
        raise SystemExit("the listener's own")

    @app.use
    async def answer(ctx: Context[Any], next: Next) -> None:
        raise LookupError

    async with app.listen(0) as server:
        data = await exchange(server, GET, NEXT)
    assert [status for status, _, _ in read_responses(data, "GET", "GET")] == [500, 200]
    assert capsys.readouterr().err.count("SystemExit: the listener's own") == 1


# --- Clients that go


@pytest.mark.parametrize("kind", ["raises", "never ends", "is quiet"])
async def test_a_source_is_closed_whatever_ends_it(
    app: Ohia[Any],
    loop_problems: list[dict[str, Any]],
    told: list[tuple[BaseException, bool]],
    kind: str,
) -> None:
    closed = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield bytes(1000)
            if kind == "raises":
                raise LookupError
            while kind == "never ends":
                yield bytes(65536)
            await asyncio.Event().wait()
        finally:
            closed.set()

    @app.use
    async def answer(ctx: Context[Any], next: Next) -> None:
        ctx.body = pieces()

    async with app.listen(0) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        await reader.readexactly(1000)
        writer.transport.abort()
        async with asyncio.timeout(TOLD):
            await closed.wait()
    assert [type(error) for error, _ in told] == ([LookupError] if kind == "raises" else [])


async def going(ctx: Context[Any]) -> None:
    await ctx.disconnected.wait()


async def uploading(ctx: Context[Any]) -> None:
    with pytest.raises(ClientDisconnect):
        await ctx.request.read()


async def downloading(ctx: Context[Any]) -> None:
    with pytest.raises(ClientDisconnect):
        await stream_for_ever(ctx)


async def stream_for_ever(ctx: Context[Any]) -> None:
    async with ctx.stream() as stream:
        while True:
            await stream.write(bytes(65536))


@pytest.mark.parametrize("waits", [going, uploading, downloading])
async def test_a_handler_hears_within_a_second_that_its_client_was_cut(
    app: Ohia[Any], waits: Handler
) -> None:
    begun, heard = asyncio.Event(), asyncio.Event()

    @app.use
    async def answer(ctx: Context[Any], next: Next) -> None:
        begun.set()
        await waits(ctx)
        heard.set()

    async with app.listen(0) as server:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nabc")
        await begun.wait()
        writer.transport.abort()
        async with asyncio.timeout(TOLD):
            await heard.wait()


async def test_a_client_that_goes_cancels_no_middleware(app: Ohia[Any]) -> None:
    notes: list[str] = []
    begun, done = asyncio.Event(), asyncio.Event()

    def layer(number: int) -> Callable[[Context[Any], Next], Awaitable[None]]:
        async def layer(ctx: Context[Any], next: Next) -> None:
            try:
                if number == 3:
                    begun.set()
                    await ctx.disconnected.wait()
                await next()
                notes.append(f"{number} after")
            finally:
                notes.append(f"{number} finally")
                if number == 1:
                    done.set()

        return layer

    app.use(*(layer(number) for number in range(1, 6)))
    async with app.listen(0) as server:
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        await begun.wait()
        writer.transport.abort()
        await done.wait()
    assert notes == [f"{number} {word}" for number in range(5, 0, -1) for word in WORDS]


WORDS = ("after", "finally")


# --- Files that change

SIZE = 16_000_000  # bytes, more than the kernel keeps for a client that does not read


async def serve_changing(app: Ohia[Any], path: Path, change: Callable[[], object]) -> bytes:
    """Return the answer with the file `path` as body, changed once it has begun."""

    @app.use
    async def answer(ctx: Context[Any], next: Next) -> None:
        ctx.body = path

    async with app.listen(0) as server:
        reader, writer = await asyncio.open_connection(*server.address, limit=1000)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        change()
        writer.write(NEXT)
        body = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while piece := await reader.read(65536):
                body += piece
        writer.close()
    return bytes(body)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"x" * SIZE)
    return path


async def test_a_file_that_is_cut_while_it_is_sent_cuts_the_answer(
    app: Ohia[Any], told: list[tuple[BaseException, bool]], file: Path
) -> None:
    def cut() -> None:
        with file.open("r+b") as opened:
            opened.truncate(SIZE // 2)

    body = await serve_changing(app, file, cut)
    assert len(body) < SIZE
    assert set(body) == set(b"x")
    assert [header_sent for _, header_sent in told] == [True]


async def test_a_file_that_grows_while_it_is_sent_has_its_old_length(
    app: Ohia[Any], told: list[tuple[BaseException, bool]], file: Path
) -> None:
    def grow() -> None:
        with file.open("ab") as opened:
            opened.write(b"y" * SIZE)

    body = await serve_changing(app, file, grow)
    assert body[:SIZE] == b"x" * SIZE
    assert body[SIZE:].startswith(b"HTTP/1.1 200 OK")
    assert body.endswith(b"next")
    assert told == []


async def test_a_file_that_is_removed_while_it_is_sent_is_sent_whole(
    app: Ohia[Any], file: Path
) -> None:
    body = await serve_changing(app, file, file.unlink)
    assert body[:SIZE] == b"x" * SIZE


async def test_a_file_that_is_removed_before_it_is_opened_is_a_whole_answer(
    app: Ohia[Any], read_responses: Read, file: Path
) -> None:
    @app.use
    async def answer(ctx: Context[Any], next: Next) -> None:
        ctx.body = file
        file.unlink()  # noqa: ASYNC240 - a fault, provoked

    async with app.listen(0) as server:
        data = await exchange(server, GET, NEXT)
    assert [status for status, _, _ in read_responses(data, "GET", "GET")] == [500, 200]


# --- Clocks


@pytest.mark.parametrize("jump", [3600, -3600])
async def test_a_clock_that_jumps_ends_nothing_and_is_followed_by_date(
    app: Ohia[Any], monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    # The shortest time-out sets the tick, by which a Date is late.
    async with app.listen(0, idle_timeout=30, head_timeout=0.4) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        first = await date_of_next(reader, writer)
        right = time.time
        monkeypatch.setattr(time, "time", lambda: right() + jump)
        async with asyncio.timeout(5):
            while abs(await date_of_next(reader, writer) - first - jump) > 60:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # until the next tick
        writer.close()


async def date_of_next(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    """Return the Date of one more answer, in seconds since 1970."""
    writer.write(NEXT.replace(b"Connection: close\r\n", b""))
    head = (await reader.readuntil(b"next")).decode()
    [date] = [line[6:] for line in head.split("\r\n") if line.startswith("Date: ")]
    return parsedate_to_datetime(date).timestamp()


# --- Many


async def test_the_context_variables_of_concurrent_requests_are_never_mixed(
    app: Ohia[Any],
) -> None:
    variable: ContextVar[str] = ContextVar("variable")
    count = 1000
    arrived = 0
    all_there = asyncio.Event()

    @app.use
    async def outer(ctx: Context[Any], next: Next) -> None:
        variable.set(ctx.path)
        await next()
        assert variable.get() == ctx.path

    @app.use
    async def inner(ctx: Context[Any], next: Next) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == count:
            all_there.set()
        await all_there.wait()
        assert app.current_context is ctx
        ctx.body = variable.get()

    async def ask(server: Server, number: int) -> bool:
        request = b"GET /%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % number
        return (await exchange(server, request)).endswith(b"\r\n\r\n/%d" % number)

    async with app.listen(0) as server:
        assert all(await asyncio.gather(*(ask(server, number) for number in range(count))))


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
STREAM = GET.replace(b"/ ", b"/stream ")


async def answer_all(ctx: Context[Any], next: Next) -> None:
    """Echo over a socket, stream without end, fail, or tell the length of the body."""
    if ctx.path == "/fail":
        raise LookupError
    if ctx.path == "/stream":
        ctx.body = endless()
    elif ctx.path == "/socket":
        websocket = await ctx.upgrade()
        async for message in websocket:
            await websocket.send(message)
    else:
        ctx.body = str(len(await ctx.request.read()))


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(1000)
        await asyncio.sleep(0)


async def cut(server: Server, request: bytes) -> None:
    """Go in the middle of a download or an upload."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(request)
    if request is STREAM:
        await reader.readexactly(2000)
    writer.transport.abort()


async def chat(server: Server) -> None:
    async with connect(f"ws://127.0.0.1:{server.port}/socket", proxy=None) as websocket:
        await websocket.send("x")
        assert await websocket.recv() == "x"


async def test_a_thousand_mixed_requests_leave_no_task_and_no_descriptor(app: Ohia[Any]) -> None:
    app.use(answer_all)
    async with app.listen(0) as server:
        await exchange(server, NEXT)
        before = asyncio.all_tasks(), open_descriptors()
        for _ in range(50):
            await asyncio.gather(
                exchange(server, GET * 8, POST, b"abc", NEXT),
                exchange(server, GET.replace(b"/ ", b"/fail "), NEXT),
                exchange(server, b"bad\r\n\r\n"),
                exchange(server, NEXT),
                cut(server, POST + b"a"),
                cut(server, STREAM),
                chat(server),
                chat(server),
            )
        async with asyncio.timeout(5):
            while server.connections or asyncio.all_tasks() != before[0]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # until the last cut has been noticed
        gc.collect()
        assert open_descriptors() <= before[1] + 1


# --- Processes

PROGRAM = """
import asyncio, sys
from ohia import Ohia

app = Ohia()
handed_over = 0

async def pieces():
    global handed_over
    while True:
        handed_over += 1
        yield bytes(65536)

def fail(depth):
    if depth:
        fail(depth - 1)
    raise LookupError("long" * 500)

@app.use
async def answer(ctx, next):
    if ctx.path == "/stream":
        ctx.body = pieces()
    elif ctx.path == "/handed_over":
        ctx.body = str(handed_over)
    elif ctx.path == "/fail":
        fail(50)
    else:
        ctx.body = "hello"

server = app.listen(0)
print(server.port, flush=True)
server.run()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own, on the port that its first line says."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def port_of(process: subprocess.Popen[str]) -> int:
    output: IO[str] | None = process.stdout
    assert output is not None
    return int(output.readline())


def memory_of(process: subprocess.Popen[str]) -> int:
    """Return the bytes of memory that `process` has now."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def ask(port: int, target: str = "/") -> bytes:
    """Return the answer to one request."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        request = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        client.sendall(request.encode())
        data = b""
        while piece := client.recv(65536):
            data += piece
    return data


has_statm = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells it")


@has_statm
def test_readers_that_stop_reading_cost_no_memory(process: subprocess.Popen[str]) -> None:
    port = port_of(process)
    ask(port)
    before = memory_of(process)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until_still(lambda: ask(port, "/handed_over"))
        assert memory_of(process) - before < 8_000_000


def wait_until_still(look: Callable[[], object], *, every: float = 0.2) -> None:
    """Return when `look` says the same twice in a row, the Date left out."""
    last: object = None
    for _ in range(50):
        now = look()
        assert isinstance(now, bytes)
        known, last = last, now.rpartition(b"\r\n")[2]
        if last == known != b"0":
            return
        time.sleep(every)
    raise AssertionError("it goes on and on")


@has_statm
def test_a_thousand_idle_connections_are_cheap_and_in_nobodys_way(
    process: subprocess.Popen[str],
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    port = port_of(process)
    count = 1000
    with contextlib.ExitStack() as stack:
        idle_client(stack, port)
        before = memory_of(process)
        for _ in range(count):
            idle_client(stack, port)
        assert ask(port).endswith(b"hello")
        assert (memory_of(process) - before) / count < 15_000


def idle_client(stack: contextlib.ExitStack, port: int) -> None:
    """Have one request answered, and stay."""
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    client.sendall(GET)
    data = b""
    while not data.endswith(b"hello"):
        data += client.recv(65536)


def test_a_stderr_that_nobody_reads_stops_no_answer(process: subprocess.Popen[str]) -> None:
    port = port_of(process)
    for _ in range(200):  # about 2 MB of tracebacks, and a pipe takes 64 KiB
        assert ask(port, "/fail").startswith(b"HTTP/1.1 500 ")
    assert ask(port).endswith(b"hello")
    process.terminate()
    assert process.wait(timeout=10) == 0
