"""Binding, running, draining: whole servers, some in processes of their own."""

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import connect

from ohia.exchange import Exchange, SocketOptions
from ohia.http.headers import Headers
from ohia.server.run import run
from ohia.server.server import Server

Serve = Callable[..., AbstractAsyncContextManager[Server]]
Talk = Callable[[Server, bytes], Awaitable[bytes]]
Make = Callable[[Callable[[Exchange], Awaitable[None]]], Any]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def hello(exchange: Exchange) -> None:
    exchange.send_response(200, "OK", Headers(), b"hello")


# --- Binding


def test_a_free_port_is_known_at_once(application: Make) -> None:
    server = Server(application(hello)).listen(0)
    assert server.port
    assert server.address == ("127.0.0.1", server.port)
    assert server.url == f"http://127.0.0.1:{server.port}"
    server.release()


def test_a_taken_port_raises_at_the_call_and_names_the_address(application: Make) -> None:
    server = Server(application(hello)).listen(0)
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.port}: Address alr"):
        Server(application(hello)).listen(server.port)
    server.release()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"port": "80"}, TypeError, "a port is an int, got '80'"),
        (
            {"tls": "a.pem"},
            TypeError,
            r"tls is \(certfile, keyfile\) or .*, got 'a.pem'",
        ),
        ({"tls": ("no.pem", "no.key")}, FileNotFoundError, "certificate no.pem and the key no.key"),
    ],
)
def test_what_cannot_be_listened_with_is_named(
    application: Make, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Server(application(hello)).listen(**options)


def test_an_encrypted_key_is_an_error_instead_of_a_question(
    application: Make, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    certificate = tmp_path / "certificate.pem"
    trustme.CA().cert_pem.write_to_path(str(certificate))
    with pytest.raises(ValueError, match="the key is encrypted; give an SSLContext"):
        Server(application(hello)).listen(0, tls=(certificate, key))


def test_an_unknown_host_is_named(application: Make) -> None:
    with pytest.raises(OSError, match=r"cannot listen on no\.such\.host\.invalid:0"):
        Server(application(hello)).listen(0, "no.such.host.invalid")


def test_port_and_host_come_from_the_environment(
    application: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "0")
    monkeypatch.setenv("HOST", "0.0.0.0")  # noqa: S104 - that it can be asked for
    server = Server(application(hello)).listen()
    assert server.address[0] == "0.0.0.0"  # noqa: S104
    assert server.port not in {0, 3000}
    server.release()


@pytest.mark.parametrize("text", ["x", "-1", "70000", "٣"])
def test_a_port_of_the_environment_that_is_none_is_an_error(
    application: Make, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("PORT", text)
    with pytest.raises(ValueError, match="port"):
        Server(application(hello)).listen()


def test_a_server_listens_once(application: Make) -> None:
    server = Server(application(hello))
    with pytest.raises(RuntimeError, match="call listen"):
        assert server.url
    server.listen(0)
    with pytest.raises(RuntimeError, match="listens on http://127"):
        server.listen(0)
    server.release()


def test_an_unknown_option_is_an_error_before_anything_is_bound(application: Make) -> None:
    server = Server(application(hello))
    with pytest.raises(TypeError, match="no option 'timeout'"):
        server.listen(0, timeout=3)
    with pytest.raises(ValueError, match="workers"):
        server.listen(0, workers=0)
    assert server.listen(0).port
    server.release()


async def test_ipv6_has_brackets_in_its_url(serve: Serve) -> None:
    async with serve(hello, host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        reader, writer = await asyncio.open_connection("::1", server.port)
        writer.write(GET)
        assert await reader.readuntil(b"hello")
        writer.close()


@pytest.mark.parametrize("by", ["fd", "sock"])
async def test_an_inherited_socket_is_served(serve: Serve, talk: Talk, by: str) -> None:
    inherited = socket.create_server(("127.0.0.1", 0))
    port = inherited.getsockname()[1]
    given = {"sock": inherited} if by == "sock" else {"fd": inherited.detach()}
    async with serve(hello, **given) as server:
        assert server.port == port
        assert b"hello" in await talk(server, GET)


async def test_two_servers_share_a_port_on_demand(serve: Serve) -> None:
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        async with serve(hello, port, reuse_port=True) as second:
            assert second.port == port


# --- Unix sockets


async def test_a_unix_socket_is_served_and_removed(serve: Serve, tmp_path: Path) -> None:
    seen: list[object] = []

    async def answer(exchange: Exchange) -> None:
        seen.extend([exchange.client, exchange.server, exchange.secure])
        await hello(exchange)

    path = tmp_path / "ohia.sock"
    async with serve(answer, path=path) as server:
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert (server.port, server.address, server.url) == (
            None,
            (str(path), None),
            f"unix:{path}",
        )
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(GET)
        assert await reader.readuntil(b"hello")
        writer.close()
    assert not path.exists()
    assert seen == [None, (str(path), None), False]


async def test_a_stale_unix_socket_is_replaced(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "ohia.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serve(hello, path=path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(GET)
        assert await reader.readuntil(b"hello")
        writer.close()


async def test_a_unix_socket_in_use_is_left_alone(
    serve: Serve, application: Make, tmp_path: Path
) -> None:
    path = tmp_path / "ohia.sock"
    async with serve(hello, path=path):
        with pytest.raises(OSError, match=r"cannot listen on .*ohia\.sock: Address already"):
            Server(application(hello)).listen(path=path)
        assert path.exists()


def test_a_file_is_never_replaced_by_a_socket(application: Make, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("text")
    with pytest.raises(OSError, match="no socket"):
        Server(application(hello)).listen(path=path)
    assert path.read_text() == "text"


# --- TLS


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.mark.parametrize("by", ["files", "context"])
async def test_tls(serve: Serve, tmp_path: Path, authority: trustme.CA, by: str) -> None:
    seen: list[object] = []

    async def answer(exchange: Exchange) -> None:
        seen.extend([exchange.secure, exchange.scope["scheme"]])
        assert exchange.get_extra_info("ssl_object") is not None
        exchange.send_response(200, "OK", Headers(), bytes(50_000) + b"hello")

    certificate = authority.issue_cert("localhost")
    tls: object
    if by == "files":
        chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
        certificate.private_key_pem.write_to_path(str(key))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(chain), append=True)
        tls = (chain, key)
    else:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(tls)
    async with serve(answer, tls=tls) as server:
        assert server.url.startswith("https://")
        reader, writer = await asyncio.open_connection(
            *server.address, ssl=trusting(authority), server_hostname="localhost"
        )
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(GET * 2)
        for _ in range(2):
            await reader.readuntil(b"hello")
        writer.close()
        await writer.wait_closed()
    assert seen == [True, "https"] * 2


async def test_a_websocket_over_tls(serve: Serve, authority: trustme.CA) -> None:
    async def answer(exchange: Exchange) -> None:
        socket = await exchange.upgrade(Headers(), None, SocketOptions())
        socket.send(await socket.receive())
        await socket.close(4000)
        assert socket.close_code == 4000

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with serve(answer, tls=tls) as server:
        url = f"wss://localhost:{server.port}"
        host = "127.0.0.1"
        async with connect(url, host=host, ssl=trusting(authority), proxy=None) as connection:
            await connection.send("x" * 100_000)
            assert await connection.recv() == "x" * 100_000
            await connection.wait_closed()
            assert connection.close_code == 4000


async def test_plain_text_to_a_tls_port_hurts_nobody(serve: Serve, authority: trustme.CA) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    async with serve(hello, tls=tls) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(GET)
        assert b"hello" not in await reader.read()
        writer.close()
        _, writer = await asyncio.open_connection(
            *server.address, ssl=trusting(authority), server_hostname="localhost"
        )
        writer.close()
        await writer.wait_closed()


# --- Life in a loop


async def test_the_lifespan_is_around_the_serving(application: Make, talk: Talk) -> None:
    handler = application(hello)
    async with Server(handler).listen(0) as server:
        assert handler.running == 1
        assert not handler.draining
        assert b"hello" in await talk(server, GET)
    assert handler.running == 0
    assert handler.draining


async def test_a_start_that_fails_frees_the_port(application: Make) -> None:
    handler = application(hello)

    async def fail() -> None:
        raise LookupError("no database")

    handler.startup = fail
    server = Server(handler).listen(0)
    with pytest.raises(LookupError):
        await server.start()
    with socket.create_server(server.address):
        pass


async def test_a_server_starts_once(application: Make) -> None:
    async with Server(application(hello)).listen(0) as server:
        with pytest.raises(RuntimeError, match="started already"):
            await server.start()
    await server.close()


async def test_workers_need_a_process_of_their_own(application: Make) -> None:
    server = Server(application(hello)).listen(0, workers=2)
    with pytest.raises(RuntimeError, match=r"workers=2 needs run\(\)"):
        await server.start()
    await server.close()


async def test_a_server_that_never_started_can_be_closed(application: Make) -> None:
    server = Server(application(hello)).listen(0)
    await server.close()
    with socket.create_server(server.address):
        pass


# --- Draining


@asynccontextmanager
async def connected(
    server: Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*server.address)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_closing_lets_answers_end_and_closes_what_is_idle(application: Make) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        if exchange.target == "/slow":
            begun.set()
            await go_on.wait()
        await hello(exchange)

    handler = application(answer)
    server = await Server(handler).listen(0).start()
    async with connected(server) as (idle, writer), connected(server) as (busy, busy_writer):
        writer.write(GET)
        await idle.readuntil(b"hello")
        busy_writer.write(GET.replace(b"/ ", b"/slow "))
        await begun.wait()
        closing = asyncio.create_task(server.close(5))
        assert await idle.read() == b""
        assert handler.draining
        assert handler.running == 1
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection(*server.address)
        go_on.set()
        data = await busy.read()
        await closing
    assert data.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in data
    assert handler.running == 0


async def test_what_outlasts_the_grace_is_cancelled_and_cut(application: Make) -> None:
    begun = asyncio.Event()
    ended: list[str] = []

    async def answer(exchange: Exchange) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(exchange.target)

    handler = application(answer)
    server = await Server(handler).listen(0).start()
    async with connected(server) as (reader, writer):
        writer.write(GET)
        await begun.wait()
        await asyncio.gather(server.close(0.01), server.close())
        assert ended == ["/"]
        assert handler.running == 0
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


async def test_nothing_is_left_after_mixed_requests(serve: Serve, talk: Talk) -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.target == "/cut":
            exchange.send_head(200, "OK", Headers())
            return
        await hello(exchange)

    before = asyncio.all_tasks()
    async with serve(answer) as server:
        for request in (GET, GET.replace(b"/ ", b"/cut "), b"bad\r\n\r\n", GET * 3):
            with contextlib.suppress(ConnectionResetError):
                await talk(server, request)
        gc.collect()
    assert asyncio.all_tasks() == before


# --- Processes

PROGRAM = """
import asyncio, os, signal, sys
from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.server.run import run
from ohia.server.server import Server

def say(word):
    os.write(1, word.encode() + b"\\n")  # one write: workers share the pipe

class Application:
    draining = False
    async def handle(self, exchange):
        try:
            if exchange.target == "/slow":
                say("slow")
                await asyncio.sleep({slow})
            body = str(os.getpid()).encode()
            exchange.send_response(200, "OK", Headers({{"Connection": "close"}}), body)
        except asyncio.CancelledError:
            say("cancelled")
            exchange.abort()
            raise
        finally:
            exchange.close()
    async def startup(self):
        {startup}
        say("startup")
    async def shutdown(self):
        say("shutdown")

app = Application()
{main}
say("after")
"""


@contextmanager
def program(
    main: str, *, slow: float = 60, startup: str = "pass"
) -> Iterator[subprocess.Popen[str]]:
    text = PROGRAM.format(main=textwrap.dedent(main), slow=slow, startup=startup)
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
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


def url_port(text: str) -> int:
    assert text.startswith("ohia: listening on http://127.0.0.1:"), text
    return int(text.rpartition(":")[2])


def fetch(port: int, target: str = "/") -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        data = b""
        try:
            while piece := client.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_run_returns(number: signal.Signals) -> None:
    with program("Server(app).listen(0, access_log=False).run()", slow=0.2) as process:
        port = url_port(line(process.stderr))
        assert line(process.stdout) == "startup"
        answers: list[bytes] = []
        slow = threading.Thread(target=lambda: answers.append(fetch(port, "/slow")))
        slow.start()
        assert line(process.stdout) == "slow"
        process.send_signal(number)
        slow.join()
        assert answers == [str(process.pid).encode()]
        out, error = process.communicate()
    assert out.split() == ["shutdown", "after"]
    assert (process.returncode, error) == (0, "")


def test_a_second_signal_stops_at_once() -> None:
    with program("Server(app).listen(0, access_log=False).run()") as process:
        port = url_port(line(process.stderr))
        assert line(process.stdout) == "startup"
        slow = threading.Thread(target=fetch, args=(port, "/slow"))
        slow.start()
        assert line(process.stdout) == "slow"
        process.send_signal(signal.SIGINT)
        assert fetch_refused(port)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
        slow.join()
    assert out.split() == ["cancelled", "shutdown"]
    assert (process.returncode, error) == (130, "")


def fetch_refused(port: int) -> bool:
    """Return once nobody listens any more."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            continue  # it was in the queue of a listener that closed at that moment


def test_several_servers_run_together_and_stop_together() -> None:
    main = """
        run(Server(app).listen(0), Server(app).listen(0))
    """
    with program(main) as process:
        ports = [url_port(line(process.stderr)) for _ in range(2)]
        assert [line(process.stdout) for _ in range(2)] == ["startup"] * 2
        assert [fetch(port) for port in ports] == [str(process.pid).encode()] * 2
        process.terminate()
        out, _ = process.communicate()
    assert out.split() == ["shutdown"] * 2 + ["after"]
    assert process.returncode == 0


def test_a_failing_start_ends_the_process() -> None:
    with program("Server(app).listen(0).run()", startup="raise LookupError('no db')") as process:
        _, error = process.communicate()
    assert process.returncode == 1
    assert error.count("LookupError: no db") == 1


def test_a_server_that_nobody_ran_is_told_of() -> None:
    with program("url = Server(app).listen(0).url\nprint(url, flush=True)") as process:
        url = line(process.stdout)
        _, error = process.communicate()
    assert error == f"ohia: nothing ran the server on {url}; end the file with app.run(3000)\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    "main",
    [
        "asyncio.run(Server(app).listen(0).close())",
        """
        async def main():
            async with Server(app).listen(0):
                pass
        asyncio.run(main())
        """,
    ],
)
def test_a_server_that_was_used_is_not_told_of(main: str) -> None:
    with program(main) as process:
        _, error = process.communicate()
    assert (process.returncode, error) == (0, "")


def test_a_closed_stderr_stops_nothing() -> None:
    main = """
        sys.stderr.close()
        server = Server(app).listen(0)
        print(server.port, flush=True)
        server.run()
    """
    with program(main) as process:
        port = int(line(process.stdout))
        assert line(process.stdout) == "startup"
        assert fetch(port)
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def test_off_the_main_thread_signals_are_left_alone(application: Make) -> None:
    server = Server(application(hello)).listen(0)
    before = signal.getsignal(signal.SIGINT)

    async def answer(exchange: Exchange) -> None:
        await hello(exchange)
        asyncio.get_running_loop().call_soon(lambda: closing.append(asyncio.ensure_future(end())))

    async def end() -> None:
        await server.close(1)

    closing: list[asyncio.Future[None]] = []
    server.handler = application(answer)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.port is not None
    assert fetch(server.port) == b"hello"
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before


def test_servers_that_run_together_agree_on_workers(application: Make) -> None:
    servers = [Server(application(hello)).listen(0, workers=count) for count in (1, 2)]
    with pytest.raises(ValueError, match=r"agree on workers, got \[1, 2\]"):
        run(*servers)
    for server in servers:
        server.release()
