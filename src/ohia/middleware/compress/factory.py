"""compress: response bodies in zstd, brotli or gzip, by what the client accepts."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType

from ohia import Context, Middleware, Next
from ohia.amounts import check_whole
from ohia.errors import NotAcceptable
from ohia.http.accept import preferred_encoding
from ohia.http.status import EMPTY
from ohia.middleware.compress.body import compressing
from ohia.middleware.compress.codings import (
    CodingOptions,
    MakeCompressor,
    make_brotli,
    make_gzip,
    make_zstd,
)
from ohia.middleware.compress.compressible import compressible
from ohia.plain import plain

__all__ = ["compress"]

Wanted = tuple[tuple[str, CodingOptions, Callable[[Mapping[str, int]], MakeCompressor]], ...]

DEFAULTS: CodingOptions = MappingProxyType({})
IDENTITY = "identity"
NO_TRANSFORM = re.compile(r"(?:^|,)[ \t]*+no-transform[ \t]*+(?:,|$)", re.IGNORECASE)
SHORT = 128  # characters of an Accept-Encoding that is worth remembering

# Each piece of these is a message, which somebody waits for.
LIVE = frozenset(
    {
        "application/json-seq",
        "application/jsonl",
        "application/ndjson",
        "application/x-ndjson",
        "text/event-stream",
    }
)


def compress(
    *,
    threshold: int = 1024,
    filter: Callable[[str], bool] = compressible,
    zstd: CodingOptions = DEFAULTS,
    br: CodingOptions = DEFAULTS,
    gzip: CodingOptions = DEFAULTS,
) -> Middleware:
    """Compress bodies of at least `threshold` bytes whose media type `filter` accepts.

    `zstd`, `br` and `gzip` are the options of each coding, or False for never; of those that the
    client likes equally the first in this order is taken. `ctx.compress` True or False overrules
    `filter`.

    A client that refuses `identity` and all codings gets NotAcceptable (406). Without the library
    of a coding that is not False: ModuleNotFoundError. TypeError for a threshold that is no int
    and an async `filter`.
    """
    check_whole("threshold", threshold)
    wants = filter if filter is compressible else plain("filter", filter)
    wanted: Wanted = (
        ("zstd", zstd, make_zstd),
        ("br", br, make_brotli),
        ("gzip", gzip, make_gzip),
    )
    makers = {name: make(options) for name, options, make in wanted if options is not False}
    begin = _Beginning(threshold, wants, makers).begin

    async def compress(ctx: Context, next: Next) -> None:
        ctx.on_detach(begin)
        await next()
        if not ctx.header_sent:
            begin(ctx)

    return compress


class _Beginning:
    """What is decided when a body begins: at the end of the chain, or where a stream is opened."""

    def __init__(
        self,
        threshold: int,
        filter: Callable[[str], bool],
        makers: Mapping[str, MakeCompressor],
    ) -> None:
        self._threshold = threshold
        self._filter = filter
        self._makers = makers
        self._offers = (*makers, IDENTITY)
        self._choose = lru_cache(maxsize=256)(self._negotiate)

    def begin(self, ctx: Context) -> None:
        """Have the body of `ctx` compressed, if it may and shall be."""
        if ctx.status == 101 or not self._concerns(ctx):
            return
        ctx.vary("Accept-Encoding")
        if ctx.status == 304 and f"W/{ctx.response.etag}" in ctx.get("If-None-Match"):
            _weaken(ctx)  # as it was sent; caches update nothing by another (RFC 9111, 4.3.4)
        if ctx.status in EMPTY or _is_partial(ctx) or self._is_small(ctx):
            return
        coding = self._accepted(ctx)
        if coding == IDENTITY:
            return
        if ctx.method == "HEAD":
            ctx.before_send(_tell_as_get)
            return
        ctx.set("Content-Encoding", coding)
        ctx.before_send(partial(_settle, coding))
        is_live = ctx.type in LIVE
        make = partial(self._makers[coding], is_live)
        ctx.response.filter(compressing(make, is_live=is_live))

    def _concerns(self, ctx: Context) -> bool:
        """Say whether this answer, or another to the same request, could be compressed."""
        if ctx.compress is False or ctx.has("Content-Encoding"):
            return False
        if ctx.has("Cache-Control") and NO_TRANSFORM.search(ctx.response.get("Cache-Control")):
            return False
        return ctx.status == 304 or ctx.compress is True or self._filter(ctx.type)

    def _is_small(self, ctx: Context) -> bool:
        length = ctx.length
        return length is not None and (length < self._threshold or length == 0)

    def _accepted(self, ctx: Context) -> str:
        field = ctx.get("Accept-Encoding")
        coding = self._choose(field) if len(field) <= SHORT else self._negotiate(field)
        if coding is None:
            raise NotAcceptable(f"supported encodings: {', '.join(self._offers)}")
        return coding

    def _negotiate(self, field: str) -> str | None:
        # What takes anything may still be an old program: gzip is known to all (as koa-compress).
        return preferred_encoding("gzip" if field.strip() == "*" else field, self._offers)


def _is_partial(ctx: Context) -> bool:
    """Say whether the body is a part of one: its ranges count bytes that are not coded."""
    return ctx.status == 206 or ctx.has("Content-Range")


def _settle(coding: str, ctx: Context) -> None:
    """Make the head fit what became of the answer since it was decided."""
    response = ctx.response
    if response.get("Content-Encoding") != coding:
        return  # an error has taken its place
    if ctx.status in EMPTY or response.get("Content-Length") == "0":
        ctx.remove("Content-Encoding")
    ctx.remove("Accept-Ranges")
    _weaken(ctx)


def _tell_as_get(ctx: Context) -> None:
    """Make the head of a HEAD fit a GET that would be compressed (RFC 9110, 8.6)."""
    ctx.remove("Content-Length")
    _weaken(ctx)


def _weaken(ctx: Context) -> None:
    """Make the ETag weak: it is that of all codings of one body (RFC 9110, 8.8.1)."""
    tag = ctx.response.etag
    if tag.startswith('"'):
        ctx.set("ETag", f"W/{tag}")
