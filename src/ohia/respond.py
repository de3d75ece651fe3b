"""A finished response onto the wire: HEAD, empty statuses, streams, errors.

What a client sees of an error is decided here, in `error_answer`.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import asyncio
import contextlib
import inspect
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ohia.errors import ClientDisconnect
from ohia.exchange import Disconnect, Exchange
from ohia.file_body import FileBody
from ohia.http.date import format_date
from ohia.http.headers import Headers
from ohia.http.status import EMPTY, PHRASES
from ohia.response import PLAIN, TEXT, UNSET, ResponseSide, is_path, vary_on
from ohia.sources import close_source, open_file, pieces_of, single

__all__ = [
    "BodyWriter",
    "ErrorPage",
    "respond",
    "respond_with_error",
    "run_before_send",
    "run_detach",
    "send_head",
]

# Headers of an error that would frame its answer, or name another type than it has.
FRAMING = frozenset(
    {"connection", "content-length", "content-type", "keep-alive", "te", "trailer"}
    | {"transfer-encoding"}
)


ErrorPage = Callable[[BaseException, Any], object]
"""A function of an error and its ctx, plain or async, that may set the body of the answer."""

SendFile = Callable[[int, range], AsyncIterator[int]]
"""What an exchange may have besides, as `ServerExchange.send_file`."""

# A source that never waits, and a client that takes all or has gone, must not keep the loop from
# everything else, the news of that going included.
PIECES_A_TURN = 8


class BodyWriter:
    """Sends pieces, and holds them to the Content-Length that was announced."""

    __slots__ = ("_exchange", "_remaining", "_sent_this_turn", "wanted")

    wanted: bool

    def __init__(self, exchange: Exchange, headers: Headers, *, wanted: bool) -> None:
        length = headers.get("content-length") if wanted else None
        self._exchange = exchange
        self._remaining = None if length is None else int(length)
        self._sent_this_turn = 0
        self.wanted = wanted

    async def write(self, piece: bytes) -> None:
        """Send `piece`, and wait until the client has taken enough.

        Nothing if it is empty or no body is wanted, but ClientDisconnect if the client has gone.
        More than the Content-Length is RuntimeError, and nothing of `piece` is sent.
        """
        if not piece:
            return
        if self.wanted:
            if self._remaining is not None:
                self._count(len(piece), self._remaining)
            await _done(self._exchange.send_piece(piece))
        elif not self._exchange.can_send:
            raise ClientDisconnect("the client went before the end of its response")
        self._sent_this_turn += 1
        if self._sent_this_turn == PIECES_A_TURN:
            self._sent_this_turn = 0
            await asyncio.sleep(0)

    def _count(self, size: int, remaining: int) -> None:
        self._remaining = remaining - size
        if self._remaining < 0:
            raise RuntimeError("the body is longer than its Content-Length")

    async def write_file(self, body: FileBody) -> None:
        """Send what comes next of `body` unread, if its server can; else leave it to `write`."""
        send_file: SendFile | None = getattr(self._exchange, "send_file", None)
        part = body.part
        if send_file is None or self._remaining is None or part is None:
            return
        with contextlib.suppress(asyncio.SendfileNotAvailableError):
            async for count in send_file(body.descriptor, part):
                self._remaining -= count
                body.skip(count)
                part = part[count:]
            if part:
                body.skip(0)

    async def end(self) -> None:
        """End the response; RuntimeError if the Content-Length was not reached."""
        if self._remaining:
            raise RuntimeError(f"the body is {self._remaining} bytes short of its Content-Length")
        await _done(self._exchange.end())


def respond(ctx: ResponseSide) -> Awaitable[None] | None:
    """Send the response that `ctx` holds at the end of its chain; return what to wait for."""
    body = ctx._payload
    if not ctx._is_plain or ctx.method == "HEAD":
        return _respond_with_care(ctx)
    headers = ctx._response_headers
    if body is None:
        if type(ctx._body) not in PLAIN:
            return _respond_with_care(ctx)
        body = ctx._encoded()
        headers.put("Content-Length", str(len(body)))
    waiting = ctx._exchange.send_response(ctx._status, ctx._message, headers, body)
    headers.sent = True  # not before: a head that cannot be written leaves room for a 500
    return waiting


async def _respond_with_care(ctx: ResponseSide) -> None:
    """Do as `respond`, for whatever is not just a value to be sent."""
    if ctx._status < 200:
        raise RuntimeError(f"{ctx._status} is not the status of a final response")
    whole = _whole_body(ctx)
    pieces = None
    if ctx._filters is not None and whole and _wants_body(ctx):
        whole = await _filter_whole(ctx, whole)
    if whole is None and _wants_body(ctx):
        pieces = await _Started.of(await _open(ctx), ctx._exchange.disconnected)
    try:
        if not ctx._response_headers.sent:
            await run_before_send(ctx)
            if await _send_if_whole(ctx, whole):
                return
            await send_head(ctx, run_hooks=False)
        await _send_body(ctx, pieces, whole)
    finally:
        if pieces is not None:
            await pieces.close()


async def _send_body(ctx: ResponseSide, pieces: "_Started | None", whole: bytes | None) -> None:
    """Send what follows a head that has left alone."""
    writer = BodyWriter(ctx._exchange, ctx._response_headers, wanted=_wants_body(ctx))
    if pieces is not None and writer.wanted:
        await pieces.send(writer)
    elif whole:
        await writer.write(whole)
    await writer.end()


def _wants_body(ctx: ResponseSide) -> bool:
    return ctx.method != "HEAD" and ctx._status not in EMPTY


def _whole_body(ctx: ResponseSide) -> bytes | None:
    """Return the body as bytes, its Content-Length set; None for one in pieces."""
    body = ctx._body
    headers = ctx._response_headers
    if ctx._payload is not None:
        return ctx._payload
    if body is UNSET or body is None:
        return _default_body(ctx)
    if ctx._sources is not None and any(each is body for each in ctx._sources):
        return None
    if is_path(body):
        return None
    payload = ctx._encoded()
    if not headers.sent:
        headers.put("Content-Length", str(len(payload)))
    return payload


def _default_body(ctx: ResponseSide) -> bytes:
    """Return what stands for a body that nobody set: the status as text, or nothing."""
    headers = ctx._response_headers
    if ctx._status in EMPTY:
        return b""
    if headers.sent:
        return b"" if ctx._body is None else _status_text(ctx)
    if ctx.method == "HEAD":
        return b""
    if ctx._body_is_null:
        headers.remove("content-type")
        headers.put("Content-Length", "0")
        return b""
    text = _status_text(ctx)
    headers.put("Content-Type", TEXT)
    headers.put("Content-Length", str(len(text)))
    return text


def _status_text(ctx: ResponseSide) -> bytes:
    return (ctx.message or str(ctx._status)).encode("utf-8")


async def _filter_whole(ctx: ResponseSide, whole: bytes) -> bytes:
    """Pass a whole body through the filters; it stays whole, so its length is known."""
    pieces = _filtered(ctx, single(whole))
    try:
        whole = b"".join([piece async for piece in pieces[-1]])
    finally:
        for each in reversed(pieces):
            await close_source(each)
    ctx._response_headers.put("Content-Length", str(len(whole)))
    return whole


def _filtered(ctx: ResponseSide, pieces: AsyncIterator[bytes]) -> list[AsyncIterator[bytes]]:
    """Return `pieces` and what each filter makes of the one before."""
    stages = [pieces]
    for each in ctx._filters or ():
        stages.append(each(stages[-1]))
    return stages


async def _open(ctx: ResponseSide) -> list[AsyncIterator[bytes]]:
    """Return the stages of a body in pieces; the last is the one to send."""
    body = ctx._body
    headers = ctx._response_headers
    if is_path(body):
        declared = headers.get("content-length")
        file = await open_file(body)
        body = FileBody(file)
        ctx._hold(body)
        facts = os.fstat(file.fileno())
        size = int(declared) if declared and headers.sent else facts.st_size
        body.take([range(size if declared else sys.maxsize)])  # more may be appended
        if not headers.sent and declared is not None:
            headers.put("Content-Length", str(facts.st_size))
            if "last-modified" not in headers:
                headers.put("Last-Modified", format_date(facts.st_mtime))
    if ctx._filters is not None and not headers.sent:
        headers.remove("content-length")
    pieces = pieces_of(body)
    if ctx._side is not None:
        pieces = ctx._side.pieces(ctx, body, pieces)
    return _filtered(ctx, pieces)


class _Started:
    """A body in pieces whose first one is at hand, so a source that fails at once is a 500.

    While it runs, the client's going cancels the task, which belongs to nobody else by then:
    the source gets CancelledError at its await, the caller ClientDisconnect.
    """

    def __init__(self, stages: list[AsyncIterator[bytes]], gone: Disconnect) -> None:
        self._stages = stages
        self._gone = gone
        self._first: bytes | None = None

    @classmethod
    async def of(cls, stages: list[AsyncIterator[bytes]], gone: Disconnect) -> "_Started":
        started = cls(stages, gone)
        try:
            started._first = await started._cancelled_by_going(started._pull())
        except BaseException:
            await started.close()
            raise
        return started

    async def send(self, writer: BodyWriter) -> None:
        """Send all pieces."""
        await self._cancelled_by_going(self._send(writer))

    async def _pull(self) -> bytes | None:
        return await anext(self._stages[-1], None)

    async def _send(self, writer: BodyWriter) -> None:
        first, self._first = self._first, None
        if first is None:
            return
        await writer.write(first)
        del first  # a quarter of a megabyte of a file, whose rest may take a slow client minutes
        source = self._stages[-1]
        if isinstance(source, FileBody):
            await writer.write_file(source)
        async for piece in source:
            await writer.write(piece)

    async def _cancelled_by_going(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - its result
        if self._gone.is_set():
            work.close()
            raise self._client_went()
        task = cast("asyncio.Task[None]", asyncio.current_task())
        cancelled = False

        def cancel() -> None:
            nonlocal cancelled
            if asyncio.current_task() is not task:  # else it sends, and is told by that
                cancelled = True
                task.cancel()

        self._gone.add_callback(cancel)
        try:
            return await work
        except asyncio.CancelledError:
            if cancelled and task.cancelling() == 1:
                raise self._client_went() from None
            raise
        finally:
            self._gone.remove_callback(cancel)
            if cancelled:  # whether the source let it out or not
                task.uncancel()

    def _client_went(self) -> ClientDisconnect:
        return ClientDisconnect("the client went before the end of the body")

    async def close(self) -> None:
        """Close what the filters opened; the source itself is closed with the response."""
        for each in reversed(self._stages[1:]):
            await close_source(each)


async def _send_if_whole(ctx: ResponseSide, whole: bytes | None) -> bool:
    """Send head and body at once, if the body is whole or none is wanted."""
    headers = ctx._response_headers
    if _wants_body(ctx):
        if whole is None:
            return False
    else:
        whole = b""
        _strip_for_no_body(ctx)
    waiting = ctx._exchange.send_response(ctx._status, ctx._message, headers, whole)
    headers.sent = True
    await _done(waiting)
    return True


def _strip_for_no_body(ctx: ResponseSide) -> None:
    headers = ctx._response_headers
    if ctx._status in EMPTY:
        for name in ("content-type", "content-length", "transfer-encoding"):
            headers.remove(name)
    elif ctx._filters is not None or ctx._exchange.method != "HEAD":
        headers.remove("content-length")  # nobody knows it; or HEAD is only what ctx was told


async def run_before_send(ctx: ResponseSide) -> None:
    """Run the hooks of `ctx.before_send`, last one first, each once."""
    while ctx._before_send:
        result = ctx._before_send.pop()(ctx)
        if inspect.isawaitable(result):
            await result
    ctx._before_send = None


async def run_detach(ctx: ResponseSide) -> None:
    """Run the hooks of `ctx.on_detach`: the request has become a long one."""
    while ctx._on_detach:  # a hook may register another
        hooks, ctx._on_detach = ctx._on_detach, None
        for hook in hooks:
            result = hook(ctx)
            if inspect.isawaitable(result):
                await result


async def send_head(ctx: ResponseSide, *, run_hooks: bool = True) -> None:
    """Send status and headers alone; the body follows in pieces."""
    if run_hooks:
        await run_before_send(ctx)
    if ctx._status < 200:
        raise RuntimeError(f"{ctx._status} is not the status of a final response")
    headers = ctx._response_headers
    if ctx._filters is not None:
        headers.remove("content-length")
    if not _wants_body(ctx):
        _strip_for_no_body(ctx)
    waiting = ctx._exchange.send_head(ctx._status, ctx._message, headers)
    headers.sent = True
    ctx._is_plain = False
    await _done(waiting)


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """What a client sees of an error."""

    status: int
    text: str
    headers: Mapping[str, Any]


def error_answer(error: BaseException) -> ErrorAnswer:
    """Decide what a client sees of `error`: the message only if `expose` says so.

    Any exception may carry an int `status` of 400 to 599; without one it is 500. Headers are
    taken from an HTTPError, or one that is alike: it has a bool `expose`.
    """
    status: object = getattr(error, "status", None)
    if type(status) is not int or not 400 <= status <= 599:
        status = 500
    text = PHRASES.get(status, str(status))
    expose: object = getattr(error, "expose", None)
    if expose is True:
        text = str(getattr(error, "message", None) or error)
    headers: Any = getattr(error, "headers", None) if isinstance(expose, bool) else None
    return ErrorAnswer(status, text, headers if isinstance(headers, Mapping) else {})  # pyright: ignore[reportUnknownArgumentType] - checked one by one when set


async def respond_with_error(
    ctx: ResponseSide, error: BaseException, page: ErrorPage | None = None
) -> None:
    """Answer `error`: headers cleared but for sticky ones, its own added, text/plain.

    Then `page(error, ctx)` may give it another body.
    """
    try:
        answer = error_answer(error)
        _set_error(ctx, answer)
    except Exception:  # noqa: BLE001 - whatever an odd error does, its client is answered
        _set_error(ctx, ErrorAnswer(500, PHRASES[500], {}))
    if page is not None:
        result = page(error, ctx)
        if inspect.isawaitable(result):
            await result
    await _respond_with_care(ctx)


def _set_error(ctx: ResponseSide, answer: ErrorAnswer) -> None:
    headers = ctx._response_headers
    headers.clear()
    ctx._filters = None
    if ctx._sticky is not None:
        for name, value in ctx._sticky.lines():
            headers.append(name, value)
    for name, value in answer.headers.items():
        _add_error_header(headers, name, value)
    ctx._status = answer.status
    ctx._has_status = True
    ctx._message = None
    ctx._body = answer.text
    ctx._payload = answer.text.encode("utf-8", "replace")
    headers.put("Content-Type", TEXT)
    headers.put("Content-Length", str(len(ctx._payload)))


def _add_error_header(headers: Headers, name: str, value: Any) -> None:  # noqa: ANN401 - the user's
    key = name.lower()
    if key in FRAMING:
        return
    if key == "vary":
        vary_on(headers, [each.strip() for each in str(value).split(",")])
    elif key == "set-cookie":
        headers.append(name, value)
    else:
        headers[name] = value


async def _done(waiting: Awaitable[None] | None) -> None:
    if waiting is not None:
        await waiting
