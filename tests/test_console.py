import io
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ohia.console import MOST_KEPT, Console


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


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console()
    with a_pipe(monkeypatch):
        console.write("x" * 1_000_000)
        console.write("y" * 1_000_000)
        assert len(console._kept) <= MOST_KEPT


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
                os._exit(len(console._kept) or console._lock.locked())
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
