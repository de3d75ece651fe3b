"""Bodies that come piece by piece, as one kind of async iterator of bytes."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeGuard

from ohia.file_body import PIECE, FileBody

__all__ = ["close_source", "is_bytes_like", "open_file", "pieces_of", "single"]

Next = Callable[[], Awaitable[Any]]
"""Returns the next piece; raises StopAsyncIteration after the last."""


class Pieces:
    """An async iterator of bytes over a function that gets the next piece."""

    __slots__ = ("_next",)

    def __init__(self, next_piece: Next) -> None:
        self._next = next_piece

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return _as_bytes(await self._next())


def pieces_of(body: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - found by looking
    """Return the pieces of a file object, an async or a sync iterator.

    Pieces may be bytes or str; anything else is TypeError. Files are read in threads, sync
    iterators run on the loop. Whoever calls closes `body` by `close_source`.
    """
    if isinstance(body, FileBody):
        return body
    if callable(getattr(body, "read", None)):
        return Pieces(_read_async(body) if _reads_async(body) else _read_in_thread(body))
    if hasattr(body, "__aiter__"):
        return Pieces(aiter(body).__anext__)
    return Pieces(_step(iter(body)))


async def single(body: bytes) -> AsyncIterator[bytes]:
    """Yield `body` as the only piece."""
    yield body


# Files that a thread was still reading when their request was cancelled, by id.
_still_read: set[int] = set()


async def close_source(source: Any) -> None:  # noqa: ANN401 - found by looking
    """Close `source` by its `aclose` or `close`, if it has one."""
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    if close is None:
        return
    if id(source) in _still_read:
        # Closing waits for the read, which may wait for a pipe: not on the loop.
        _still_read.discard(id(source))
        asyncio.get_running_loop().run_in_executor(None, close)
        return
    result = close()
    if inspect.isawaitable(result):
        await result


async def open_file(path: "os.PathLike[str] | os.PathLike[bytes]") -> Any:  # noqa: ANN401 - a file
    """Open `path` for reading bytes, in a thread."""
    return await asyncio.to_thread(open, path, "rb")


def _reads_async(body: Any) -> bool:  # noqa: ANN401 - found by looking
    return inspect.iscoroutinefunction(body.read)


def _read_async(file: Any) -> Next:  # noqa: ANN401 - found by looking
    async def read() -> object:
        return _or_stop(await file.read(PIECE))

    return read


def _read_in_thread(file: Any) -> Next:  # noqa: ANN401 - found by looking
    async def read() -> object:
        try:
            return _or_stop(await asyncio.to_thread(file.read, PIECE))
        except asyncio.CancelledError:
            _still_read.add(id(file))
            raise

    return read


def _or_stop(piece: Any) -> Any:  # noqa: ANN401 - what the file gave
    if piece is None or len(piece) == 0:
        raise StopAsyncIteration
    return piece


def _step(iterator: Any) -> Next:  # noqa: ANN401 - found by looking
    async def step() -> object:
        try:
            return next(iterator)
        except StopIteration:
            raise StopAsyncIteration from None

    return step


def is_bytes_like(value: object) -> "TypeGuard[bytes | bytearray | memoryview[int]]":
    """Say whether `value` is sent as bytes."""
    return isinstance(value, (bytes, bytearray, memoryview))


def _as_bytes(piece: object) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, str):
        return piece.encode()
    if is_bytes_like(piece):
        return bytes(piece)
    raise TypeError(f"the pieces of a body are bytes or str, got {piece!r}")
