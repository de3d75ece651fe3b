import io
import os
import pty
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ohia.console import MOST_KEPT, Console

needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


@contextmanager
def watchdog(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process that stands still, so that who reads its output goes on."""
    timer = threading.Timer(20, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def a_pipe(monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8") -> Iterator[int]:
    """Make stderr a pipe; give its other end."""
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w", encoding=encoding)
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        yield reading
    finally:
        stream.close()
        os.close(reading)


def test_text_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_pipe(monkeypatch) as reading:
        Console().write("one\n木\n")
        assert os.read(reading, 100).decode() == "one\n木\n"


def test_what_the_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_pipe(monkeypatch, "ascii") as reading:
        Console().write("木\n")
        assert os.read(reading, 100) == b"\\u6728\n"


def test_a_stream_without_a_descriptor_gets_the_text_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    Console().write("one\n")
    assert stream.getvalue() == "one\n"


def test_a_pipe_that_nobody_reads_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console()
    with a_pipe(monkeypatch) as reading:
        for _ in range(1000):
            console.write("x" * 999 + "\n")
        waited = os.read(reading, 1_000_000)
        assert waited
        assert set(waited.split(b"\n")[:-1]) == {b"x" * 999}
        console.flush()
        kept = os.read(reading, 1_000_000)
        assert kept.startswith(b"x" * 999), "lines that were kept are whole"
        console.write("after\n")
        told, after = os.read(reading, 1_000_000).splitlines()
        assert told.startswith(b"ohia: ")
        assert told.endswith(b" bytes of this log were lost")
        assert after == b"after"
        lost = int(told.split()[1])
        assert len(waited) + len(kept) + lost == 1_000_000


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def read_all(descriptor: int) -> bytes:
    """Read what is there now."""
    os.set_blocking(descriptor, False)
    data = b""
    with suppress(BlockingIOError):
        while piece := os.read(descriptor, 65536):
            data += piece
    return data


@needs_proc
def test_a_terminal_that_nobody_reads_stops_nobody() -> None:
    script = """
        from ohia.console import console
        for number in range(3000):
            console.write(f"{number:099}" + chr(10))
        assert console._lost
        print("done", flush=True)
        input()
        console.flush()
        print("flushed", flush=True)
    """
    reading, terminal = pty.openpty()
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=terminal
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            with watchdog(process):
                assert process.stdout.readline() == b"done\n"
            assert os.get_blocking(terminal), "the opening that others share is as it was"
            waited = read_all(reading)
            assert process.poll() is None
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"flushed\n"
            lines = (waited + read_all(reading)).split(b"\r\n")
        finally:
            process.kill()
    for each in (reading, terminal):
        os.close(each)
    assert waited.count(b"\n") > 1
    assert len(lines) > waited.count(b"\n") + 1, "what was kept followed"
    assert lines[:-1] == [b"%099d" % number for number in range(len(lines) - 1)]


@needs_proc
def test_stderr_is_followed_to_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console()
    with a_pipe(monkeypatch) as first:
        console.write("one\n")
        with a_pipe(monkeypatch) as second:
            console.write("two\n")
            assert os.read(second, 100) == b"two\n"
            with Path(os.devnull).open("w") as nothing:
                os.dup2(nothing.fileno(), sys.stderr.fileno())
            console.write("three\n")
            assert os.read(second, 100) == b"", "no descriptor of it is left"
        assert os.read(first, 100) == b"one\n"


@needs_proc
def test_a_hundred_changes_of_stderr_leave_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_descriptors()
    console = Console()
    for _ in range(100):
        with a_pipe(monkeypatch) as reading:
            console.write("one\n")
            assert os.read(reading, 100) == b"one\n"
            assert open_descriptors() == before + 3
    console.forget()
    assert open_descriptors() == before


@needs_proc
def test_a_number_that_was_closed_and_given_anew_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    console = Console()
    with a_pipe(monkeypatch) as reading, (tmp_path / "other").open("wb") as other:
        console.write("one\n")
        assert console._opening._own
        number = console._opening._own[0]
        os.dup2(other.fileno(), number)
        console.write("two\n")
        console.forget()
        assert os.read(reading, 100) == b"one\ntwo\n"
        assert os.fstat(number).st_size == 0
        os.close(number)


def test_a_socket_gets_the_text_too(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = socket.socketpair()
    console = Console()
    with reading, writing, os.fdopen(os.dup(writing.fileno()), "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        console.write("one\n")
        assert reading.recv(100) == b"one\n"
        assert console._opening._own is None


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console()
    with a_pipe(monkeypatch):
        console.write("x" * 1_000_000)
        console.write("y" * 1_000_000)
        assert len(console._kept) <= MOST_KEPT


def test_a_signal_may_write_in_the_midst_of_a_write() -> None:
    script = """
        import os, signal
        from ohia.console import console
        def note(*_):
            console.write("signal" + chr(10))
        signal.signal(signal.SIGALRM, note)
        with console._lock:
            signal.raise_signal(signal.SIGALRM)
        console.write("after" + chr(10))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=True, timeout=10)  # noqa: S603 - ours
    assert done.stderr == b"signal\nafter\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_leaves_what_is_kept_to_the_first_process() -> None:
    script = """
        import os
        from ohia.console import console
        for _ in range(1000):
            console.write("x" * 999 + chr(10))
        with console._lock:
            child = os.fork()
            if not child:
                os._exit(len(console._kept) > 0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    reading, writing = os.pipe()
    command = [sys.executable, "-c", textwrap.dedent(script)]
    assert subprocess.run(command, stderr=writing, check=False).returncode == 0  # noqa: S603 - ours
    for each in (reading, writing):
        os.close(each)


def test_a_large_text_goes_whole_into_a_file(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with os.fdopen(os.dup(2), "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        Console().write("x" * 1_000_000)
    assert capfd.readouterr().err == "x" * 1_000_000


def test_a_reader_that_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    console = Console()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        console.write("one\n")
    assert not console._kept


@pytest.mark.parametrize("how", ["sys.stderr.close()", "sys.stderr = None", "os.close(2)"])
def test_a_missing_stderr_is_no_error(how: str) -> None:
    script = f"""
        import os, sys
        from ohia.console import console
        {how}
        console.write("one")
        console.flush()
        print("done")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 - ours
    assert done.stdout == b"done\n"
