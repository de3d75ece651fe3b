"""An open file as a body: whole, or parts of it with bytes in between."""

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from io import BufferedReader
from typing import Self

__all__ = ["PIECE", "FileBody"]

PIECE = 256 * 1024  # bytes read at once; a thread's hand-over costs as much as 64 KiB


class FileBody:
    """An async iterator over parts of a file, each bytes as they are or a range of positions.

    It owns the file. One that was cut meanwhile ends it early, so that the response falls short
    of its length and is cut too; what was appended is read as far as the parts reach.
    """

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._left: deque[bytes | range] = deque()
        self._is_reading = False

    def take(self, parts: Iterable[bytes | range]) -> None:
        """Give `parts` instead of what it gave so far."""
        self._left = deque(part for part in parts if part)

    @property
    def length(self) -> int:
        """The bytes to come."""
        return sum(len(part) for part in self._left)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        part = self._left.popleft()
        if isinstance(part, bytes):
            return part
        piece = await self._read(part.start, min(PIECE, len(part)))
        if not piece:
            self._left.clear()
            raise StopAsyncIteration
        if len(piece) < len(part):
            self._left.appendleft(part[len(piece) :])
        return piece

    async def _read(self, start: int, size: int) -> bytes:
        self._is_reading = True  # and for ever, if this is cancelled
        piece = await asyncio.to_thread(self.read_at, start, size)
        self._is_reading = False
        return piece

    def read_at(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on; it may wait for a disk."""
        self._file.seek(start, os.SEEK_SET)
        return self._file.read(size)

    @property
    def part(self) -> range | None:
        """What of the file comes next, if the file does."""
        part = self._left[0] if self._left else None
        return part if isinstance(part, range) else None

    @property
    def descriptor(self) -> int:
        """The file's number, for whoever sends `part` by himself, and then calls `skip`."""
        return self._file.fileno()

    def skip(self, count: int) -> None:
        """Take `count` bytes of `part` as given; 0 that the file has ended before its time."""
        part = self._left.popleft()
        if not count:
            self._left.clear()
        elif count < len(part):
            self._left.appendleft(part[count:])

    def close(self) -> None:
        """Close the file, behind a read that nobody waits for any more."""
        if self._is_reading:
            asyncio.get_running_loop().run_in_executor(None, self._file.close)
        else:
            self._file.close()
