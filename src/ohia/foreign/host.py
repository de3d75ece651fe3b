"""The server's side of ASGI, played on a ctx: what a foreign application receives and sends.

A body that is sent in one message, or whose first has all of its Content-Length, becomes
`ctx.body`, so that upstream sees it whole. Any other is written to `ctx.stream()` as it comes,
each message waiting for the client.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, cast

from ohia.context import Context
from ohia.errors import ClientDisconnect, HTTPError, WebSocketClosed
from ohia.exchange import Disconnect
from ohia.foreign.answer import Head, set_fields, set_head, set_whole
from ohia.foreign.turned import Turned
from ohia.stream import ResponseStream
from ohia.types import Receive, Scope, Send
from ohia.upgrade import UpgradeOptions
from ohia.websocket import WebSocket, cut_reason

__all__ = ["AsgiApp", "Host", "OneSide", "Upstream"]

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[Any]]
"""An ASGI 3 application. What it returns is ignored."""

Message = Mapping[str, Any]  # what stands in it depends on its type

Receiving = Callable[["Host"], Awaitable[Message]]
Sending = Callable[["Host", Message], Awaitable[None]]

GONE = "the client has gone"
OURS = (ClientDisconnect, WebSocketClosed)
THEIRS = frozenset({"ClientDisconnect", "ClientDisconnected", "WebSocketDisconnect"})


class Upstream(Protocol):
    """How ctx is for upstream, where the response is set."""

    @property
    def anew(self) -> bool:
        """Whether all that was set on ctx has gone through the application."""
        ...

    @property
    def upgrade_options(self) -> UpgradeOptions:
        """What an upgrade shall obey."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether what the application passes on has ended too early."""
        ...

    def outside(self) -> AbstractContextManager[None]:
        """Turn ctx to upstream for a block."""
        ...

    def restore(self, head: Head, body: bytes) -> bool:
        """Set the response as it was before the application, if it left it alone; say so."""
        ...


class OneSide:
    """A ctx that is the same for the application as for upstream."""

    anew: bool = False
    is_cut: bool = False

    def __init__(self, upgrade_options: UpgradeOptions) -> None:
        self.upgrade_options: UpgradeOptions = upgrade_options

    def outside(self) -> AbstractContextManager[None]:
        """Change nothing."""
        return nullcontext()

    def restore(self, head: Head, body: bytes) -> bool:  # noqa: ARG002 - nothing to compare with
        """Say that there is nothing to restore."""
        return False


class Host:
    """One request of a foreign application.

    `answered` is set when its response is known to the end, or it has ended without one;
    `over` tells `receive` that nothing will come any more.
    """

    def __init__(self, ctx: Context[Any], kind: str, upstream: Upstream) -> None:
        self.answered: Disconnect = Disconnect()
        self.is_complete: bool = False
        self.socket: WebSocket | None = None
        self.refusal: HTTPError | None = None
        self._ctx = ctx
        self._exchange = ctx.req
        self._upstream = upstream
        self._receive, self._sends = SIDES[kind]
        self._over = Disconnect()
        self._is_watching = False
        self._body = ctx.request._body
        self._read: Callable[[], Awaitable[bytes]] | None = None
        self._reading = asyncio.Lock()
        self._is_read = False
        self._is_connected = False
        self._accepted = Disconnect()
        self._head: Head | None = None
        self._whole: bytes | None = None
        self._stream: ResponseStream | None = None

    async def run(self, app: AsgiApp, scope: Scope) -> None:
        """Let `app` answer; raise what it raises, and RuntimeError if it does not answer."""
        try:
            await app(scope, self.receive, self.send)
            self._check_answered()
        except BaseException as error:
            if self._stream is not None and not self._stream.is_ended:
                await self._stream.__aexit__(type(error), error, error.__traceback__)
            self._raise_instead(error)
            raise
        finally:
            self._end()

    def _raise_instead(self, error: BaseException) -> None:
        """Raise what stands behind `error`: a limit of the server, or the peer's going."""
        instead = self.refusal or self._going(error)
        try:
            if isinstance(error, Exception) and instead is not None and instead is not error:
                raise instead from error
        finally:
            self.refusal = instead = None  # its traceback leads back to here

    def _going(self, error: BaseException) -> ClientDisconnect | WebSocketClosed | None:
        """Return what ohia raises where `error` only tells that the peer has gone."""
        if isinstance(error, OURS) or not tells_going(error):
            return None
        if self.socket is not None and self.socket.closed:
            return WebSocketClosed(self.socket.close_code or 1006, self.socket.close_reason)
        return None if self.socket or self._exchange.can_send else ClientDisconnect(GONE)

    def apply(self) -> None:
        """Set a whole response on ctx; what was streamed has left."""
        if self._head is None or self._whole is None:
            return
        if not self._upstream.restore(self._head, self._whole):
            set_whole(self._ctx, self._head, self._whole, anew=self._upstream.anew)

    async def receive(self) -> Message:
        """Return the next message from the client; ASGI's `receive`."""
        return await self._receive(self)

    async def send(self, message: Message) -> None:
        """Take a message for the client; ASGI's `send`.

        Raises ClientDisconnect, an OSError as ASGI wants it, once the client has gone.
        """
        handle = self._sends.get(message["type"])
        if handle is None:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        await handle(self, message)

    # What comes from the client.

    async def _receive_http(self) -> Message:
        async with self._reading:
            if not self._is_read and not self._over.is_set():
                return await self._receive_body()
        self._watch()
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _receive_body(self) -> Message:
        if self._read is None:
            self._read = self._body.reader()
        try:
            piece = await self._read()
        except ClientDisconnect:
            self._over.set()
            return {"type": "http.disconnect"}
        except HTTPError as error:  # a limit of the server; whatever follows, this is the answer
            self.refusal = error
            self._over.set()
            return {"type": "http.disconnect"}
        self._is_read = not piece
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def _receive_socket(self) -> Message:
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        if self.socket is None:
            self._watch()
            self._over.add_callback(self._accepted.set)
            await self._accepted.wait()
        try:
            if self.socket is None:
                raise WebSocketClosed  # noqa: TRY301 - one place says what that means
            message = await self.socket.receive()
        except WebSocketClosed as closed:
            code, reason = closed.code, closed.reason
            return {"type": "websocket.disconnect", "code": code, "reason": reason}
        kind = "text" if isinstance(message, str) else "bytes"
        return {"type": "websocket.receive", kind: message}

    def _watch(self) -> None:
        if not self._is_watching:
            self._is_watching = True
            self._exchange.disconnected.add_callback(self._over.set)

    # What goes to the client.

    async def _start(self, message: Message) -> None:
        self._check_here()
        if self._head is not None or self.socket is not None:
            raise RuntimeError("the response has begun already")
        self._head = Head.of(message["status"], message.get("headers") or ())

    async def _send_body(self, message: Message) -> None:
        self._check_here()
        if self._head is None or self.is_complete:
            raise RuntimeError("a body comes after the start of its response, before its end")
        piece = bytes(message.get("body") or b"")
        more = bool(message.get("more_body", False))
        if self._stream is None and not self._keep(self._head, piece, more=more):
            self._stream = await self._open(self._head)
        if self._stream is not None:
            await (self._stream.write(piece) if piece or not more else self._stream.flush())
        if more:
            return
        if self._stream is not None:
            if self._upstream.is_cut:
                return  # the end of something else; what was cut must not look whole
            await self._stream.__aexit__(None, None, None)
        self._complete()

    def _keep(self, head: Head, piece: bytes, *, more: bool) -> bool:
        """Keep `piece` if it is the whole body, which its length may say before the end does."""
        if self._whole is not None and piece:
            raise RuntimeError("the body is longer than its Content-Length")
        if self._whole is None and (not more or (piece and len(piece) == head.length)):
            self._whole = piece
        return self._whole is not None

    async def _open(self, head: Head) -> ResponseStream:
        async def opened() -> ResponseStream:
            set_head(self._ctx, head, anew=self._upstream.anew)
            return await self._ctx.stream().__aenter__()

        return await Turned(self._upstream.outside, opened())

    async def _accept(self, message: Message) -> None:
        if self.socket is not None or self._head is not None:
            raise RuntimeError("the handshake has been answered")
        head = Head.of(101, message.get("headers") or ())
        chosen = message.get("subprotocol")
        options: UpgradeOptions = {
            **self._upstream.upgrade_options,
            "subprotocols": [chosen] if chosen else [],
        }

        async def upgraded() -> WebSocket:
            set_fields(self._ctx, head, anew=self._upstream.anew)
            return await self._ctx.upgrade(**options)

        try:
            self.socket = await Turned(self._upstream.outside, upgraded())
        except HTTPError as error:
            self.refusal = error
            raise
        self._accepted.set()

    async def _send_message(self, message: Message) -> None:
        if self.socket is None:
            raise RuntimeError("the handshake has not been accepted")
        text = message.get("text")
        await self.socket.send((message.get("bytes") or b"") if text is None else text)

    async def _close(self, message: Message) -> None:
        if self.socket is not None:
            code, reason = message.get("code") or 1000, message.get("reason") or ""
            await self.socket.close(code, cut_reason(reason))
            return
        self._check_here()
        if self._head is not None:
            raise RuntimeError("the handshake has been answered")
        self._head, self._whole = Head(403, {}), b""  # ASGI, "Close - send event"
        self._complete()

    # The end.

    def _complete(self) -> None:
        self.is_complete = True
        self._end()

    def _end(self) -> None:
        self._over.set()
        self.answered.set()

    def _check_here(self) -> None:
        if self.refusal is not None or not (self._exchange.can_send or self._stream):
            raise ClientDisconnect(GONE)

    def _check_answered(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        if self.is_complete or self.socket is not None:
            return
        if not self._exchange.can_send:
            raise ClientDisconnect(GONE)
        raise RuntimeError("the ASGI application ended before its response was whole")


def tells_going(error: BaseException) -> bool:
    """Say whether `error` has the name that Starlette, or one of its kind, gives to the going."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(tells_going(each) for each in group.exceptions)
    return type(error).__name__ in THEIRS


# By kind of scope, not by object: a host that held its own methods would need the cycle collector.
SIDES: dict[str, tuple[Receiving, Mapping[str, Sending]]] = {
    "http": (
        Host._receive_http,
        {"http.response.start": Host._start, "http.response.body": Host._send_body},
    ),
    "websocket": (
        Host._receive_socket,
        {
            "websocket.accept": Host._accept,
            "websocket.send": Host._send_message,
            "websocket.close": Host._close,
            "websocket.http.response.start": Host._start,
            "websocket.http.response.body": Host._send_body,
        },
    ),
}
