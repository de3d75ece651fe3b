"""A body through a compressor, without keeping the loop from others for long."""

import asyncio
from collections.abc import AsyncIterator, Callable

from ohia.middleware.compress.codings import Compressor

__all__ = ["compressing"]

INLINE = 32 * 1024  # bytes; a millisecond's work at the default levels, ten hand-overs to a thread
SLICE = 1024 * 1024  # bytes that a thread gets at once: what it is still busy with, if nobody waits
PIECE_COST = 256  # bytes that could be compressed in the time that a piece takes by itself


def compressing(
    make: Callable[[], Compressor], *, is_live: bool
) -> Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]:
    """Return a filter of bodies. Each flush goes through; with `is_live` each piece is flushed.

    It gives something, though it may be empty, for each piece: what waits for the first one, to
    send the head, waits no longer than for the source.
    """

    async def compressing(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        work = _Work(make())
        async for piece in pieces:
            slices = (piece[start : start + SLICE] for start in range(0, len(piece), SLICE))
            coded = [await work.compress(each) for each in slices]
            if is_live or not piece:
                coded.append(await work.flush())
            yield b"".join(coded)
        yield await work.finish()

    return compressing


class _Work:
    """A compressor, asked on the loop for little and in a thread for much."""

    def __init__(self, compressor: Compressor) -> None:
        self._compressor = compressor
        self._held = 0  # bytes that it took since its last flush, and may still have to work on
        self._debt = 0  # bytes compressed on the loop since others had their turn

    async def compress(self, piece: bytes) -> bytes:
        self._held += len(piece)
        self._debt += PIECE_COST
        return await self._run(len(piece), self._compressor.compress, piece)

    async def flush(self) -> bytes:
        held, self._held = self._held, 0
        return await self._run(held, self._compressor.flush) if held else b""

    async def finish(self) -> bytes:
        return await self._run(self._held, self._compressor.finish)

    async def _run(self, size: int, function: Callable[..., bytes], *args: bytes) -> bytes:
        if size > INLINE:
            self._debt = 0
            return await asyncio.to_thread(function, *args)
        self._debt += size
        if self._debt > INLINE:
            self._debt = 0
            await asyncio.sleep(0)
        return function(*args)
