"""The raw WebSocket of ohia's own server: the contract of `ohia.exchange.Socket`.

websockets' sans-I/O protocol reads and writes frames (RFC 6455, RFC 7692); here are the
transport, the bounded queue, the close handshake, the pings and every wait. Deadlines are plain
numbers that the service's one timer looks at.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

from ohia.errors import WebSocketClosed
from ohia.exchange import SocketOptions
from ohia.server.flow import Drained, FlowControl
from ohia.server.handshake import Handshake
from ohia.server.messages import Messages
from ohia.server.service import Service

__all__ = ["ServerSocket"]

# Bytes given to the parser at once: what they inflate to, or the frames in them, stay bounded.
SLICE = 4 * 1024
LARGE_SLICE = 16 * 1024  # within a frame that is larger than the last
# Frames, or KiB of them, that are taken before other connections have their turn: milliseconds.
TURN = 512
MAX_REASON = 123  # bytes that a Close frame has for its reason (RFC 6455, 5.5)
PONG_HEAD = b"\x8a"
CLOSE_HEAD = 0x88
TEXT, BINARY, PONG = Opcode.TEXT, Opcode.BINARY, Opcode.PONG


class ServerSocket(FlowControl):
    """One upgraded connection."""

    __slots__ = (
        "_client_went",
        "_cut_at",
        "_goodbye",
        "_has_turn_ahead",
        "_held",
        "_is_eof",
        "_is_heard",
        "_is_reading",
        "_keepalive_payload",
        "_late_pong",
        "_options",
        "_over",
        "_ping_at",
        "_pings",
        "_protocol",
        "_queue",
        "_receiver",
        "_service",
        "_start",
        "_transport",
        "_unsent",
        "close_code",
        "close_reason",
        "size",
        "subprotocol",
        "task",
    )

    _transport: asyncio.Transport
    _client_went: Callable[[], None] | None
    _receiver: asyncio.Future[None] | None
    _over: asyncio.Event | None
    _keepalive_payload: bytes | None
    _late_pong: bytes | None
    _goodbye: bytes | None
    subprotocol: str | None
    """The subprotocol that was agreed on."""
    close_code: int | None
    close_reason: str
    size: int
    """Bytes of the messages that were sent."""
    task: asyncio.Task[None] | None

    def __init__(
        self,
        service: Service,
        handshake: Handshake,
        options: SocketOptions,
        client_went: Callable[[], None],
        task: asyncio.Task[None] | None,
    ) -> None:
        super().__init__()
        self._service = service
        self._options = options
        self._client_went = client_went
        self.task = task
        self.subprotocol = handshake.subprotocol
        self.close_code = None
        self.close_reason = ""
        self.size = 0
        self._protocol = Messages(options)
        self._protocol.extensions = handshake.extensions
        self._queue: deque[str | bytes] = deque()
        self._receiver = self._over = None
        self._held = b""
        self._start = 0
        self._has_turn_ahead = self._is_eof = self._is_heard = False
        self._is_reading = True
        self._pings: dict[bytes, tuple[float, asyncio.Future[float]]] = {}
        self._keepalive_payload = self._late_pong = self._goodbye = None
        self._unsent = 0
        self._ping_at = self._cut_at = inf

    def take_over(
        self, transport: asyncio.Transport, early: bytes, *, is_paused: bool, is_eof: bool
    ) -> None:
        """Become the protocol of `transport`; `early` came behind the handshake."""
        service, options = self._service, self._options
        self._transport = transport
        self.is_paused = is_paused
        self._is_eof = is_eof
        if options.ping_interval is not None:
            self._ping_at = service.loop.time() + options.ping_interval
        for timeout in (options.ping_interval, options.ping_timeout, options.close_timeout):
            service.quicken(timeout)
        transport.set_protocol(self)
        service.add(self)
        self._held = early
        self._feed()

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        """Take bytes, as far as there is room for what they hold."""
        self._is_heard = True
        self._held = self._held[self._start :] + data if self._held else data
        self._start = 0
        self._feed()

    def eof_received(self) -> bool:
        """Close, unless what came before is still to be answered."""
        self._is_eof = True
        is_owed = self._goodbye is not None or bool(self._held)
        return is_owed and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell whoever waits, and let go of everything."""
        self.is_lost = True
        self._held = b""
        self._goodbye = None
        self._note_close()
        went, self._client_went = self._client_went, None
        if self.close_code is None:
            self._closed(1006, "")
            if went is not None:
                went()
        self._ping_at = self._cut_at = inf
        self._protocol.receive_eof()
        self._service.remove(self)
        self.task = None
        if self._over is not None:
            self._over.set()
        self.wake()

    def resume_writing(self) -> None:
        """Wake whoever waits; answer the last ping (RFC 6455, 5.5.3)."""
        super().resume_writing()
        pong, self._late_pong = self._late_pong, None
        if pong is not None and self._protocol.close_sent is None and not self.is_lost:
            self._transport.write(pong)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can be written."""
        return self.is_lost or self.close_code is not None

    def lost_error(self) -> Exception:
        """Return what whoever sends or receives gets after the end."""
        return WebSocketClosed(self.close_code or 1006, self.close_reason)

    # What the application calls.

    @property
    def buffered(self) -> int:
        """Bytes handed over by `send` that the network has not taken yet."""
        return 0 if self.is_lost else self._transport.get_write_buffer_size()

    def send(self, data: str | bytes) -> Awaitable[None] | None:
        """Hand over one message; return what to wait for, if anything."""
        self._check_open()
        if isinstance(data, str):
            frame = Frame(TEXT, data.encode())
        elif isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            frame = Frame(BINARY, data)
        else:
            raise TypeError(f"a message is str or bytes, got {data!r}")
        # Not through the protocol: it sends nothing more once it has a Close, even one held back.
        self.size += len(frame.data)
        self._transport.write(frame.serialize(mask=False, extensions=self._protocol.extensions))
        return Drained(self) if self.is_paused else None

    async def receive(self) -> str | bytes:
        """Return the next message; raise WebSocketClosed after the last one."""
        if self._receiver is not None:
            raise RuntimeError("another task is receiving from this WebSocket already")
        while not self._queue:
            self._say_goodbye()
            if self.close_code is not None:
                raise self.lost_error()
            self._receiver = self._service.loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._queue.popleft()
        if not self._is_reading:
            self._feed_soon()  # not now: an application that finds more each time keeps the loop
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send Close and wait for the peer's; cut after `close_timeout`. Again: only wait."""
        self._start_close(code, reason)
        await self.wait_closed()

    async def ping(self) -> float:
        """Return the seconds from a ping to its pong."""
        self._check_open()
        if self._goodbye is not None:
            raise self._sent_error()  # no answer would be read
        payload = secrets.token_bytes(8)
        answered: asyncio.Future[float] = self._service.loop.create_future()
        self._pings[payload] = (self._service.loop.time(), answered)
        self._protocol.send_ping(payload)
        self._flush()
        try:
            return await answered
        finally:
            self._pings.pop(payload, None)

    async def wait_closed(self) -> None:
        """Return when the connection is over."""
        if self.is_lost:
            return
        if self._over is None:
            self._over = asyncio.Event()
        await self._over.wait()

    # Reading.

    def _feed(self) -> None:
        """Give the parser what came, a slice at a time, while the queue has room.

        Many small frames take several turns, so that other connections have theirs.
        """
        work = 0
        size = SLICE
        while self._start < len(self._held) and work < TURN and not self._is_full():
            part = self._held[self._start : self._start + size]
            self._start += len(part)
            self._protocol.receive_data(part)
            new = self._take_events()
            self._flush(may_wait=True)
            work += new
            size = SLICE if new else LARGE_SLICE
        if self._start >= len(self._held):
            self._held = b""
            self._start = 0
        elif not self._is_full():
            self._feed_soon()
        self._update_reading()

    def _feed_soon(self) -> None:
        if not self._has_turn_ahead:
            self._has_turn_ahead = True
            self._service.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._has_turn_ahead = False
        self._feed()

    def _is_full(self) -> bool:
        """Say whether the application has enough to do; what comes after a close is dropped."""
        is_open = self._protocol.state is OPEN
        return is_open and len(self._queue) >= self._options.max_queue

    def _take_events(self) -> int:
        """Take what the parser has found; return how much work it was."""
        work = 0
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame):
                work += 1 + len(frame.data) // 1024
                if frame.opcode is PONG:
                    self._pong(bytes(frame.data))
        messages = self._protocol.take()
        if messages:
            self._queue.extend(messages)
            self._wake_receiver()
        return work

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _update_reading(self) -> None:
        """Read from the network while there is room; after its end, end."""
        if self._transport.is_closing():
            return
        if self._is_eof:
            if not self._held and self._goodbye is None:
                self._shut()
            return
        wanted = not (self._held or self._is_full())
        if wanted and not self._is_reading:
            self._is_reading = True
            self._transport.resume_reading()
        elif not wanted and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()

    # Writing.

    def _flush(self, *, may_wait: bool = False) -> None:
        """Write the control frames that the protocol has made; after the last one, close.

        The last one may wait until the application has answered what came before.
        """
        writes = self._protocol.data_to_send()
        if self.is_lost or not writes:
            return
        is_last = not writes[-1]  # an empty one stands for the end
        if is_last and may_wait and self._queue and len(writes) > 1 and writes[-2][0] == CLOSE_HEAD:
            self._goodbye = writes[-2]
            self._cut_after(self._options.close_timeout)
            del writes[-2:]
            is_last = False
        if self.is_paused:
            writes = self._keep_pongs(writes)
        if writes:
            self._transport.write(b"".join(writes))
        self._note_close()
        if is_last:
            self._shut()

    def _keep_pongs(self, writes: list[bytes]) -> list[bytes]:
        """Keep the last pong for a peer that takes nothing; it could send pings for ever."""
        pongs = [each for each in writes if each[:1] == PONG_HEAD]
        if pongs:
            self._late_pong = pongs[-1]
        return [each for each in writes if each[:1] != PONG_HEAD]

    def _check_open(self) -> None:
        if self.close_code is not None or self._transport.is_closing():
            raise self.lost_error()
        if self._protocol.close_sent is not None and self._goodbye is None:
            raise self._sent_error()

    def _sent_error(self) -> WebSocketClosed:
        sent = self._protocol.close_sent
        return (
            WebSocketClosed(1006, "") if sent is None else WebSocketClosed(sent.code, sent.reason)
        )

    # The end.

    def _start_close(self, code: int, reason: str) -> None:
        """Send Close, unless one was sent; from now on what comes is dropped."""
        self._say_goodbye()
        if self._protocol.state is not OPEN or self.is_lost:
            return
        try:
            if len(reason.encode()) > MAX_REASON:
                raise ValueError(f"a close reason has at most {MAX_REASON} bytes, got {reason!r}")
            self._protocol.send_close(code, reason)
        except ProtocolError as error:
            raise ValueError(f"a Close frame cannot have the code {code}: {error}") from None
        self._flush()
        self._cut_after(self._options.close_timeout)
        self._feed()

    def _say_goodbye(self) -> None:
        """Send the Close that was held back, if one was."""
        goodbye, self._goodbye = self._goodbye, None
        if goodbye is None:
            return
        if not self._transport.is_closing():
            self._transport.write(goodbye)
        self._note_close()
        self._shut()

    def _note_close(self) -> None:
        """Learn from the protocol with which code the socket has closed."""
        protocol = self._protocol
        received, sent = protocol.close_rcvd, protocol.close_sent
        if self._goodbye is not None:
            return
        if received is not None and (sent is received or sent is None):
            self._closed(received.code, received.reason)
        elif sent is not None and (received is not None or protocol.eof_sent):
            self._closed(sent.code, sent.reason)

    def _closed(self, code: int, reason: str) -> None:
        """Be closed, once: wake who waits, fail the pings."""
        if self.close_code is not None:
            return
        self.close_code = code
        self.close_reason = reason
        self._wake_receiver()
        self.wake()
        for _, answered in self._pings.values():
            if not answered.done():
                answered.set_exception(self.lost_error())

    def _shut(self) -> None:
        """Close the TCP connection, as a server does first (RFC 6455, 7.1.1)."""
        received = self._protocol.close_rcvd is not None
        if received or self._is_eof or not self._transport.can_write_eof():
            self._transport.close()
            self._cut_after(self._options.close_timeout)
            return
        # The peer may still be sending, and a reset would take our Close back.
        self._transport.write_eof()
        self._cut_after(self._service.limits.linger_timeout)

    def _cut_after(self, seconds: float | None) -> None:
        self._cut_at = inf if seconds is None else self._service.loop.time() + seconds

    def cut(self) -> None:
        """End the connection now, unless it has ended."""
        self.task = None
        if not self.is_lost:
            self._transport.abort()

    # Pings.

    def _tick_pings(self, now: float) -> None:
        """Ping, or give up a peer that gave no sign of life since the last ping.

        It lives if we do not listen, if it sends anything, and if it takes what is sent.
        """
        if self._protocol.state is not OPEN:
            self._ping_at = inf
        elif self._keepalive_payload is None or self._options.ping_timeout is None:
            self._keepalive(now)
        elif self._is_heard or not self._is_reading or self.buffered < self._unsent:
            self._await_sign(now, self._options.ping_timeout)
        else:
            self._protocol.fail(1011, "no answer to a ping")
            self._flush()
            if self.is_paused:
                self.cut()

    def _keepalive(self, now: float) -> None:
        interval, timeout = self._options.ping_interval, self._options.ping_timeout
        self._keepalive_payload = secrets.token_bytes(4)
        self._protocol.send_ping(self._keepalive_payload)
        self._flush()
        if timeout is not None:
            self._await_sign(now, timeout)
        else:
            self._ping_at = now + (interval or inf)

    def _await_sign(self, now: float, timeout: float) -> None:
        self._is_heard = False
        self._unsent = self.buffered
        self._ping_at = now + timeout

    def _pong(self, payload: bytes) -> None:
        """Take the answer to our ping, and to those before it (RFC 6455, 5.5.3)."""
        now = self._service.loop.time()
        if payload == self._keepalive_payload:
            self._keepalive_payload = None
            self._ping_at = now + (self._options.ping_interval or inf)
        if payload not in self._pings:
            return
        for each in list(self._pings):
            began, answered = self._pings.pop(each)
            if not answered.done():
                answered.set_result(now - began)
            if each == payload:
                return

    # What the service calls.

    def tick(self, now: float) -> None:
        """Do what is due: the end of a wait, a ping."""
        if now >= self._cut_at:
            self._run_out()
        elif now >= self._ping_at:
            self._tick_pings(now)

    def _run_out(self) -> None:
        """Wait no longer: not for the application to answer, nor for the peer to go."""
        if self._goodbye is not None and not self.is_paused:
            self._say_goodbye()
        else:
            self.cut()

    @property
    def is_busy(self) -> bool:
        """Whether the peer has yet to learn that it is over."""
        return not self.is_lost

    def drain(self) -> None:
        """Say goodbye: the server goes away."""
        if self._goodbye is None:
            self._start_close(1001, "")
