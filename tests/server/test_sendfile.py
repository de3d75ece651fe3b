"""Files past the transport, on a real socket: whole, in order, and nothing is left of them."""

import asyncio
import errno
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from ohia import Context, Ohia
from ohia.file_body import FileBody
from ohia.server.sendfile import FileSender
from ohia.server.server import Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is Linux's sendfile")

SIZE = 12_000_000  # bytes: more than two kernels hold for a client that does not read
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    content = os.urandom(1000) * (SIZE // 1000)
    (tmp_path / "file").write_bytes(content)
    return content


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the result of each sendfile."""
    sent: list[int] = []
    original = os.sendfile

    def counting(out: int, file: int, start: int, size: int) -> int:
        sent.append(original(out, file, start, size))
        return sent[-1]

    monkeypatch.setattr(os, "sendfile", counting)
    return sent


def application(path: Path, *, parts: Any = (range(SIZE),)) -> Ohia:
    app = Ohia(env="test")

    @app.use
    async def answer(ctx: Context) -> None:
        if ctx.path != "/":
            ctx.body = "next"
            return
        body = FileBody((path / "file").open("rb"))
        body.take(parts)
        ctx.body = body
        ctx.length = body.length

    return app


async def connect(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(REQUEST)
    return reader, writer


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def test_a_file_is_sent_whole_and_the_connection_goes_on(
    tmp_path: Path, content: bytes, sent: list[int]
) -> None:
    async with application(tmp_path).listen(0) as server:
        reader, writer = await connect(server)
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Content-Length: 12000000\r\n" in head
            assert await reader.readexactly(SIZE) == content
            writer.write(REQUEST.replace(b"/ ", b"/next ", 1))
            await reader.readuntil(b"\r\n\r\nnext")
            writer.write(REQUEST)
        await close(writer)
    assert sum(sent) >= 2 * (SIZE - 256 * 1024)  # the first piece comes before the head


async def test_parts_come_in_order(tmp_path: Path, content: bytes, sent: list[int]) -> None:
    parts = [b"<", range(5, 2_000_000), b"|", range(100, 110), b">"]
    async with application(tmp_path, parts=parts).listen(0) as server:
        reader, writer = await connect(server)
        await reader.readuntil(b"\r\n\r\n")
        expected = b"<" + content[5:2_000_000] + b"|" + content[100:110] + b">"
        assert await reader.readexactly(len(expected)) == expected
        await close(writer)
    assert sum(sent) == 2_000_000 - 5


async def test_a_client_that_goes_leaves_nothing_open(
    tmp_path: Path, content: bytes, sent: list[int]
) -> None:
    app = application(tmp_path)
    errors: list[BaseException] = []
    finished = asyncio.Event()
    app.on("error", errors.append)
    app.middleware.insert(0, finishing(finished))
    before = descriptors()
    async with app.listen(0) as server:
        reader, writer = await connect(server)
        await reader.readexactly(1_000_000)
        await close(writer)
        await finished.wait()
    assert errors == []
    assert sum(sent) < SIZE
    assert descriptors() == before


def finishing(finished: asyncio.Event) -> Any:
    async def finishing(ctx: Context, next: Any) -> None:
        ctx.on_finished(lambda *_: finished.set())
        await next()

    return finishing


def descriptors() -> list[str]:
    own = Path("/proc/self/fd")
    names = [str(each.readlink()) for each in own.iterdir() if each.is_symlink()]
    return sorted(name for name in names if "file" in name or "socket" in name)


async def test_a_client_that_takes_nothing_is_cut(
    tmp_path: Path, content: bytes, sent: list[int]
) -> None:
    app = application(tmp_path)
    finished = asyncio.Event()
    app.middleware.insert(0, finishing(finished))
    async with app.listen(0, body_timeout=0.2, min_rate=None) as server:
        with socket.create_connection(server.address) as client:
            client.sendall(REQUEST)
            await finished.wait()
    assert sum(sent) < SIZE


async def test_stopping_waits_no_longer_than_the_grace(tmp_path: Path, content: bytes) -> None:
    before = descriptors()
    async with application(tmp_path).listen(0, grace=0.1) as server:
        reader, writer = await connect(server)
        await reader.readuntil(b"\r\n\r\n")
    assert len(await reader.read()) < SIZE
    await close(writer)
    assert descriptors() == before


async def test_a_file_that_is_cut_cuts_the_connection(tmp_path: Path, content: bytes) -> None:
    errors: list[BaseException] = []
    app = application(tmp_path, parts=[range(SIZE + 1000)])
    app.on("error", errors.append)
    async with app.listen(0) as server:
        reader, writer = await connect(server)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == content
        await close(writer)
    assert [str(each) for each in errors] == ["the body is 1000 bytes short of its Content-Length"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
async def test_a_file_that_cannot_be_sent_so_is_read(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "sendfile", refuse)
    async with application(tmp_path).listen(0) as server:
        reader, writer = await connect(server)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(SIZE) == content
        await close(writer)


async def test_a_disk_that_fails_cuts_the_connection(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> int:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "sendfile", fail)
    errors: list[BaseException] = []
    app = application(tmp_path)
    app.on("error", errors.append)
    async with app.listen(0) as server:
        reader, writer = await connect(server)
        assert len(await reader.read()) < SIZE
        await close(writer)
    assert len(errors) == 1


async def test_filters_and_chunks_get_the_file_in_pieces(
    tmp_path: Path, content: bytes, sent: list[int]
) -> None:
    app = application(tmp_path)

    async def as_they_are(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece

    async def around(ctx: Context, next: Any) -> None:
        await next()
        if ctx.search == "?filter":
            ctx.response.filter(as_they_are)
        else:
            ctx.length = None

    app.middleware.insert(0, around)
    async with app.listen(0) as server:
        for search in ("?filter", "?chunks"):
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(f"GET /{search} HTTP/1.0\r\n\r\n".encode())
            assert (await reader.read()).partition(b"\r\n\r\n")[2] == content
            await close(writer)
    assert sent == []


async def test_what_is_encrypted_is_sent_in_pieces(
    tmp_path: Path, content: bytes, sent: list[int]
) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with application(tmp_path).listen(0, tls=tls) as server:
        reader, writer = await asyncio.open_connection(
            *server.address, ssl=trusting, server_hostname="localhost"
        )
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(SIZE) == content
        await close(writer)
    assert sent == []


async def test_a_path_as_the_body_is_sent_so_too(
    tmp_path: Path, content: bytes, sent: list[int]
) -> None:
    app = Ohia(env="test")

    @app.use
    async def answer(ctx: Context) -> None:
        ctx.body = tmp_path / "file"

    async with app.listen(0) as server:
        reader, writer = await connect(server)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(SIZE) == content
        await close(writer)
    assert sum(sent) >= SIZE - 256 * 1024


def test_a_sender_that_is_closed_sends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    near, far = socket.socketpair()
    with near, far, (tmp_path / "file").open("rb") as file:
        sender = FileSender(file.fileno(), near.fileno())
        assert sender.send(1, 2) == 2
        assert far.recv(10) == b"ex"
        sender.close()
        assert sender.send(0, 4) == 0


def test_a_sender_that_is_closed_while_it_sends_lets_go_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("text")
    near, far = socket.socketpair()
    original = os.sendfile
    with near, far, (tmp_path / "file").open("rb") as file:
        sender = FileSender(file.fileno(), near.fileno())

        def closing(out: int, *rest: int) -> int:
            sender.close()
            os.fstat(out)  # it is still there
            return original(out, *rest)

        monkeypatch.setattr(os, "sendfile", closing)
        assert sender.send(0, 4) == 4
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(sender.socket)
