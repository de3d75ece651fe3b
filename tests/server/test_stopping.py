"""How a server stops: what is under way is answered, what hangs is cut, nobody is reset."""

import asyncio
import concurrent.futures
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ohia.exchange import Exchange, SocketOptions
from ohia.http.headers import Headers
from ohia.server import connection
from ohia.server.server import Server

Serve = Callable[..., AbstractAsyncContextManager[Server]]
Talk = Callable[[Server, bytes], Awaitable[bytes]]
Make = Callable[[Callable[[Exchange], Awaitable[None]]], Any]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SIZE = 12_000_000  # bytes, more than kernels take at once


async def hello(exchange: Exchange) -> None:
    exchange.send_response(200, "OK", Headers(), b"hello")


@asynccontextmanager
async def connected(
    server: Server, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*server.address, **options)
    try:
        yield reader, writer
    finally:
        writer.close()


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)


@asynccontextmanager
async def closing(server: Server) -> AsyncIterator[None]:
    """Close `server` around what is inside, which begins when it drains."""
    task = asyncio.create_task(server.close())
    await until(lambda: server.handler.draining)
    yield
    await task


# --- What may still be on its way


async def test_a_request_sent_when_the_server_stops_is_answered(serve: Serve) -> None:
    async with serve(hello, grace=5) as server, connected(server) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"hello")
        async with closing(server):
            writer.write(GET)
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer


async def test_the_first_request_of_a_new_connection_is_answered_too(serve: Serve) -> None:
    async with serve(hello, grace=5) as server, connected(server) as (reader, writer):
        await until(lambda: server.connections > 0)
        async with closing(server):
            writer.write(GET)
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer


async def test_small_answers_leave_at_once(serve: Serve) -> None:
    seen: list[int] = []

    async def answer(exchange: Exchange) -> None:
        accepted = exchange.get_extra_info("socket")
        seen.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        await hello(exchange)

    async with serve(answer) as server, connected(server) as (reader, writer):
        writer.write(GET)
        await reader.readuntil(b"hello")
    assert seen == [1]


async def test_a_client_that_sends_nothing_more_is_not_waited_for(serve: Serve) -> None:
    async with serve(hello, grace=15) as server:
        async with connected(server) as (answered, writer), connected(server) as (new, _):
            writer.write(GET)
            await answered.readuntil(b"hello")
            async with asyncio.timeout(10):
                await server.close()
            assert await answered.read() == b""
            assert await new.read() == b""
        assert not server.was_cut


async def test_idle_connections_close_at_once_but_first_what_came_is_read(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LAST_REQUEST", -1.0)  # so that all are idle for long
    async with serve(hello, grace=5) as server:
        idle, busy = (socket.create_connection(server.address) for _ in range(2))
        for each in (idle, busy):
            each.sendall(GET)
            while b"hello" not in await asyncio.to_thread(each.recv, 4096):
                pass
        busy.sendall(GET)  # the loop does not turn before it closes
        await server.close()
        assert idle.recv(4096) == b""
        assert busy.recv(4096).startswith(b"HTTP/1.1 200")
        idle.close()
        busy.close()


async def test_a_connection_that_was_promised_to_stay_open_gets_one_more_answer(
    serve: Serve,
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if begun.is_set():
            await hello(exchange)
            return
        exchange.send_head(200, "OK", Headers())
        begun.set()
        await go_on.wait()
        exchange.end()

    async with serve(answer, grace=5) as server, connected(server) as (reader, writer):
        writer.write(GET)
        assert b"close" not in await reader.readuntil(b"\r\n\r\n")
        async with closing(server):
            go_on.set()
            await reader.readuntil(b"0\r\n\r\n")
            writer.write(GET)
            assert b"Connection: close" in await reader.read()


@pytest.mark.parametrize("reuse_port", [False, True])
async def test_whoever_waits_in_the_queue_is_answered(serve: Serve, *, reuse_port: bool) -> None:
    async with serve(hello, grace=5, reuse_port=reuse_port) as server:
        clients = [socket.create_connection(server.address) for _ in range(50)]
        closed = asyncio.create_task(server.close())
        for each in clients:
            each.sendall(GET)
        answers = [await asyncio.to_thread(read_all, each) for each in clients]
        await closed
    assert {each.partition(b"\r\n")[0] for each in answers} == {b"HTTP/1.1 200 OK"}


def read_all(client: socket.socket) -> bytes:
    with client:
        data = b""
        while piece := client.recv(65536):
            data += piece
        return data


async def test_a_websocket_that_opens_when_the_server_stops_is_told_to_go(serve: Serve) -> None:
    async def answer(exchange: Exchange) -> None:
        socket = await exchange.upgrade(Headers(), None, SocketOptions())
        await socket.wait_closed()

    async with serve(answer, grace=5) as server:
        raw = socket.create_connection(server.address)
        await until(lambda: server.connections > 0)
        async with closing(server):
            client = await connect("ws://a/", sock=raw, proxy=None)
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1001
    assert not server.was_cut


# --- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def serving(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_handshake_that_has_begun_leads_to_an_answer(
    serve: Serve, authority: trustme.CA
) -> None:
    async with serve(hello, grace=5, tls=serving(authority)) as server:
        raw = socket.create_connection(server.address)
        raw.settimeout(0)
        async with closing(server):
            reader, writer = await asyncio.open_connection(
                sock=raw, ssl=trusting(authority), server_hostname="localhost"
            )
            writer.write(GET)
            answer = await reader.read()
            writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer


async def test_a_handshake_that_never_comes_is_not_waited_for(
    serve: Serve, authority: trustme.CA
) -> None:
    async with serve(hello, grace=15, tls=serving(authority)) as server:
        with socket.create_connection(server.address):
            async with asyncio.timeout(10):
                await server.close()
    assert not server.was_cut


async def test_an_idle_client_that_does_not_say_goodbye_is_not_waited_for(
    serve: Serve, authority: trustme.CA
) -> None:
    options = {"ssl": trusting(authority), "server_hostname": "localhost"}
    async with (
        serve(hello, grace=15, tls=serving(authority)) as server,
        connected(server, **options) as (reader, writer),
    ):
        writer.write(GET)
        await reader.readuntil(b"hello")
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a full transport
        async with asyncio.timeout(10):
            await server.close()
        writer.transport.abort()
    assert not server.was_cut


# --- What does not end


async def test_a_lifespan_that_does_not_end_is_cancelled(
    application: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[str] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    handler = application(hello)
    server = await Server(handler).listen(0, grace=0).start()
    handler.shutdown = hang
    await server.close()
    assert ended == ["cancelled"]
    assert server.was_cut
    told = f"ohia: the lifespan of {server.url} did not end in time and is cancelled\n"
    assert capsys.readouterr().err == told


async def test_a_lifespan_that_fails_to_end_raises_after_all_is_closed(application: Make) -> None:
    async def fail() -> None:
        raise LookupError("no database")

    handler = application(hello)
    server = await Server(handler).listen(0).start()
    handler.shutdown = fail
    with pytest.raises(LookupError):
        await server.close()
    with socket.create_server(server.address):
        pass
    await server.wait_closed()


# --- Nothing is left


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_fifty_starts_and_stops_leave_nothing(application: Make, talk: Talk) -> None:
    handler = application(hello)
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    counts = set()
    for _ in range(50):
        async with Server(handler).listen(0) as server:
            assert b"hello" in await talk(server, GET)
        await asyncio.sleep(0)
        counts.add((open_descriptors(), len(asyncio.all_tasks())))
    assert len(counts) <= 2  # the client's own connection may still be closing
    assert handler.running == 0
    after = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == handlers


def test_two_loops_serve_at_once_and_leave_nothing(application: Make) -> None:
    before = open_descriptors(), threading.active_count()
    servers = [Server(application(hello)).listen(0) for _ in range(2)]
    both = threading.Barrier(2)

    async def main(server: Server, other: Server) -> None:
        async with server:
            await asyncio.to_thread(both.wait)
            reader, writer = await asyncio.open_connection(*other.address)
            writer.write(GET)
            assert b"hello" in await reader.readuntil(b"hello")
            writer.close()
            await writer.wait_closed()
            await asyncio.to_thread(both.wait)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = servers
        runs = [
            pool.submit(asyncio.run, main(first, second)),
            pool.submit(asyncio.run, main(second, first)),
        ]
        for each in runs:
            each.result(10)
    assert (open_descriptors(), threading.active_count()) == before


# --- Processes

PROGRAM = """
import asyncio, contextlib, os, resource, signal, sys, time
import ohia.server.run as server
from ohia import Ohia
if {loop!r} == "asyncio":
    server.new_event_loop = asyncio.new_event_loop
run, app, held = server.run, Ohia(), []

def say(word):
    os.write(1, f"{{word}}\\n".encode())

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            say("no")

@app.lifespan
async def lifespan(app):
    yield
    {ending}

@app.use
async def answer(ctx, next):
    if ctx.path != "/load":
        say(ctx.path)
    {answer}
    ctx.body = "hello"

def listen(*args, **options):
    return app.listen(*args, access_log=False, **options)

{main}
say("after")
"""


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def program(
    main: str,
    *,
    loop: str = "uvloop",
    answer: str = "pass",
    ending: str = "pass",
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[str]]:
    text = PROGRAM.format(main=textwrap.dedent(main), loop=loop, ending=ending, answer=answer)
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip("\n")


def url_port(process: subprocess.Popen[str]) -> int:
    text = line(process.stderr)
    assert text.startswith("ohia: listening on "), text
    return int(text.rpartition(":")[2])


def asking(port: int, target: str = "/") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=15)
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return client


def wait_until_refused(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it came at the moment of the closing


def test_what_outlasts_the_grace_is_cut_and_the_status_tells(loop: str) -> None:
    answer = """
    try:
        await asyncio.sleep(60)
    finally:
        say("cancelled")
    """
    main = "listen(0, grace=0.2).run()"
    with (
        program(main, loop=loop, answer=answer) as process,
        asking(url_port(process), "/slow"),
    ):
        assert line(process.stdout) == "/slow"
        process.terminate()
        out, error = process.communicate()
    assert (process.returncode, out) == (4, "cancelled\n")
    assert re.fullmatch(r"ohia: what still ran on \S+ after 0.2 seconds was cut\n", error)


HANGING = [
    ("await asyncio.sleep(60)", "pass"),
    ("await stubborn()", "pass"),
    ("await asyncio.to_thread(time.sleep, 60)", "pass"),
    ("time.sleep(60)", "pass"),
    ("say('go')", "await asyncio.sleep(60)"),
    ("say('go')", "await stubborn()"),
]


# Coverage saves what it has before os._exit, here in a thread; at the same time as the main thread,
# when the interpreter just ends by itself, its database breaks.
PLAIN_EXIT = "import posix, ohia.server.stopping\nos._exit = posix._exit\n"


@pytest.mark.parametrize(
    ("loop", "answer", "ending"),
    [("uvloop", *each) for each in HANGING] + [("asyncio", *each) for each in HANGING[3:5]],
)
def test_a_second_signal_ends_whatever_hangs(loop: str, answer: str, ending: str) -> None:
    main = f"{PLAIN_EXIT}ohia.server.stopping.HURRY = 0.5\nlisten(0).run()"
    with program(main, loop=loop, answer=answer, ending=ending) as process:
        port = url_port(process)
        with asking(port):
            assert line(process.stdout) == "/"
            process.terminate()
            if not answer.startswith("time"):  # a loop that is blocked closes nothing
                wait_until_refused(port)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            process.communicate()
    # Two signals that come at once are handled in the order of their numbers.
    assert process.returncode in ({130, 143} if answer.startswith("time") else {130})
    assert time.monotonic() - began < 10


IMPATIENT = f"""
{PLAIN_EXIT}
import ohia.server.server, ohia.server.service
ohia.server.service.LAST_WORDS = ohia.server.server.LAST_WORDS = 0.2
ohia.server.stopping.CLOSING = 0.2
listen(0, grace=0).run()
"""


@pytest.mark.parametrize(("answer", "ending"), [HANGING[1], HANGING[2], HANGING[5]])
def test_one_signal_ends_whatever_hangs_in_the_end(answer: str, ending: str) -> None:
    with program(IMPATIENT, answer=answer, ending=ending) as process, asking(url_port(process)):
        assert line(process.stdout) == "/"
        process.terminate()
        _, error = process.communicate()
    assert process.returncode == 4
    assert error.endswith("ohia: a task or a thread did not end; the process ends without it\n")


def test_signals_are_handled_as_before_when_it_has_stopped(loop: str) -> None:
    main = """
        signal.signal(signal.SIGTERM, lambda *_: say("mine"))
        listen(0).run()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.raise_signal(signal.SIGTERM)
    """
    with program(main, loop=loop) as process:
        url_port(process)
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("mine\nafter\n", "")
    assert process.returncode == 0


def test_a_process_that_survives_a_failure_is_not_ended_for_it() -> None:
    main = """
        import ohia.server.stopping
        ohia.server.stopping.CLOSING = 0.1
        async def fail():
            raise LookupError("no database")
        app.startup = fail
        with contextlib.suppress(LookupError):
            listen(0).run()
        for _ in range(10):
            time.sleep(0.1)
    """
    with program(main) as process:
        assert process.communicate() == ("after\n", "")
    assert process.returncode == 0


def test_a_server_that_fails_to_stop_keeps_no_other_from_it() -> None:
    main = """
        class Failing(Ohia):
            async def shutdown(self):
                raise LookupError("no database")
        run(Failing().listen(0), listen(0), Failing().listen(0))
    """
    with program(main, ending="say('left')") as process:
        ports = [url_port(process) for _ in range(3)]
        process.terminate()
        out, error = process.communicate()
    assert (process.returncode, out) == (1, "left\n")
    assert error.count("LookupError: no database") == 2
    for port in ports:
        wait_until_refused(port)


# --- Two processes on one port


class Load:
    """Clients that ask one after another until told to stop; each failure is kept."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered = 0
        self.failures: list[BaseException] = []
        self._is_over = threading.Event()

    async def _ask(self, request: bytes) -> None:
        while not self._is_over.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            answer = b""
            while b"Connection: close" not in answer and not self._is_over.is_set():
                writer.write(request)
                answer = await reader.readuntil(b"hello")
                self.answered += 1
            writer.close()

    async def _ask_all(self) -> None:
        keeping = b"GET /load HTTP/1.1\r\nHost: a\r\n\r\n"
        ending = keeping.replace(b"Host", b"Connection: close\r\nHost")
        clients = [asyncio.create_task(self._ask(each)) for each in [keeping, ending] * 10]
        done, _ = await asyncio.wait(clients)
        self.failures = [error for each in done if (error := each.exception())]

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=asyncio.run, args=(self._ask_all(),))
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def wait_for(self, count: int) -> None:
        """Wait until so many more have been answered."""
        wanted, deadline = self.answered + count, time.monotonic() + 10
        while self.answered < wanted:
            assert time.monotonic() < deadline, f"{self.answered} answers, wanted {wanted}"
            time.sleep(0.001)


@contextmanager
def two_processes(loop: str, answer: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Start two on one port; the second one is to be stopped."""
    main = "listen({}, reuse_port=True).run()"
    with program(main.format(0), loop=loop, answer=answer) as stays:
        port = url_port(stays)
        with program(main.format(port), loop=loop, answer=answer) as stops:
            url_port(stops)
            yield port, stops
        assert stops.returncode == 0
        assert stays.poll() is None


@pytest.mark.parametrize("answer", ["pass", "await asyncio.sleep(0.005)"])
def test_one_of_two_processes_stops_under_load_and_no_client_notices(
    loop: str, answer: str
) -> None:
    with two_processes(loop, answer) as (port, stops):
        load = Load(port)
        with load.running():
            load.wait_for(300)
            stops.terminate()
            stops.wait()
            load.wait_for(300)
    assert load.failures == []


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize(
    ("loop", "header"), [("uvloop", "Connection: close"), ("asyncio", "Accept: */*")]
)
def test_wrk_sees_no_error_when_one_of_two_processes_stops(loop: str, header: str) -> None:
    with two_processes(loop, "pass") as (port, stops):
        command = ["wrk", "-t1", "-c50", "-d2", "-H", header, f"http://127.0.0.1:{port}/load"]
        with subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=subprocess.PIPE, text=True
        ) as wrk:
            client = asking(port)  # once it is answered, wrk is at work as well
            assert b"hello" in read_all(client)
            stops.terminate()
            stops.wait()
            report, _ = wrk.communicate()
    assert "requests in" in report
    assert "Socket errors" not in report
    assert "Non-2xx" not in report


# --- Descriptors

FEW = "resource.setrlimit(resource.RLIMIT_NOFILE, ({}))\nlisten(0).run()"


def test_more_connections_than_descriptors_are_refused_and_nothing_spins(loop: str) -> None:
    answer = "return setattr(ctx, 'body', str(time.process_time()))"
    with program(FEW.format("60, 60"), loop=loop, answer=answer) as process:
        port = url_port(process)
        began, spent = time.monotonic(), cpu_seconds(port)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        refused = first_answers(clients, 12)  # so many linger one after another
        for each in clients:
            each.close()
        spent = cpu_seconds(port) - spent
        assert spent < (time.monotonic() - began) / 2
        process.terminate()
        _, error = process.communicate()
    assert {each.partition(b"\r\n")[0] for each in refused} == {b"HTTP/1.1 503 Service Unavailable"}
    assert (process.returncode, error) == (0, "")


def first_answers(clients: list[socket.socket], count: int) -> list[bytes]:
    """Wait for `count` clients to get an answer, and return those."""
    poll = select.poll()
    waiting = {each.fileno(): each for each in clients}
    for each in waiting:
        poll.register(each, select.POLLIN)
    answers: list[bytes] = []
    while len(answers) < count:
        ready = poll.poll(10_000)
        assert ready, f"{len(answers)} answers, wanted {count}"
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            answers.append(waiting[descriptor].recv(4096))
    return answers


def cpu_seconds(port: int) -> float:
    """Ask until it is answered for the time that the process has used."""
    while not (answer := read_all(asking(port))).startswith(b"HTTP/1.1 200"):
        pass
    return float(answer.partition(b"\r\n\r\n")[2])


def test_without_descriptors_clients_wait_until_there_are_some(loop: str) -> None:
    answer = """
    with contextlib.suppress(OSError):
        while ctx.path == "/take":
            held.append(os.dup(0))
    while ctx.path == "/free" and held:
        os.close(held.pop())
    """
    with program(FEW.format("60, 60"), loop=loop, answer=answer) as process:
        port = url_port(process)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(GET.replace(b"/ ", b"/take "))
            assert client.recv(4096).endswith(b"hello")
            waiting = [asking(port, "/waited") for _ in range(20)]
            assert process.stderr is not None
            told = process.stderr.readline()
            client.sendall(GET.replace(b"/ ", b"/free "))
            assert client.recv(4096).endswith(b"hello")
        assert {read_all(each)[-5:] for each in waiting} == {b"hello"}
        process.terminate()
        out, error = process.communicate()
    assert told == "ohia: cannot accept for now: Too many open files; clients wait\n"
    assert out.split() == ["/take", "/free", *["/waited"] * 20, "after"]
    assert (process.returncode, error) == (0, "")


def test_run_takes_as_many_descriptors_as_it_may() -> None:
    answer = "return setattr(ctx, 'body', str(resource.getrlimit(resource.RLIMIT_NOFILE)))"
    with program(FEW.format("100, 200"), answer=answer) as process:
        assert read_all(asking(url_port(process))).endswith(b"\r\n\r\n(200, 200)")


def test_start_leaves_the_limit_alone() -> None:
    main = """
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        async def main():
            async with listen(0):
                say(resource.getrlimit(resource.RLIMIT_NOFILE))
        asyncio.run(main())
    """
    with program(main) as process:
        assert line(process.stdout) == "(100, 200)"


# --- Certificates


def write_certificate(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """Write a new certificate and its key; return both files."""
    certificate = authority.issue_cert("localhost")
    chain, key = folder / "chain.pem", folder / "key.pem"
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    certificate.private_key_pem.write_to_path(str(key))
    return chain, key


def handshake(port: int, authority: trustme.CA) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port), timeout=15)
    context = trusting(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context.wrap_socket(raw, server_hostname="localhost")


def test_new_connections_see_a_reloaded_certificate_and_open_ones_live_on(
    loop: str, authority: trustme.CA, tmp_path: Path
) -> None:
    chain, key = write_certificate(authority, tmp_path)
    main = f"""
        served = listen(0, tls=({str(chain)!r}, {str(key)!r}))
        reload = served.reload
        served.reload = lambda: (reload(), say("reloaded"))
        served.run()
    """
    with program(main, loop=loop) as process:
        port = url_port(process)
        with handshake(port, authority) as first:
            write_certificate(authority, tmp_path)
            process.send_signal(signal.SIGHUP)
            assert line(process.stdout) == "reloaded"
            with handshake(port, authority) as second:
                assert second.getpeercert(binary_form=True) != first.getpeercert(binary_form=True)
                assert second.selected_alpn_protocol() == "http/1.1"
            first.sendall(GET.replace(b"/ ", b"/load "))
            assert b"hello" in first.recv(4096)
        process.terminate()
        assert process.wait() == 0


async def test_a_broken_certificate_changes_nothing(
    serve: Serve, authority: trustme.CA, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain, key = write_certificate(authority, tmp_path)
    async with serve(hello, tls=(chain, key)) as server:
        told = f"ohia: the certificate of {server.url} stays as it was: "
        key.write_text("no key")
        server.reload()
        assert capsys.readouterr().err.startswith(told)
        chain.unlink()
        server.reload()
        assert capsys.readouterr().err.startswith(f"{told}[Errno 2]")
        options = {"ssl": trusting(authority), "server_hostname": "localhost"}
        async with connected(server, **options) as (reader, writer):
            writer.write(GET)
            assert await reader.readuntil(b"hello")


async def test_a_context_that_was_given_is_never_reloaded(
    serve: Serve, authority: trustme.CA
) -> None:
    async with serve(hello, tls=serving(authority)) as server:
        server.reload()
        options = {"ssl": trusting(authority), "server_hostname": "localhost"}
        async with connected(server, **options) as (reader, writer):
            writer.write(GET)
            assert await reader.readuntil(b"hello")


def test_without_certificates_a_hangup_changes_nothing_and_says_so() -> None:
    with program("listen(0).run()") as process:
        url_port(process)
        process.send_signal(signal.SIGHUP)
        assert line(process.stderr).startswith("ohia: SIGHUP changes nothing: ")
        process.terminate()
        assert process.wait() == 0


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_a_download_that_goes_on_outlives_every_timeout_in_tls(
    serve: Serve, authority: trustme.CA, keep_alive: bool
) -> None:
    async def large(exchange: Exchange) -> None:
        headers = Headers() if keep_alive else Headers({"Connection": "close"})
        exchange.send_response(200, "OK", headers, bytes(SIZE))

    limits = {"idle_timeout": 0.2, "linger_timeout": 0.2, "body_timeout": 0.5, "grace": 20}
    begun = threading.Event()
    async with serve(large, tls=serving(authority), **limits) as server:
        # In a thread: uvloop's TLS forgets what a paused reader has not taken when the end comes.
        client = asyncio.to_thread(download, server.port or 0, trusting(authority), begun)
        downloading = asyncio.create_task(client)
        await asyncio.to_thread(begun.wait)
        await server.close()
        assert not server.was_cut
        assert await downloading > SIZE


def download(port: int, trust: ssl.SSLContext, begun: threading.Event) -> int:
    """Read an answer slowly to its end; return how many bytes came."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(GET)
        count = len(client.recv(64 * 1024))
        begun.set()
        while piece := client.recv(64 * 1024):
            count += len(piece)
            time.sleep(0.002)  # a slow client, not a wait
    return count


async def test_a_client_that_takes_nothing_of_a_finished_answer_is_cut(
    serve: Serve, authority: trustme.CA
) -> None:
    async def large(exchange: Exchange) -> None:
        exchange.send_response(200, "OK", Headers(), bytes(SIZE))

    limits = {"idle_timeout": 0.1, "body_timeout": 0.1, "min_rate": None}
    options = {"ssl": trusting(authority), "server_hostname": "localhost", "limit": 1024}
    async with (
        serve(large, tls=serving(authority), **limits) as server,
        connected(server, **options) as (_, writer),
    ):
        writer.write(GET)
        await until(lambda: server.connections == 1)
        await until(lambda: server.connections == 0)


def test_a_server_in_a_thread_is_stopped_from_another(application: Make) -> None:
    server = Server(application(hello)).listen(0)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(server.run)
        with socket.create_connection(server.address) as client:
            client.sendall(GET)
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
        with pytest.raises(RuntimeError, match="another loop; stop"):
            asyncio.run(server.close())
        server.stop()
        running.result(10)


async def test_closing_one_of_two_servers_of_an_application_leaves_it_as_it_was(
    application: Make,
) -> None:
    shared = application(hello)
    one = await Server(shared).listen(0).start()
    other = await Server(shared).listen(0).start()
    await one.close()
    assert not shared.draining
    await other.close()
    assert shared.draining


# --- Sockets that were handed over


def test_an_inherited_descriptor_is_served_and_its_children_do_not_get_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        descriptor, port = listening.fileno(), listening.getsockname()[1]
        main = f"listen(fd={descriptor}).run()"
        answer = f"return setattr(ctx, 'body', str(os.get_inheritable({descriptor})))"
        with program(main, answer=answer, pass_fds=[descriptor]) as process:
            assert url_port(process) == port
            assert read_all(asking(port)).endswith(b"False")
            process.terminate()
            assert process.wait() == 0
            with socket.create_connection(("127.0.0.1", port)):
                pass  # whoever handed it over listens on


@pytest.mark.parametrize("kind", ["closed", "file"])
def test_a_descriptor_that_is_no_socket_is_named(
    application: Make, kind: str, tmp_path: Path
) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    if kind == "closed":
        os.close(descriptor)
    with pytest.raises(OSError, match=f"cannot listen on descriptor {descriptor}: "):
        Server(application(hello)).listen(fd=descriptor)
    if kind == "file":
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names without a file")
@pytest.mark.parametrize("mark", ["@", "\0"])
async def test_a_unix_socket_may_be_a_name_without_a_file(
    serve: Serve, tmp_path: Path, mark: str
) -> None:
    async with serve(hello, path=f"{mark}{tmp_path.name}") as server:
        assert server.address == (f"@{tmp_path.name}", None)
        assert server.url == f"unix:@{tmp_path.name}"
        client = socket.socket(socket.AF_UNIX)
        client.connect(f"\0{tmp_path.name}")
        client.sendall(GET.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await asyncio.to_thread(read_all, client)).endswith(b"hello")


def test_a_copy_of_the_process_does_not_remove_its_unix_socket(tmp_path: Path) -> None:
    main = f"""
        path = {str(tmp_path / "ohia.sock")!r}
        served = listen(path=path)
        child = os.fork()
        if not child:
            served.release()
            os._exit(0)
        os.waitpid(child, 0)
        say(os.path.exists(path))
        served.release()
        say(os.path.exists(path))
    """
    with program(main) as process:
        assert process.communicate() == ("True\nFalse\nafter\n", "")
