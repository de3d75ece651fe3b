"""Bodies over a real socket: what a client sees of a limit, and an upload (security: 48)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ohia import Context, Ohia
from ohia.middleware.body import body

MIB = 1024 * 1024
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(app: Ohia) -> AsyncIterator[Ends]:
    async with app.listen(0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield reader, writer
        finally:
            writer.close()


def application(upload_dir: Path) -> Ohia:
    app = Ohia(env="test")
    app.use(body(upload_dir=upload_dir))

    @app.use
    async def show(ctx: Context) -> None:
        files = ctx.request.files
        ctx.body = f"{dict(ctx.request.body)} {[each.size for each in files.uploads()]}"

    return app


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: a", *lines, "", ""]).encode()


async def status_of(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]


async def test_a_length_above_the_limit_is_answered_without_the_body(tmp_path: Path) -> None:
    async with connected(application(tmp_path)) as (reader, writer):
        writer.write(head("Content-Type: application/json", f"Content-Length: {MIB + 1}"))
        assert await status_of(reader) == b"413"


async def test_chunks_without_end_are_answered_at_the_limit(tmp_path: Path) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    async with connected(application(tmp_path)) as (reader, writer):
        writer.write(head("Content-Type: application/json", "Transfer-Encoding: chunked"))
        answer = asyncio.ensure_future(status_of(reader))
        while not answer.done():
            writer.write(chunk)
            sent += len(chunk)
            assert sent < 64 * MIB  # the limit, and what the sockets hold
            await writer.drain()
            await asyncio.sleep(0)
        assert answer.result() == b"413"


async def test_what_exceeds_its_length_is_no_body(tmp_path: Path) -> None:
    async with connected(application(tmp_path)) as (reader, writer):
        lines = ["Content-Type: application/json", "Content-Length: 2"]
        writer.write(head(*lines) + b"{}" + b"x" * 100 + b"\r\n\r\n")
        first = await reader.readuntil(b"{} []")
        assert first.startswith(b"HTTP/1.1 200")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")


async def test_an_upload_arrives(tmp_path: Path) -> None:
    content = (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        + bytes(3 * MIB)
        + b"\r\n--x--\r\n"
    )
    lines = ["Content-Type: multipart/form-data; boundary=x", f"Content-Length: {len(content)}"]
    async with connected(application(tmp_path)) as (reader, writer):
        writer.write(head(*lines) + content)
        assert (await reader.readuntil(b"]")).endswith(b"{'a': '1'} [3145728]")
        writer.write(head("Content-Type: application/json", "Content-Length: 2") + b"{}")
        assert await status_of(reader) == b"200"  # by then the first request is over
        assert names_in(tmp_path) == []
