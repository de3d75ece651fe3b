"""Bodies that come piece by piece."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ohia.sources import close_source, pieces_of


class AsyncFile:
    """A file whose read is a coroutine, as aiofiles has them."""

    def __init__(self) -> None:
        self.left = [b"a", b"b"]
        self.closed = False

    async def read(self, size: int) -> bytes:
        return self.left.pop(0) if self.left else b""

    async def close(self) -> None:
        self.closed = True


async def pieces() -> AsyncIterator[Any]:
    yield "a"
    yield b""
    yield memoryview(b"b")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (io.BytesIO(b"ab"), [b"ab"]),
        (io.StringIO("aé"), ["aé".encode()]),
        (AsyncFile(), [b"a", b"b"]),
        (iter(["a", b"b"]), [b"a", b"b"]),
        (iter([]), []),
        (pieces(), [b"a", b"", b"b"]),
    ],
    ids=repr,
)
async def test_each_kind_gives_bytes(body: Any, expected: list[bytes]) -> None:
    assert [piece async for piece in pieces_of(body)] == expected
    await close_source(body)


@pytest.mark.parametrize("piece", [1, None, {"a": 1}, ["x"]])
async def test_other_pieces_are_refused(piece: Any) -> None:
    with pytest.raises(TypeError, match="bytes or str"):
        await anext(pieces_of(iter([piece])))


async def test_closing_awaits_where_it_must() -> None:
    file = AsyncFile()
    await close_source(file)
    assert file.closed
    await close_source(object())


async def test_a_file_that_a_thread_still_reads_is_closed_without_stopping_the_loop() -> None:
    reading, writing = os.pipe()
    file = os.fdopen(reading, "rb")
    task = asyncio.ensure_future(anext(pieces_of(file)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await close_source(file)  # returns, though the read goes on until the pipe ends
    os.close(writing)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert file.closed
