"""The seam between a context and a server: what one raw request and its response can do.

Three things implement it: ohia's own server, the ASGI adapter and the in-memory one for
tests. Whatever stands above it (context, request, response, upgrade) works the same on each.

The rules of an exchange:

- The server makes it and starts a task that runs `await app.handle(exchange)`. `handle` calls
  `close()` last, exactly once. What is unfinished then is cut.
- The response is sent by `send_response`, or by `send_head`, any number of `send_piece` and
  `end`. These hand over at the call, in order. They return None when there is nothing to wait
  for, else an awaitable that is done when the client has taken enough (back-pressure). Both
  the call and the awaitable raise ClientDisconnect once the client has gone.
- The caller keeps to HTTP: no body for HEAD, 1xx, 204 and 304; at most one Content-Length,
  and exactly as many bytes. The server chooses the framing, and adds Date and Connection.
- One reader: `read()` is called by one task at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ohia.http.headers import Headers, parse_length

__all__ = ["Address", "Disconnect", "Exchange", "Handler", "Socket", "SocketOptions", "fit_length"]

Address = tuple[str, int | None]
"""Host and port of one end of a connection; a unix socket has its path and None."""


class Disconnect:
    """The client's going, as an event: `is_set()`, `await wait()`, callbacks.

    Set at most once, by the exchange. Not set by an exchange that ended well.
    """

    __slots__ = ("_callbacks", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._callbacks: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        """Say whether the client has gone."""
        return self._is_set

    def set(self) -> None:
        """Note that the client has gone; run the callbacks, once."""
        self._is_set = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def add_callback(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the client goes; at once if it has."""
        if self._is_set:
            callback()
        else:
            self._callbacks.append(callback)

    def remove_callback(self, callback: Callable[[], object]) -> None:
        """Forget `callback`, if it still waits."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    async def wait(self) -> None:
        """Return when the client has gone."""
        if self._is_set:
            return
        gone = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not gone.done():
                gone.set_result(None)

        self._callbacks.append(wake)
        try:
            await gone
        finally:
            self.remove_callback(wake)


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """How a WebSocket shall behave. Sizes in bytes, times in seconds, None is off."""

    max_message_size: int | None = 1024 * 1024  # of one message after inflating; more closes 1009
    max_fragment_size: int | None = None  # of one frame, likewise; not seen over ASGI or in memory
    max_queue: int = 16  # messages that wait for `receive`; more stops reading from the network
    compression: bool = True  # permessage-deflate where the client offers it (RFC 7692)
    ping_interval: float | None = 20
    ping_timeout: float | None = 20  # without a sign of life for so long it is over, code 1011
    close_timeout: float | None = 10  # for the peer's half of the close handshake

    def __post_init__(self) -> None:
        """Raise ValueError for what could never work."""
        if self.max_queue < 1:
            raise ValueError(f"max_queue is at least 1, got {self.max_queue!r}")
        if self.ping_interval == 0:
            raise ValueError("ping_interval cannot be 0; None sends no pings")


class Socket(Protocol):
    """An upgraded exchange: messages in both directions."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on."""
        ...

    @property
    def close_code(self) -> int | None:
        """None while open; then the code of the Close frame that ended it, 1005 or 1006.

        The peer's code if it closed first, else ours.
        """
        ...

    @property
    def close_reason(self) -> str:
        """The reason that came with `close_code`, empty while open."""
        ...

    @property
    def buffered(self) -> int:
        """Bytes handed over by `send` that the network has not taken yet."""
        ...

    def send(self, data: str | bytes) -> Awaitable[None] | None:
        """Hand over one message: str as text, bytes as binary, in the order of calls.

        None when there is nothing to wait for, else an awaitable for back-pressure that may be
        dropped. Raises WebSocketClosed, at the call or in the awaitable, once it is closed.
        """
        ...

    async def receive(self) -> str | bytes:
        """Return the next message; raise WebSocketClosed after the last one."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what was handed over, then Close; wait for the peer's. Again: only wait."""
        ...

    async def ping(self) -> float:
        """Return the seconds from a ping to its pong; raise WebSocketClosed if none comes."""
        ...

    async def wait_closed(self) -> None:
        """Return when the connection is over."""
        ...


def fit_length(headers: Headers, body: bytes) -> None:
    """Give `headers` the Content-Length of a `body`; RuntimeError if they have another."""
    declared = headers.get("content-length")
    if declared is None:
        if body:
            headers.put("Content-Length", str(len(body)))
    elif parse_length(declared) != len(body):
        raise RuntimeError(f"the body has {len(body)} bytes, its Content-Length says {declared}")


class Exchange(Protocol):
    """One request and the way to answer it."""

    @property
    def method(self) -> str:
        """As sent, upper case by custom; GET for a WebSocket handshake that hides it."""
        ...

    @property
    def target(self) -> str:
        """The request target as sent, whole: path and query, still percent-encoded."""
        ...

    @property
    def mount_path(self) -> str:
        """The part of the target's path that a host has routed on, empty at the root."""
        ...

    @property
    def http_version(self) -> str:
        """`1.0`, `1.1`, `2` or `3`."""
        ...

    @property
    def headers(self) -> Headers:
        """The request's fields; the same object each time."""
        ...

    @property
    def content_length(self) -> int | None:
        """Bytes of the request's body as declared; None where nothing is, or nothing sane."""
        ...

    @property
    def secure(self) -> bool:
        """Whether the connection that ends here is TLS."""
        ...

    @property
    def client(self) -> Address | None:
        """The peer's address; None for a unix socket."""
        ...

    @property
    def server(self) -> Address | None:
        """The address that the client reached."""
        ...

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI connection scope of this request, or its equal."""
        ...

    @property
    def is_websocket(self) -> bool:
        """Whether the request asks to become a WebSocket.

        By its tokens of Connection and Upgrade, or by its kind of ASGI scope; its key and
        version may still be wrong.
        """
        ...

    @property
    def socket_options(self) -> SocketOptions:
        """How a WebSocket behaves here where the application does not say."""
        ...

    @property
    def can_send(self) -> bool:
        """False once the client has gone or the response is complete."""
        ...

    @property
    def size(self) -> int:
        """Bytes of the response's body that were handed over so far."""
        ...

    @property
    def disconnected(self) -> Disconnect:
        """The client's going; the same object each time."""
        ...

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio's transports
        """Return what is known of the connection, by asyncio's names, or None.

        `ssl_object`, `peercert`, `socket`, `sockname`, `peername`.
        """
        ...

    async def read(self) -> bytes:
        """Return the next piece of the request's body, empty at its end and ever after.

        Raises ClientDisconnect when the body is cut, HTTPError (400, 408, 413) when the server
        refuses it.
        """
        ...

    def send_response(
        self, status: int, reason: str | None, headers: Headers, body: bytes
    ) -> Awaitable[None] | None:
        """Send head and body at once, and end the response.

        `reason` None is that of the status. Without a Content-Length one is added; with one
        that is not the body's RuntimeError is raised, and nothing has left.
        """
        ...

    def send_head(
        self, status: int, reason: str | None, headers: Headers
    ) -> Awaitable[None] | None:
        """Send the head alone; pieces follow."""
        ...

    def send_piece(self, piece: bytes) -> Awaitable[None] | None:
        """Send one piece of the body, not empty."""
        ...

    def end(self) -> Awaitable[None] | None:
        """End the response."""
        ...

    def abort(self) -> None:
        """Cut the connection, so that the client sees that the response is not whole."""
        ...

    async def upgrade(
        self, headers: Headers, subprotocol: str | None, options: SocketOptions
    ) -> Socket:
        """Accept the handshake with `headers` and switch to WebSocket.

        The handshake has been checked and no head has been sent.
        """
        ...

    def failed(self, error: BaseException) -> None:
        """Hear that `error` left the chain. It has been reported; tests may want it."""
        ...

    def close(self) -> None:
        """Hear that the application is done: cut what is unfinished, take the next request.

        Facts stay readable afterwards; whatever would send raises RuntimeError.
        """
        ...


class Handler(Protocol):
    """What a server serves: an application, seen from below."""

    @property
    def draining(self) -> bool:
        """Whether a stop signal has come; the server sets it."""
        ...

    @draining.setter
    def draining(self, draining: bool) -> None: ...

    async def handle(self, exchange: Exchange) -> None:
        """Answer `exchange`. Never raises, except CancelledError when the task is cancelled."""
        ...

    async def startup(self) -> None:
        """Enter the lifespan; counted, so that several servers can share one application."""
        ...

    async def shutdown(self) -> None:
        """Leave the lifespan, when the last that entered leaves; waits for what still runs."""
        ...
