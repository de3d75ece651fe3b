"""`ctx.stream()`: a response that is written piece by piece, inside the chain."""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from ohia.respond import BodyWriter, run_detach, send_head
from ohia.response import BINARY, Filter, ResponseSide
from ohia.sources import close_source

__all__ = ["ResponseStream"]


class ResponseStream:
    """The open response: `await write(piece)`, `await flush()`.

    `wanted` is False for HEAD, 204 and 304: the head is sent, writes are dropped. A client
    that has gone raises ClientDisconnect from `write`. Leaving the block ends the response;
    leaving it by an exception cuts it.
    """

    def __init__(self, ctx: ResponseSide) -> None:
        self._ctx = ctx
        self._writer: BodyWriter | None = None
        self._filtered: FilteredWriter | None = None
        self._ended: asyncio.Future[None] | None = None

    @property
    def wanted(self) -> bool:
        """Whether the client gets a body at all."""
        return self._writer is not None and self._writer.wanted

    async def __aenter__(self) -> Self:
        ctx = self._ctx
        if ctx._stream is not None or ctx._socket is not None:
            raise RuntimeError("this response is a stream or a socket already")
        headers = ctx._response_headers
        if not headers.sent:
            if not ctx._has_status:
                ctx.status = 200
            if "content-type" not in headers:
                headers.put("Content-Type", BINARY)
            await run_detach(ctx)
            await send_head(ctx)
        elif not ctx._flushed:
            raise RuntimeError("the response was sent already")
        ctx._stream = self
        ctx._is_plain = False
        self._ended = asyncio.get_running_loop().create_future()
        wanted = ctx.method != "HEAD" and ctx._status not in {204, 205, 304}
        self._writer = BodyWriter(ctx._exchange, headers, wanted=wanted)
        if ctx._filters and wanted:
            self._filtered = FilteredWriter(self._writer, ctx._filters)
        return self

    async def write(self, piece: str | bytes | bytearray | memoryview) -> None:
        """Send `piece`; return when the client has taken enough."""
        if self._writer is None or self.is_ended:
            raise RuntimeError("this stream is not open")
        piece = piece.encode() if isinstance(piece, str) else bytes(piece)
        if self._filtered is None:
            await self._writer.write(piece)
        elif piece:  # an empty one would be a flush
            await self._filtered.write(piece)

    async def flush(self) -> None:
        """Push out what filters hold back (a compressor, say)."""
        if self._filtered is not None:
            await self._filtered.write(b"")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                await self._end()
            else:
                await self._cut()
        except BaseException:
            await self._cut()
            raise
        finally:
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(None)

    async def _end(self) -> None:
        if self._writer is None:
            return
        if self._filtered is not None:
            await self._filtered.end()
        await self._writer.end()

    async def _cut(self) -> None:
        if self._filtered is not None:
            await self._filtered.cancel()
        self._ctx._exchange.abort()

    @property
    def is_ended(self) -> bool:
        """Whether the block has been left."""
        return self._ended is not None and self._ended.done()

    async def wait_ended(self) -> None:
        """Return when the block has been left, by whichever task runs it."""
        if self._ended is not None:
            await self._ended


class FilteredWriter:
    """Pushes pieces through filters, which pull.

    The filters run in a task of their own (one may wait with a time-out). A write returns
    when they ask for the next piece, so what they gave for this one has been sent.
    """

    def __init__(self, writer: BodyWriter, filters: list[Filter]) -> None:
        self._writer = writer
        self._fed: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._hungry = asyncio.Event()
        stages: list[AsyncIterator[bytes]] = [self._pieces()]
        for each in filters:
            stages.append(each(stages[-1]))
        self._task = asyncio.get_running_loop().create_task(self._pump(stages))
        self._task.add_done_callback(lambda _: self._hungry.set())

    async def write(self, piece: bytes) -> None:
        """Feed `piece`, empty for a flush; raise what the filters or the sending raised."""
        await self._feed(piece)

    async def end(self) -> None:
        """Tell the filters that this was all, and wait until the rest is sent."""
        await self._feed(None)
        await self._task

    async def cancel(self) -> None:
        """Stop the filters where they are."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # it was, or will be, raised by write()

    async def _feed(self, piece: bytes | None) -> None:
        await self._hungry.wait()
        if self._task.done():
            await self._task  # raises what happened, unless the filter simply stopped early
            return
        self._hungry.clear()
        self._fed.set_result(piece)
        if piece is not None:
            await self._hungry.wait()
            if self._task.done():
                await self._task

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            self._hungry.set()
            piece = await self._fed
            self._fed = asyncio.get_running_loop().create_future()
            if piece is None:
                return
            yield piece

    async def _pump(self, stages: list[AsyncIterator[bytes]]) -> None:
        try:
            async for piece in stages[-1]:
                await self._writer.write(piece)
        finally:
            for each in reversed(stages):
                await close_source(each)
