"""Several processes on one socket: whole programs, watched from outside."""

import contextlib
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import trustme

from ohia.exchange import Exchange
from ohia.server.import_string import import_handler
from ohia.server.server import Server

SHOP = """
import asyncio, os, pathlib, signal, time
from ohia.http.headers import Headers

VERSION = "1"
here = pathlib.Path(__file__).parent

def say(word):
    os.write(1, f"{word} {os.getpid()}\\n".encode())  # one write: workers share the pipe

class Application:
    draining = False
    async def handle(self, exchange):
        try:
            if exchange.target == "/slow":
                say("slow")
                await asyncio.sleep(60)
            if exchange.target == "/second":
                say("second")
                await asyncio.sleep(1)
            if exchange.target == "/child":
                child = await asyncio.create_subprocess_exec("sleep", "60")
                child.send_signal(signal.SIGINT)
                body = f"{os.getpid()} {await child.wait()}".encode()
                exchange.send_response(200, "OK", Headers(), body)
                return
            if exchange.target == "/block":
                say("blocks")
                time.sleep(60)
            body = f"{os.getpid()} {VERSION}".encode()
            exchange.send_response(200, "OK", Headers(), body)
        except asyncio.CancelledError:
            exchange.abort()
            raise
        finally:
            exchange.close()
    async def startup(self):
        if (here / "die").exists():
            say("dies")
            os._exit(7)
        if (here / "fail").exists():
            raise LookupError("no database")
        say("startup")
    async def shutdown(self):
        say("shutdown")

app = Application()
"""

BY_OBJECT = "from shop import app as application"
BY_NAME = "application = 'shop:app'"

MAIN = """
from ohia.server.server import Server
{first}
Server(application).listen({where}, access_log=False, {options}).run()
print("after", flush=True)
"""


class Program:
    """A server in a process of its own, its words and its lines of log."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.folder = folder
        self.out: IO[str] = process.stdout
        self.log: IO[str] = process.stderr
        self.port = 0

    def read_url(self) -> str:
        line = self.log.readline().rstrip("\n")
        assert line.startswith("ohia: listening on "), line
        self.port = int(line.rpartition(":")[2]) if "http" in line else 0
        return line

    def words(self, word: str, count: int = 1) -> list[int]:
        """Wait until `word` has been said `count` times; return by which processes."""
        found: list[int] = []
        while len(found) < count:
            said, _, pid = self.out.readline().rstrip("\n").partition(" ")
            assert said, f"the end, instead of {word}"
            if said == word:
                found.append(int(pid))
        return found

    def logged(self, text: str) -> str:
        """Wait for a line of the log that contains `text`."""
        while line := self.log.readline():
            if text in line:
                return line
        raise AssertionError(f"the end, instead of {text}")

    def stop(self) -> None:
        """Stop; all is well in the end."""
        self.process.terminate()
        assert self.end()[0] == 0

    def end(self) -> tuple[int, str, str]:
        out, log = self.process.communicate()
        return self.process.returncode, out, log


@contextmanager
def program(
    folder: Path,
    first: str = BY_OBJECT,
    *,
    options: str = "workers=2",
    where: str = "0",
    **given: object,
) -> Iterator[Program]:
    (folder / "shop.py").write_text(SHOP)
    main = folder / "main.py"
    main.write_text(MAIN.format(first=first, options=options, where=where))
    pipe = subprocess.PIPE
    process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload] # noqa: S603 - ours
        [sys.executable, str(main)],
        stdout=pipe,
        stderr=pipe,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        **{"start_new_session": True, **given},
    )
    try:
        yield Program(process, folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


class Client:
    """One connection, and the process that answers on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.pid = 0

    def send(self, target: str = "/") -> None:
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    def ask(self, target: str = "/") -> str:
        """Return the body of the answer; ConnectionError if there is none."""
        self.send(target)
        data = b""
        while b"\r\n\r\n" not in data or data.endswith(b"\r\n\r\n"):
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionResetError(f"no answer of {self.pid}")
            data += piece
        text = data.partition(b"\r\n\r\n")[2].decode()
        self.pid = int(text.partition(" ")[0])
        return text

    def close(self) -> None:
        self.socket.close()


def fetch(port: int) -> str:
    client = Client(port)
    try:
        return client.ask()
    finally:
        client.close()


def fetch_from_each(port: int, count: int = 2) -> set[int]:
    """Ask, always on a new connection, until `count` processes have answered."""
    pids: set[int] = set()
    while len(pids) < count:
        pids.add(int(fetch(port).partition(" ")[0]))
    return pids


def is_refused(port: int) -> bool:
    """Return once nobody listens any more."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            continue  # it was in the queue of a listener that closed at that moment


@contextmanager
def load(ask: Callable[[], object], threads: int = 4) -> Iterator[list[BaseException]]:
    """Call `ask` again and again in threads; give the list of what it raised."""
    errors: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                ask()
            except Exception as error:  # noqa: BLE001 - the test looks at it
                errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for each in workers:
        each.start()
    try:
        yield errors
    finally:
        stop.set()
        for each in workers:
            each.join()


# --- A worker dies


@pytest.mark.parametrize("first", [BY_OBJECT, BY_NAME], ids=["object", "name"])
def test_workers_share_the_socket_and_drain_together(tmp_path: Path, first: str) -> None:
    with program(tmp_path, first) as running:
        running.read_url()
        started = running.words("startup", 2)
        assert fetch_from_each(running.port) == set(started)
        assert running.process.pid not in started
        running.process.terminate()
        status, out, log = running.end()
        assert is_refused(running.port)
    words = sorted(out.split("\n"))
    assert words == ["", "after", *sorted(f"shutdown {pid}" for pid in started)]
    assert (status, log) == (0, "")


def test_a_killed_worker_is_replaced_and_costs_only_its_own_connections(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.read_url()
        victim, survivor = running.words("startup", 2)
        fetch_from_each(running.port)
        lost: list[int] = []

        def ask() -> None:
            client = Client(running.port)
            try:
                for _ in range(200):
                    client.ask()
            except ConnectionError:
                lost.append(client.pid)
            finally:
                client.close()

        with load(ask, threads=8) as errors:
            os.kill(victim, signal.SIGKILL)
            killed = time.monotonic()
            (new,) = running.words("startup")
            assert time.monotonic() - killed < 2
            assert fetch_from_each(running.port) == {new, survivor}
        assert set(lost) <= {victim, 0}  # 0: it had not answered yet
        assert not errors
        assert running.logged("ended by signal 9").startswith(f"ohia: worker {victim} ")
        running.stop()


def test_who_dies_young_is_replaced_a_second_later(tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    with program(tmp_path) as running:
        running.logged("ended with status 7")
        died = time.monotonic()
        running.logged("ended with status 7")
        assert time.monotonic() - died > 0.9
        asked = time.monotonic()
        running.process.terminate()
        status, out, _ = running.end()
        assert time.monotonic() - asked < 1  # it does not sleep that second away
        assert (status, out.partition("\n")[2].partition("\n")[2]) == (0, "after\n")


def test_a_start_that_fails_is_shown_once_and_ends_all(tmp_path: Path) -> None:
    (tmp_path / "fail").touch()
    with program(tmp_path, options="workers=4") as running:
        status, out, log = running.end()
    assert (status, out) == (3, "")
    assert log.count("LookupError: no database") == 1
    assert log.count("Traceback") == 1


def test_a_replacement_that_fails_to_start_is_tried_again_while_others_serve(
    tmp_path: Path,
) -> None:
    with program(tmp_path) as running:
        running.read_url()
        victim, survivor = running.words("startup", 2)
        (tmp_path / "fail").touch()
        os.kill(victim, signal.SIGKILL)
        running.logged("LookupError: no database")
        assert fetch_from_each(running.port, 1) == {survivor}
        (tmp_path / "fail").unlink()
        (new,) = running.words("startup")
        assert fetch_from_each(running.port) == {new, survivor}
        running.stop()


# --- A worker hangs


def test_a_worker_that_blocks_is_shown_and_replaced_while_the_other_serves(tmp_path: Path) -> None:
    with program(tmp_path, options="workers=2, worker_timeout=1") as running:
        running.read_url()
        running.words("startup", 2)
        client = Client(running.port)
        client.send("/block")
        (hung,) = running.words("blocks")
        with load(lambda: fetch(running.port), 1) as errors:
            (new,) = running.words("startup")
        assert not errors
        assert f"worker {hung} has not moved for 1 seconds" in running.logged("has not moved")
        assert "in handle" in running.logged('shop.py", line')
        assert new in fetch_from_each(running.port)
        client.close()
        running.stop()


def test_time_that_all_are_stopped_does_not_count(tmp_path: Path) -> None:
    with program(tmp_path, options="workers=2, worker_timeout=0.4") as running:
        running.read_url()
        pids = fetch_from_each(running.port)
        os.killpg(running.process.pid, signal.SIGSTOP)
        assert not can_read(running.log, 1)  # as long as some pause lasts
        os.killpg(running.process.pid, signal.SIGCONT)
        assert fetch_from_each(running.port) == pids
        assert not can_read(running.log, 0.5)
        running.stop()


def can_read(stream: IO[str], seconds: float) -> bool:
    return bool(select.select([stream], [], [], seconds)[0])


def test_a_signal_to_the_whole_group_is_one_signal(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.read_url()
        running.words("startup", 2)
        client = Client(running.port)
        client.send("/second")
        running.words("second")
        os.killpg(running.process.pid, signal.SIGTERM)
        assert client.socket.recv(65536).startswith(b"HTTP/1.1 200 OK")
        client.close()
        status, _, log = running.end()
    assert (status, log) == (0, "")


def test_what_a_worker_starts_hears_of_signals(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.read_url()
        client = Client(running.port)
        assert client.ask("/child").partition(" ")[2] == str(-signal.SIGINT)
        client.close()
        running.stop()


# --- SIGHUP


@pytest.mark.parametrize("first", [BY_OBJECT, BY_NAME], ids=["object", "name"])
def test_sighup_replaces_all_without_a_lost_request(tmp_path: Path, first: str) -> None:
    with program(tmp_path, first) as running:
        running.read_url()
        old = running.words("startup", 2)
        shop = tmp_path / "shop.py"
        shop.write_text(SHOP.replace('VERSION = "1"', 'VERSION = "2"'))
        with load(lambda: fetch(running.port), 2) as errors:
            running.process.send_signal(signal.SIGHUP)
            gone = running.words("shutdown", 2)
            new = fetch_from_each(running.port)
        assert not errors
        assert sorted(gone) == sorted(old)
        assert not new & set(old)
        version = fetch(running.port).partition(" ")[2]
        assert version == ("2" if first is BY_NAME else "1")  # a fork has the code of its parent
        running.process.terminate()
        status, _, log = running.end()
        assert (status, log) == (0, "ohia: all workers have been replaced\n")


def test_a_second_sighup_replaces_those_of_the_first_too(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.read_url()
        running.words("startup", 2)
        running.process.send_signal(signal.SIGHUP)
        (fresh,) = running.words("startup")
        running.process.send_signal(signal.SIGHUP)
        while fresh not in running.words("shutdown"):
            pass
        assert fresh not in fetch_from_each(running.port)
        running.stop()


def test_sighup_changes_nothing_where_a_new_worker_cannot_start(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.read_url()
        old = set(running.words("startup", 2))
        (tmp_path / "fail").touch()
        running.process.send_signal(signal.SIGHUP)
        running.logged("LookupError: no database")
        running.logged("the old ones stay")
        assert fetch_from_each(running.port) == old
        (tmp_path / "fail").unlink()
        running.process.send_signal(signal.SIGHUP)
        assert set(running.words("shutdown", 2)) == old
        running.stop()


@pytest.mark.parametrize("first", [BY_OBJECT, BY_NAME], ids=["object", "name"])
def test_sighup_brings_the_new_certificate(tmp_path: Path, first: str) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def certify(name: str) -> None:
        certificate = authority.issue_cert(name)
        certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "all.pem"))

    def is_accepted(name: str) -> bool:
        with (
            socket.create_connection(("127.0.0.1", running.port)) as plain,
            contextlib.suppress(ssl.SSLCertVerificationError),
            context.wrap_socket(plain, server_hostname=name),
        ):
            return True
        return False

    certify("old.test")
    tls = str(tmp_path / "all.pem")
    with program(tmp_path, first, options=f"workers=2, tls=({tls!r}, {tls!r})") as running:
        running.read_url()
        running.words("startup", 2)
        assert is_accepted("old.test")
        certify("new.test")
        running.process.send_signal(signal.SIGHUP)
        running.words("shutdown", 2)
        assert is_accepted("new.test")
        assert not is_accepted("old.test")
        (tmp_path / "all.pem").write_text("nonsense")
        running.process.send_signal(signal.SIGHUP)
        running.logged("stays as it was")
        assert is_accepted("new.test")
        running.stop()


def test_the_file_of_a_unix_socket_outlives_the_workers(tmp_path: Path) -> None:
    path = tmp_path / "ohia.sock"
    with program(tmp_path, where=f"path={str(path)!r}") as running:
        running.read_url()
        running.words("startup", 2)
        running.process.send_signal(signal.SIGHUP)
        running.words("shutdown", 2)
        assert path.exists()
        running.process.terminate()
        assert running.end()[0] == 0
    assert not path.exists()


def test_the_going_of_the_terminal_stops_all(tmp_path: Path) -> None:
    terminal, theirs = os.openpty()
    first = f"{BY_OBJECT}\nimport os; os.open(os.ttyname(0), os.O_RDWR)  # makes it ours"
    with program(tmp_path, first, stdin=theirs) as running:
        os.close(theirs)
        running.read_url()
        old = running.words("startup", 2)
        running.process.send_signal(signal.SIGHUP)  # there it still is
        assert sorted(running.words("shutdown", 2)) == sorted(old)
        os.close(terminal)
        status, out, log = running.end()
    assert (status, log) == (0, "ohia: all workers have been replaced\n")
    assert out.count("shutdown") == 2


def test_the_going_of_the_terminal_stops_one_process_too(tmp_path: Path) -> None:
    pem = tmp_path / "all.pem"
    trustme.CA().issue_cert("a.test").private_key_and_cert_chain_pem.write_to_path(str(pem))
    terminal, theirs = os.openpty()
    first = f"{BY_OBJECT}\nimport os; os.open(os.ttyname(0), os.O_RDWR)  # makes it ours"
    with program(tmp_path, first, options=f"tls=({str(pem)!r},) * 2", stdin=theirs) as running:
        os.close(theirs)
        running.read_url()
        os.close(terminal)
        status, out, log = running.end()
    assert (status, log) == (0, "")
    assert out.count("shutdown") == 1


# --- The end


def test_what_has_to_be_cut_is_told_by_the_status(tmp_path: Path) -> None:
    with program(tmp_path, options="workers=2, grace=0.1") as running:
        running.read_url()
        client = Client(running.port)
        client.send("/slow")
        running.words("slow")
        running.process.terminate()
        assert running.end()[0] == 4
        client.close()


def test_a_second_signal_stops_all_at_once(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.read_url()
        running.words("startup", 2)
        client = Client(running.port)
        client.send("/slow")
        (slow,) = running.words("slow")
        running.process.terminate()
        (other,) = running.words("shutdown")
        assert other != slow
        running.process.terminate()
        assert running.end()[0] == 128 + signal.SIGTERM
        client.close()


def test_a_worker_that_does_not_end_is_killed(tmp_path: Path) -> None:
    first = f"{BY_OBJECT}\nimport ohia.server.workers; ohia.server.workers.LAST_WORDS = 0.2"
    with program(tmp_path, first, options="workers=2, grace=0.1") as running:
        running.read_url()
        client = Client(running.port)
        client.send("/block")
        running.words("blocks")
        running.process.terminate()
        assert running.end()[0] == 4
        client.close()


def test_workers_drain_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with program(tmp_path) as running:
        running.read_url()
        running.words("startup", 2)
        running.process.kill()
        running.words("shutdown", 2)
        assert running.out.readline() == ""
        assert is_refused(running.port)


# --- What cannot be


async def hello(exchange: Exchange) -> None:
    raise NotImplementedError


def test_an_application_by_name_is_imported_at_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corner_shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    server = Server("corner_shop:app").listen(0)
    assert server.handler is sys.modules["corner_shop"].app
    server.release()
    del sys.modules["corner_shop"]


@pytest.mark.parametrize("name", ["shop", "shop:", ":app", "shop.py:app()", "a-b:c", "a..b:c"])
def test_what_is_no_import_string_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"an import string is 'package\.module:name', got"):
        Server(name)


@pytest.mark.parametrize("name", ["ohia.server.limits:NAMES", "ohia:Ohia"])
def test_a_name_of_something_else_is_told(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is no application"):
        import_handler(name)


def test_a_name_that_is_not_there_is_told_before_anything_is_bound() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Server("no_such_module:app").listen(0)


def test_where_there_is_no_fork_workers_need_a_name(
    application: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(RuntimeError, match=r'Server\("package\.module:app"\)'):
        Server(application(hello)).listen(0, workers=2)  # type: ignore[arg-type]


def test_a_context_does_not_travel_to_another_interpreter() -> None:
    with pytest.raises(TypeError, match=r"need tls=\(certfile, keyfile\)"):
        Server("shop:app").listen(0, workers=2, tls=ssl.create_default_context())


def test_workers_need_the_main_thread() -> None:
    server = Server("shop:app").listen(0, workers=2)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            server.run()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in str(raised[0])
