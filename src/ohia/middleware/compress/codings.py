"""The three codings as compressors of one shape.

Each is made anew per response and is freed with it. `is_live` is for bodies that stay open: their
window is small, for there may be thousands of them.
"""

import sys
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Literal, Protocol

from ohia.extras import missing

__all__ = ["CodingOptions", "Compressor", "MakeCompressor", "make_brotli", "make_gzip", "make_zstd"]

CodingOptions = Mapping[str, int] | Literal[False]
"""What the library takes by keyword; False never uses the coding."""

LIVE_WINDOW = 15  # as a power of two, in bytes
LIVE_TABLES = 13  # as powers of two, in entries; zstd's own take 0.7 MiB for each response
MOST_ZSTD_WINDOW = 23  # what a client must be able to take (RFC 9659, 3)
GZIP = 16 + zlib.MAX_WBITS  # zlib's sign for gzip's head and tail


class Compressor(Protocol):
    """A body on its way into one coding."""

    def compress(self, piece: bytes, /) -> bytes:
        """Return what can be sent of all so far; perhaps nothing yet."""
        ...

    def flush(self) -> bytes:
        """Return the rest, so that the client can read all so far."""
        ...

    def finish(self) -> bytes:
        """Return the rest, and what ends the coding."""
        ...


MakeCompressor = Callable[[bool], Compressor]
"""Takes `is_live`."""


def make_gzip(options: Mapping[str, int]) -> MakeCompressor:
    """Return what makes gzip compressors: `level` 0 to 9 (6), `mem_level` 1 to 9 (8)."""
    level = options.get("level", 6)
    memory = options.get("mem_level", 8)
    _refuse_unknown("gzip", options, {"level", "mem_level"})

    class Gzip:
        def __init__(self, *, is_live: bool) -> None:  # noqa: ARG002 - its window is small anyway
            self._inner = zlib.compressobj(level, zlib.DEFLATED, GZIP, memory)
            self.compress = self._inner.compress
            self.finish = self._inner.flush

        def flush(self) -> bytes:
            return self._inner.flush(zlib.Z_SYNC_FLUSH)

    Gzip(is_live=False)  # what zlib refuses is told now
    return lambda is_live: Gzip(is_live=is_live)


def make_brotli(options: Mapping[str, int]) -> MakeCompressor:
    """Return what makes brotli compressors: `quality` 0 to 11 (4), `lgwin` 10 to 24, `mode`."""
    make = _library("brotli", "brotli").Compressor
    chosen = {"quality": 4, **options}
    _refuse_unknown("br", options, {"quality", "lgwin", "lgblock", "mode"})

    class Brotli:
        def __init__(self, *, is_live: bool) -> None:
            inner = make(**{**chosen, "lgwin": LIVE_WINDOW} if is_live else chosen)
            self.compress = inner.process
            self.flush = inner.flush
            self.finish = inner.finish

    Brotli(is_live=False)  # what brotli refuses is told now
    return lambda is_live: Brotli(is_live=is_live)


def make_zstd(options: Mapping[str, int]) -> MakeCompressor:
    """Return what makes zstd compressors: `level` (3), or any name of `CompressionParameter`."""
    is_built_in = sys.version_info >= (3, 14)
    zstd = _library("compression.zstd" if is_built_in else "backports.zstd", "backports.zstd")
    names = {each.name for each in zstd.CompressionParameter}
    _refuse_unknown("zstd", options, {"level", *names})
    chosen = {
        zstd.CompressionParameter[name]: value for name, value in options.items() if name in names
    }
    chosen[zstd.CompressionParameter.compression_level] = options.get("level", 3)
    window = zstd.CompressionParameter.window_log
    if options.get("level", 3) > 19:  # whose own window would be larger
        chosen.setdefault(window, MOST_ZSTD_WINDOW)
    tables = (zstd.CompressionParameter.hash_log, zstd.CompressionParameter.chain_log)
    live = {**dict.fromkeys(tables, LIVE_TABLES), **chosen, window: LIVE_WINDOW}

    class Zstd:
        def __init__(self, *, is_live: bool) -> None:
            self._inner = zstd.ZstdCompressor(options=live if is_live else chosen)
            self.compress = self._inner.compress
            self.finish = self._inner.flush

        def flush(self) -> bytes:
            data: bytes = self._inner.flush(self._inner.FLUSH_BLOCK)
            return data

    Zstd(is_live=False)  # what zstd refuses is told now
    return lambda is_live: Zstd(is_live=is_live)


def _library(name: str, package: str) -> Any:  # noqa: ANN401 - a module without types
    try:
        return import_module(name)
    except ImportError:
        raise missing("compress()", package, "compress") from None


def _refuse_unknown(coding: str, options: Mapping[str, int], known: set[str]) -> None:
    for name in options:
        if name not in known:
            raise TypeError(f"{coding} takes {', '.join(sorted(known))}, got {name!r}")
