"""WebSocket: what `await ctx.upgrade()` gives. The same over every server's raw socket."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Literal, TypeVar, overload

from ohia.errors import WebSocketClosed
from ohia.exchange import Socket
from ohia.json import JsonDefault, decode_json, encode_json

__all__ = ["WebSocket"]

Value = TypeVar("Value")
Listener = TypeVar("Listener", bound=Callable[..., object])

MAX_UNSENT = 4 * 1024 * 1024  # bytes; a peer that reads nothing must not fill the memory
MAX_REASON = 123  # bytes: a control frame holds 125, two are the code (RFC 6455, 5.5)
SENDABLE_CODES = (range(1000, 1004), range(1007, 1015), range(3000, 5000))


class Sent:
    """Awaited, it waits until the peer has taken enough; it may be dropped as well."""

    __slots__ = ("_waiting",)

    def __init__(self, waiting: Awaitable[None] | None) -> None:
        self._waiting = waiting

    def __await__(self) -> Generator[Any, Any, None]:
        if self._waiting is not None:
            yield from self._waiting.__await__()


TAKEN = Sent(None)


class WebSocket:
    """An open WebSocket (RFC 6455). Messages are str (text) or bytes (binary).

    `async for message in socket` ends when the socket is closed, by whomever.
    """

    def __init__(
        self,
        socket: Socket,
        *,
        json_default: JsonDefault | None = None,
        on_error: Callable[[BaseException], object] | None = None,
    ) -> None:
        self._socket = socket
        self._json_default = json_default
        self._on_error = on_error
        self._listeners: dict[str, list[Callable[..., object]]] = {"message": [], "close": []}
        self._pump: asyncio.Task[None] | None = None

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on, or None."""
        return self._socket.subprotocol

    @property
    def closed(self) -> bool:
        """Whether the socket is closed, or closing."""
        return self._socket.close_code is not None

    @property
    def close_code(self) -> int | None:
        """None while open; 1005 for a Close without a code, 1006 for a lost connection."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str:
        """The reason that came with `close_code`."""
        return self._socket.close_reason

    def send(self, message: str | bytes | bytearray | memoryview) -> Sent:
        """Hand over one message now, in order; await the result for back-pressure.

        WebSocketClosed when the peer is gone, and when more than 4 MiB were sent without
        waiting to a peer that does not read.
        """
        if not isinstance(message, (str, bytes)):  # `str | bytes` would be made for each message
            message = to_bytes(message)
        if self._socket.buffered > MAX_UNSENT:
            raise WebSocketClosed(1008, "the peer does not read what is sent; await send()")
        waiting = self._socket.send(message)
        return TAKEN if waiting is None else Sent(waiting)

    def send_json(self, value: object) -> Sent:
        """Hand over `value` as JSON text."""
        return self.send(encode_json(value, None, self._json_default).decode())

    def receive(self) -> Coroutine[Any, Any, str | bytes]:
        """Return the next message; raise WebSocketClosed with code and reason after the last."""
        if self._pump is not None:
            raise RuntimeError("receive() and on() exclude each other")
        return self._socket.receive()

    @overload
    async def receive_json(self) -> Any: ...  # noqa: ANN401 - JSON may be anything
    @overload
    async def receive_json(self, type: type[Value]) -> Value: ...
    async def receive_json(self, type: type[Any] | None = None) -> object:
        """Return the next message as JSON; with a `type`, checked and converted to it.

        What does not fit raises msgspec.DecodeError.
        """
        message = await self.receive()
        return decode_json(message, Any if type is None else type)

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketClosed:
            raise StopAsyncIteration from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with `code` and `reason`, and wait for the peer to agree. Again: only wait.

        A code that must not be sent (RFC 6455, 7.4) or a reason of more than 123 bytes is
        ValueError.
        """
        if not any(code in each for each in SENDABLE_CODES):
            raise ValueError(f"invalid close code {code!r}")
        if len(reason.encode()) > MAX_REASON:
            raise ValueError(f"a close reason has at most {MAX_REASON} bytes")
        await self._socket.close(code, reason)

    async def ping(self) -> float:
        """Return the seconds until the peer answers a ping."""
        return await self._socket.ping()

    async def wait_closed(self) -> None:
        """Return when the connection is over, and every listener has run."""
        await self._socket.wait_closed()
        if self._pump is not None and self._pump is not asyncio.current_task():
            await asyncio.wait([self._pump])

    @overload
    def on(self, event: Literal["message", "close"], listener: Listener) -> Listener: ...
    @overload
    def on(self, event: Literal["message", "close"]) -> Callable[[Listener], Listener]: ...
    def on(self, event: Literal["message", "close"], listener: Any = None) -> Any:
        """Call `listener(message)` for each message, or `listener(code, reason)` at the end.

        Plain or async, one call at a time; also as a decorator. It excludes `receive`. A
        listener that fails closes the socket with 1011 and is reported as an error.
        """
        if listener is None:
            return functools.partial(self.on, event)
        if event not in self._listeners:
            raise ValueError(f"a WebSocket has the events message and close, got {event!r}")
        self._listeners[event].append(listener)
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._dispatch())
        return listener

    async def _dispatch(self) -> None:
        try:
            await self._dispatch_messages()
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            if self._on_error is not None:
                self._on_error(error)
            await self._socket.close(1011, "")
        finally:
            self._on_error = None

    async def _dispatch_messages(self) -> None:
        try:
            while True:
                message = await self._socket.receive()
                await self._call("message", message)
        except WebSocketClosed as closed:
            await self._call("close", closed.code, closed.reason)

    async def _call(self, event: str, *args: object) -> None:
        for listener in self._listeners[event]:
            result = listener(*args)
            if inspect.isawaitable(result):
                await result


def to_bytes(message: bytearray | memoryview) -> bytes:
    """Return a copy of what can change, and raise TypeError for what is no message at all."""
    if not isinstance(message, (bytearray, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a message is str or bytes, got {message!r}; see send_json()")
    return bytes(message)


def cut_reason(reason: str) -> str:
    """Return `reason` cut to what a Close frame holds, whole characters only."""
    return reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
