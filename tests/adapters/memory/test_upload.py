import asyncio
from collections.abc import AsyncGenerator

import pytest

from ohia.adapters.memory.upload import Upload
from ohia.errors import ClientDisconnect


async def test_no_source_is_an_empty_body() -> None:
    upload = Upload(None)
    assert upload.ended
    assert await upload.read() == b""


async def test_a_body_is_read_piece_by_piece_and_empty_ever_after() -> None:
    async def source() -> AsyncGenerator[bytes]:
        yield b"a"
        yield b""
        yield b"b"

    upload = Upload(source())
    assert [await upload.read() for _ in range(4)] == [b"a", b"b", b"", b""]
    await upload.close()


async def test_the_source_is_asked_only_for_what_is_read() -> None:
    asked: list[str] = []

    async def source() -> AsyncGenerator[bytes]:
        for each in ["a", "b", "c"]:
            asked.append(each)
            yield each.encode()

    upload = Upload(source())
    assert asked == []
    await upload.read()
    assert asked == ["a"]
    await upload.read()
    assert asked == ["a", "b"]
    await upload.close()


async def test_a_read_that_is_cancelled_loses_nothing() -> None:
    ready = asyncio.Event()

    async def source() -> AsyncGenerator[bytes]:
        await ready.wait()
        yield b"a"

    upload = Upload(source())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await upload.read()
    ready.set()
    assert await upload.read() == b"a"
    await upload.close()


async def test_cut_wakes_the_reader() -> None:
    async def source() -> AsyncGenerator[bytes]:
        await asyncio.Event().wait()
        yield b"never"

    upload = Upload(source())
    asyncio.get_running_loop().call_soon(upload.cut)
    with pytest.raises(ClientDisconnect):
        await upload.read()
    await upload.close()


async def test_an_error_of_the_source_cuts_the_body_and_is_kept() -> None:
    async def source() -> AsyncGenerator[bytes]:
        yield b"a"
        raise ValueError("broken")

    upload = Upload(source())
    assert await upload.read() == b"a"
    with pytest.raises(ClientDisconnect):
        await upload.read()
    assert str(upload.error) == "broken"
    await upload.close()


async def test_a_source_that_is_not_read_to_its_end_is_closed() -> None:
    closed: list[bool] = []

    async def source() -> AsyncGenerator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    upload = Upload(source())
    await upload.read()
    await upload.close()
    assert closed == [True]
