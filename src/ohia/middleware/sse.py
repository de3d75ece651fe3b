"""sse: events to a page as they happen, over one response that stays open (HTML, 9.2)."""

import asyncio
import contextlib
import weakref
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol, Self

from ohia import ClientDisconnect, Context, Middleware, Next
from ohia.amounts import to_seconds
from ohia.http.event_stream import format_comment, format_event
from ohia.json import encode_json

__all__ = ["EventStream", "OpenEvents", "sse"]

GONE = "the client has gone"

Time = float | timedelta
"""Seconds, or a timedelta."""


class OpenEvents(Protocol):
    """What `ctx.sse` is."""

    def __call__(self, *, heartbeat: Time | None = ..., retry: Time | None = ...) -> "EventStream":
        """Return the stream of events to open: `async with ctx.sse() as events`."""
        ...


def sse(*, heartbeat: Time | None = 15, retry: Time | None = None) -> Middleware:
    """Give `ctx.sse()`, which answers with a stream of events.

    A comment is sent every `heartbeat` seconds, so that proxies keep the connection and a client
    that vanished is noticed; None sends none. `retry` is how many seconds a client shall wait
    before it comes again; None leaves it to the client. `ctx.sse()` takes both too.
    """
    default_heartbeat, default_retry = _seconds(heartbeat), retry
    _milliseconds(retry)  # what is no time is told now

    async def sse(ctx: Context, next: Next) -> None:
        here = weakref.ref(ctx)  # else each request were a cycle

        def open_events(
            *, heartbeat: Time | None = default_heartbeat, retry: Time | None = default_retry
        ) -> EventStream:
            alive = here()
            if alive is None:
                raise RuntimeError("the request of this ctx.sse is over")
            return EventStream(alive, _seconds(heartbeat), _milliseconds(retry))

        ctx.sse = open_events
        await next()

    return sse


class EventStream:
    """The open stream: `await events.send(data, event=..., id=..., retry=...)`.

    The block is left by itself, at its next await, when the client goes (by ClientDisconnect, as a
    write would) and when the application drains (quietly; the client comes again by itself).
    A HEAD gets the head, and leaves the block at once.
    """

    last_event_id: str
    """The id of the last event that the client has seen, "" if it is new here."""

    def __init__(self, ctx: Context, heartbeat: float | None, retry: int | None) -> None:
        field = ctx.headers.get("last-event-id", "")
        self.last_event_id = field.encode("latin-1", "replace").decode("utf-8", "replace")
        self._ctx = ctx
        self._heartbeat = heartbeat
        self._retry = retry  # in milliseconds
        self._stream = ctx.stream()
        self._scope = asyncio.timeout(None)
        self._writing = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    async def send(
        self,
        data: Any = None,  # noqa: ANN401 - what JSON can say
        *,
        event: str | None = None,
        id: str | int | None = None,
        retry: Time | None = None,
    ) -> None:
        """Send one event; return when the client has taken enough.

        `data` is text, or anything as JSON; each of its lines arrives as a line. `retry` is in
        seconds. ValueError for CR, LF or NUL in `event` or `id`; ClientDisconnect once the client
        has gone.
        """
        text = self._text(data)
        await self._write(format_event(text, event=event, id=id, retry=_milliseconds(retry)))

    async def comment(self, text: str = "") -> None:
        """Send what the client's program does not see."""
        await self._write(format_comment(text))

    async def __aenter__(self) -> Self:
        ctx = self._ctx
        ctx.set("Content-Type", "text/event-stream")
        ctx.set("X-Accel-Buffering", "no")  # nginx would hold events back
        if not ctx.response.has("Cache-Control"):
            ctx.set("Cache-Control", "no-cache")
        await self._stream.__aenter__()
        await self._scope.__aenter__()
        ctx.disconnected.add_callback(self._stop)
        self._watching = asyncio.get_running_loop().create_task(self._watch())
        if not self._stream.wanted:
            self._stop()
        elif self._retry is not None:
            await self._open_with(format_event(retry=self._retry))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        is_stopped = False
        try:
            await self._scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            is_stopped = True
        await self._stop_watching()
        if not is_stopped:
            await self._stream.__aexit__(kind, error, traceback)
            return False
        if self._ctx.disconnected.is_set():
            await self._stream.__aexit__(ClientDisconnect, ClientDisconnect(GONE), None)
            raise ClientDisconnect(GONE) from None  # no name: its traceback has this frame
        await self._stream.__aexit__(None, None, None)
        return True

    async def _open_with(self, text: str) -> None:
        try:
            await self._write(text)
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            raise

    async def _write(self, text: str) -> None:
        async with self._writing:  # the heartbeat writes too
            await self._stream.write(text.encode("utf-8", "replace"))
            await self._stream.flush()

    def _text(self, data: Any) -> str | None:  # noqa: ANN401 - what JSON can say
        if data is None or isinstance(data, str):
            return data
        return encode_json(data, None, self._ctx.app.json_default).decode()

    async def _watch(self) -> None:
        try:
            while not await self._drains():
                await self.comment()
        finally:
            self._stop()

    async def _drains(self) -> bool:
        """Say whether the application drains, before it is time for a heartbeat."""
        try:
            async with asyncio.timeout(self._heartbeat):
                await self._ctx.app.wait_draining()
        except TimeoutError:
            return False
        return True

    def _stop(self) -> None:
        """Have the block left at its next await."""
        with contextlib.suppress(RuntimeError):  # it is being left
            self._scope.reschedule(0)

    async def _stop_watching(self) -> None:
        self._ctx.disconnected.remove_callback(self._stop)
        # Not kept: its error holds the frame of `_watch`, and that this object.
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def _seconds(time: Time | None) -> float | None:
    seconds = None if time is None else to_seconds("heartbeat", time)
    if seconds is not None and not seconds > 0:
        raise ValueError(f"a heartbeat is every so many seconds, got {time!r}")
    return seconds


def _milliseconds(time: Time | None) -> int | None:
    return None if time is None else round(1000 * to_seconds("retry", time))
