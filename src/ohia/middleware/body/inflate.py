"""Compressed request bodies, inflated piece by piece (RFC 9110, 8.4).

A decoder gives about `PIECE` bytes a step, so that whoever counts them stops a bomb long before
it has gone off.
"""

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any, Protocol

from ohia import Request
from ohia.errors import BadRequest, UnsupportedMediaType

__all__ = ["Codings", "inflate", "known_codings"]

PIECE = 64 * 1024
PIECES_A_TURN = 8  # of the loop: others want to run too while a bomb goes off
WINDOW_LOG = 23  # bits of the largest zstd window, 8 MiB (RFC 9659, 3)


class Decoder(Protocol):
    """One body's decoder. `step(b"")` gives more of what it has been given before."""

    def wants_more(self) -> bool:
        """Say whether it has given all that can be known so far."""
        ...

    def has_ended(self) -> bool:
        """Say whether the whole body is decoded, with nothing behind its end."""
        ...

    def step(self, data: bytes) -> bytes:
        """Take `data`, return the next piece; BadRequest for what is not of this coding."""
        ...


class Zlib:
    """gzip, and deflate with its header or without, as browsers' fetch and old clients send it."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._decoder: Any = None  # typeshed names no class for it
        self._is_full = False

    def wants_more(self) -> bool:
        """Say whether it has given all that can be known so far."""
        return not self._is_full

    def has_ended(self) -> bool:
        """Say whether the whole body is decoded."""
        return self._decoder is not None and bool(self._decoder.eof)

    def step(self, data: bytes) -> bytes:
        """Take `data`, return the next piece."""
        if self._decoder is None:
            self._decoder = zlib.decompressobj(self._window_bits(data))
        decoder = self._decoder
        try:
            piece: bytes = decoder.decompress(decoder.unconsumed_tail + data, PIECE)
        except zlib.error as error:
            raise _malformed() from error
        self._is_full = len(piece) >= PIECE or bool(decoder.unconsumed_tail)
        if decoder.unused_data:
            raise _malformed()
        return piece

    def _window_bits(self, data: bytes) -> int:
        """Return zlib's name for the format; RFC 1950 begins with its method, 8."""
        if self._is_gzip:
            return 16 + zlib.MAX_WBITS
        return zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS


class Brotli:
    """br (RFC 7932)."""

    def __init__(self, brotli: Any) -> None:  # noqa: ANN401 - an untyped library
        self._decoder = brotli.Decompressor()
        self._error: type[Exception] = brotli.error
        self._is_drained = True

    def wants_more(self) -> bool:
        """Say whether it has given all that can be known so far."""
        return self._is_drained and bool(self._decoder.can_accept_more_data())

    def has_ended(self) -> bool:
        """Say whether the whole body is decoded."""
        return bool(self._decoder.is_finished())

    def step(self, data: bytes) -> bytes:
        """Take `data`, return the next piece."""
        try:
            piece: bytes = self._decoder.process(data, output_buffer_limit=PIECE)
        except self._error as error:
            raise _malformed() from error
        self._is_drained = not piece  # it takes more before it has given all
        return piece


class Zstandard:
    """zstd (RFC 8878), with the window that the web allows."""

    def __init__(self, zstd: Any) -> None:  # noqa: ANN401 - one of two modules, by Python's version
        options = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
        self._decoder = zstd.ZstdDecompressor(options=options)
        self._error: type[Exception] = zstd.ZstdError

    def wants_more(self) -> bool:
        """Say whether it has given all that can be known so far."""
        return bool(self._decoder.needs_input)

    def has_ended(self) -> bool:
        """Say whether the whole body is decoded."""
        return bool(self._decoder.eof)

    def step(self, data: bytes) -> bytes:
        """Take `data`, return the next piece."""
        try:
            piece: bytes = self._decoder.decompress(data, PIECE)
        except self._error as error:
            raise _malformed() from error
        if self._decoder.unused_data:
            raise _malformed()
        return piece


Codings = Mapping[str, Callable[[], Decoder]]
"""What makes a decoder, by the name of its coding."""


def known_codings() -> Codings:
    """Return the codings that can be decoded: those whose library is installed."""
    known: dict[str, Callable[[], Decoder]] = {
        "gzip": partial(Zlib, is_gzip=True),
        "x-gzip": partial(Zlib, is_gzip=True),  # the same (RFC 9110, 8.4.1.3)
        "deflate": partial(Zlib, is_gzip=False),
    }
    if brotli := _module("brotli"):
        known["br"] = partial(Brotli, brotli)
    if zstd := _module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"):
        known["zstd"] = partial(Zstandard, zstd)
    return known


def _module(name: str) -> Any:  # noqa: ANN401 - a module or None
    try:
        return import_module(name)
    except ImportError:
        return None


def inflate(request: Request, codings: Codings) -> None:
    """Let readers of `request` get its body as it was before it was compressed.

    Once, however often it is called: a reader may have failed at a limit, and another follow. A
    coding that is not among `codings`, and more than one, is UnsupportedMediaType (415).
    """
    if vars(request).get("is_inflated"):
        return
    coding = request.get("content-encoding").strip().lower()
    if coding in {"", "identity"}:
        return
    if coding not in codings:
        accepted = ", ".join(name for name in codings if name != "x-gzip") or "identity"
        headers = {"Accept-Encoding": accepted}  # RFC 9110, 15.5.16
        raise UnsupportedMediaType("Unsupported Content-Encoding", headers=headers)
    vars(request)["is_inflated"] = True
    make = codings[coding]
    request.filter(lambda pieces: _inflated(make(), pieces))


async def _inflated(decoder: Decoder, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    count = 0
    async for data in pieces:
        for piece in _steps(decoder, data):
            yield piece
            count += 1
            if count % PIECES_A_TURN == 0:
                await asyncio.sleep(0)
    if not decoder.has_ended():
        raise BadRequest("The compressed body is cut short")


def _steps(decoder: Decoder, data: bytes) -> Iterator[bytes]:
    if decoder.has_ended():
        raise _malformed()
    yield decoder.step(data)
    while not (decoder.has_ended() or decoder.wants_more()):
        yield decoder.step(b"")


def _malformed() -> BadRequest:
    return BadRequest("The body is not of its Content-Encoding")
