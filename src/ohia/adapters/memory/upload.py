"""A request's body on its way in, pulled: nothing is asked of its source before a read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable

from ohia.errors import ClientDisconnect

__all__ = ["Upload"]


class Upload:
    """The pieces of `source`, one at a time.

    The source runs in a task of its own, as a client does, so that its pieces survive a read
    that is cancelled. What it raises cuts the body and is kept in `error`, for the test.
    """

    ended: bool
    error: Exception | None

    def __init__(self, source: AsyncIterable[bytes] | None) -> None:
        self._source = source
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._piece = b""
        self._is_cut = False
        self.ended = source is None
        self.error = None

    async def read(self) -> bytes:
        """Return the next piece, empty at the end; raise ClientDisconnect once it is cut."""
        while not self._piece:
            if self.ended:
                return b""
            if self._is_cut:
                raise ClientDisconnect("the client went before the end of its request")
            self._pull()
            await self._changed.wait()
        piece, self._piece = self._piece, b""
        return piece

    def cut(self) -> None:
        """Wake the reader: there will be no more."""
        self._is_cut = True
        self._changed.set()

    async def close(self) -> None:
        """Stop the source."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _pull(self) -> None:
        self._changed.clear()
        self._wanted.set()
        if self._task is None and self._source is not None:
            self._task = asyncio.create_task(self._run(self._source))

    async def _run(self, source: AsyncIterable[bytes]) -> None:
        try:
            async for piece in source:
                self._piece = piece
                self._wanted.clear()
                self._changed.set()
                await self._wanted.wait()
            self.ended = True
            self._changed.set()
        except Exception as error:  # noqa: BLE001 - whatever the test's own source raises
            self.error = error
            self.cut()
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()
