"""The body of a request: as a stream without limit, or whole and kept."""

from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum, auto
from typing import Any, TypeVar, overload

from ohia.errors import BadRequest, PayloadTooLarge
from ohia.exchange import Exchange
from ohia.http.charset import text_codec
from ohia.json import decode_json

__all__ = ["Filter", "RequestBody"]

Value = TypeVar("Value")

Filter = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]
"""Takes the pieces of a body as they come, and gives others."""


class State(Enum):
    """How far the body has been read."""

    NEW = auto()
    STREAMING = auto()  # handed out piece by piece, to the end or not: gone
    KEPT = auto()


class RequestBody:
    """The one reader of an exchange's body. Sizes in bytes."""

    __slots__ = ("_exchange", "_kept", "_read", "_state")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._read: Callable[[], Awaitable[bytes]] = exchange.read
        self._state = State.NEW
        self._kept = b""

    def filter(self, fn: Filter) -> None:
        """Pass the body through `fn`, also one that is kept; RuntimeError after a stream."""
        if self._state is State.STREAMING:
            raise RuntimeError("the request body was already read as a stream; filter it before")
        is_kept = self._state is State.KEPT
        self._read = _reader(fn(_single(self._kept) if is_kept else _pieces(self._read)))
        self._state = State.NEW

    @property
    def is_filtered(self) -> bool:
        """Whether readers get something else than the client sent."""
        return self._read != self._exchange.read

    @property
    def size(self) -> int | None:
        """The length of what readers get, as far as it is known without what was declared."""
        return len(self._kept) if self._state is State.KEPT else None

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the pieces as they come; a body that was read whole comes as one piece."""
        if self._state is State.KEPT:
            if self._kept:
                yield self._kept
            return
        self._begin()
        while piece := await self._read():
            yield piece

    def reader(self) -> Callable[[], Awaitable[bytes]]:
        """Return what gives the next piece, empty at the end; it counts as a `stream()`.

        A call that is cancelled loses nothing, where an iterator would be at its end; but of a
        body with a filter no more can be read then, which is RuntimeError.
        """
        if self._state is State.KEPT:
            return _reader(_single(self._kept))
        self._begin()
        return self._read

    async def read(self, limit: int | None) -> bytes:
        """Return the whole body, kept for whoever reads it again.

        Longer than `limit` is PayloadTooLarge; after a stream was begun it is RuntimeError.
        """
        if self._state is not State.KEPT:
            self._refuse_declared_length(limit)
            self._begin()
            self._kept = await self._read_up_to(limit)
            self._state = State.KEPT
        if limit is not None and len(self._kept) > limit:
            raise _too_large(limit)
        return self._kept

    async def text(self, limit: int | None, charset: str) -> str:
        """Return the whole body as text; a charset that is unknown or not kept to is 400."""
        return decode(await self.read(limit), charset or "utf-8")

    @overload
    async def json(self, limit: int | None, charset: str, type: None) -> Any: ...  # noqa: ANN401
    @overload
    async def json(self, limit: int | None, charset: str, type: type[Value]) -> Value: ...
    async def json(self, limit: int | None, charset: str, type: type[Any] | None) -> object:
        """Return the whole body as JSON, checked and converted to `type`; else BadRequest."""
        import msgspec  # noqa: PLC0415 - see ohia.late

        data = await self.read(limit)
        if charset and codecs_name(charset) not in {"utf-8", "ascii"}:
            data = decode(data, charset).encode()
        try:
            return decode_json(data, Any if type is None else type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            reason = error if data else "the body is empty"
            raise BadRequest(f"Invalid JSON: {reason}") from error

    def _begin(self) -> None:
        if self._state is not State.NEW:
            raise RuntimeError("the request body was already read as a stream; read() it first")
        self._state = State.STREAMING

    def _refuse_declared_length(self, limit: int | None) -> None:
        declared = self._exchange.content_length
        if limit is not None and declared is not None and declared > limit:
            raise _too_large(limit)

    async def _read_up_to(self, limit: int | None) -> bytes:
        read = self._read
        pieces: list[bytes] = []
        size = 0
        while piece := await read():
            size += len(piece)
            if limit is not None and size > limit:
                raise _too_large(limit)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _pieces(read: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    while piece := await read():
        yield piece


async def _single(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _next_of(pieces: AsyncIterator[bytes]) -> bytes:
    async for piece in pieces:
        if piece:
            return piece
    return b""


def _reader(pieces: AsyncIterator[bytes]) -> Callable[[], Awaitable[bytes]]:
    """Return what `Exchange.read` is, for filtered `pieces`: empty ones say nothing.

    After a call that failed or was cancelled it is RuntimeError: an iterator is at its end then,
    and the body would look whole.
    """
    is_broken = False

    async def read() -> bytes:
        nonlocal is_broken
        if is_broken:
            raise RuntimeError("a filter of the request body was stopped before its end")
        is_broken = True
        piece = await _next_of(pieces)
        is_broken = False
        return piece

    return read


def codecs_name(charset: str) -> str:
    """Return Python's name for `charset`; one that is unknown or no text raises BadRequest."""
    name = text_codec(charset)
    if name is None:
        raise BadRequest("Unsupported charset")
    return name


def decode(data: bytes, charset: str) -> str:
    """Return `data` as text in `charset`, or raise BadRequest."""
    try:
        return data.decode(codecs_name(charset))
    except UnicodeDecodeError as error:
        raise BadRequest(f"Invalid text for charset {charset}") from error


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(limit=limit)
