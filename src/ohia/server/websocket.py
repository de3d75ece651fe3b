"""The raw WebSocket of ohia's own server: the contract of `ohia.exchange.Socket`.

Frames and messages are read and made elsewhere; here are the transport, the bounded queue, the
close handshake, the pings and every wait. Deadlines are plain numbers that the service's one
timer looks at.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from math import inf

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close

from ohia.errors import WebSocketClosed
from ohia.exchange import SocketOptions
from ohia.server.flow import Drained, FlowControl
from ohia.server.frames import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTROL,
    FIN,
    OPCODE,
    PING,
    PONG,
    TEXT,
    FrameReader,
    render_frame,
)
from ohia.server.handshake import Handshake
from ohia.server.messages import Messages
from ohia.server.service import Service

__all__ = ["ServerSocket"]

# Frames, or KiB of messages, that are taken before others have their turn: milliseconds.
TURN = 512
MAX_REASON = 123  # bytes that a Close frame has for its reason (RFC 6455, 5.5)
# How a connection fails that cannot be understood (RFC 6455, 7.4.1).
CODES = {ProtocolError: 1002, UnicodeDecodeError: 1007, PayloadTooBig: 1009}


class ServerSocket(FlowControl):
    """One upgraded connection."""

    __slots__ = (
        "_answers",
        "_client_went",
        "_cut_at",
        "_deflate",
        "_frames",
        "_goodbye",
        "_has_their_close",
        "_has_turn_ahead",
        "_is_deaf",
        "_is_eof",
        "_is_heard",
        "_is_hungry",
        "_is_reading",
        "_keepalive_payload",
        "_late_pong",
        "_messages",
        "_options",
        "_over",
        "_ping_at",
        "_pings",
        "_queue",
        "_receiver",
        "_sent",
        "_service",
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
    _sent: Close | None
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
        self._deflate = handshake.deflate
        self._frames = FrameReader(can_inflate=self._deflate is not None)
        self._messages = Messages(options, self._deflate)
        self._queue: deque[str | bytes] = deque()
        self._receiver = self._over = self._sent = None
        self._has_turn_ahead = self._is_eof = self._is_heard = False
        self._has_their_close = self._is_deaf = False
        self._is_reading = self._is_hungry = True
        self._answers: list[bytes] = []
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
        self._frames.feed(early)
        self._read()

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        """Take bytes, as far as there is room for what they hold."""
        self._is_heard = True
        if not self._is_deaf:
            self._frames.feed(data)
            self._read()

    def eof_received(self) -> bool:
        """Close, unless what came before is still to be answered."""
        self._is_eof = True
        is_owed = self._goodbye is not None or not self._is_hungry
        return is_owed and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell whoever waits, and let go of everything."""
        self.is_lost = True
        self._frames.clear()
        self._goodbye = None
        self._note_close()
        went, self._client_went = self._client_went, None
        if self.close_code is None:
            self._closed(1006, "")
            if went is not None:
                went()
        self._ping_at = self._cut_at = inf
        self._service.remove(self)
        self.task = None
        if self._over is not None:
            self._over.set()
        self.wake()

    def resume_writing(self) -> None:
        """Wake whoever waits; answer the last ping (RFC 6455, 5.5.3)."""
        super().resume_writing()
        pong, self._late_pong = self._late_pong, None
        if pong is not None and self._sent is None and not self.is_lost:
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
            first, payload = FIN | TEXT, data.encode()
        elif isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            first, payload = FIN | BINARY, data
        else:
            raise TypeError(f"a message is str or bytes, got {data!r}")
        self.size += len(payload)
        if self._deflate is not None:
            first, payload = first | COMPRESSED, self._deflate.deflate(payload)
        self._transport.write(render_frame(first, payload))
        return Drained(self) if self.is_paused else None

    async def receive(self) -> str | bytes:
        """Return the next message; raise WebSocketClosed after the last one."""
        if self._receiver is not None:
            raise RuntimeError("another task is receiving from this WebSocket already")
        while not self._queue:
            if self._goodbye is not None:
                self._say_goodbye()
            if self.close_code is not None:
                raise self.lost_error()
            self._receiver = self._service.loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._queue.popleft()
        if not self._is_hungry:
            self._read_soon()  # not now: an application that finds more each time keeps the loop
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
        self._transport.write(render_frame(FIN | PING, payload))
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

    def _read(self) -> None:
        """Take frames while the queue has room; then read from the network if there is none left.

        Many small frames take several turns, so that other connections have theirs.
        """
        try:
            self._take_frames()
        except (ProtocolError, UnicodeDecodeError, PayloadTooBig) as error:
            reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
            self._fail(CODES[type(error)], reason)
        if self._queue:
            self._wake_receiver()
        if self._answers:
            self._send_answers()
        if self._is_hungry is not self._is_reading or self._is_eof:
            self._update_reading()

    def _take_frames(self) -> None:
        frames, messages, queue = self._frames, self._messages, self._queue
        max_queue = self._options.max_queue
        work = 0
        while len(queue) < max_queue or self._sent is not None:  # then what comes is dropped
            if work >= TURN:
                self._read_soon()
                break
            payload = frames.read(messages.room)
            if payload is None:
                self._is_hungry = True
                return
            work += 1
            if frames.first & CONTROL:
                self._take_control(frames.first & OPCODE, payload)
            elif self._sent is None:
                message = messages.take(frames.first, payload)
                if message is not None:
                    queue.append(message)
                    work += len(message) // 1024
        self._is_hungry = False

    def _take_control(self, opcode: int, payload: bytes) -> None:
        """Answer a ping or a Close, take a pong (RFC 6455, 5.5)."""
        if opcode == CLOSE:
            close = Close.parse(payload)
            self._has_their_close = True
            self._part(close, payload)
        elif opcode == PONG:
            self._pong(payload)
        elif self.is_paused:  # a peer that takes nothing could send pings for ever
            self._late_pong = render_frame(FIN | PONG, payload)
        else:
            self._answers.append(render_frame(FIN | PONG, payload))

    def _read_soon(self) -> None:
        if not self._has_turn_ahead:
            self._has_turn_ahead = True
            self._service.loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._has_turn_ahead = False
        self._read()

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _update_reading(self) -> None:
        """Read from the network while there is room; after its end, end."""
        if self._transport.is_closing():
            return
        if self._is_eof:
            if self._is_hungry and self._goodbye is None:
                self._shut()
        elif self._is_hungry:
            self._is_reading = True
            self._transport.resume_reading()
        else:
            self._is_reading = False
            self._transport.pause_reading()

    # Writing.

    def _send_answers(self) -> None:
        answers, self._answers = self._answers, []
        if answers and not self._transport.is_closing():
            self._transport.write(b"".join(answers))

    def _check_open(self) -> None:
        if self.close_code is not None or self._transport.is_closing():
            raise self.lost_error()
        if self._sent is not None and self._goodbye is None:
            raise self._sent_error()

    def _sent_error(self) -> WebSocketClosed:
        sent = self._sent
        return (
            WebSocketClosed(1006, "") if sent is None else WebSocketClosed(sent.code, sent.reason)
        )

    # The end.

    def _start_close(self, code: int, reason: str) -> None:
        """Send Close, unless one was sent; from now on what comes is dropped."""
        self._say_goodbye()
        if self._sent is not None or self.is_lost:
            return
        close = Close(code, reason)
        try:
            if len(reason.encode()) > MAX_REASON:
                raise ValueError(f"a close reason has at most {MAX_REASON} bytes, got {reason!r}")
            payload = close.serialize()
        except ProtocolError as error:
            raise ValueError(f"a Close frame cannot have the code {code}: {error}") from None
        self._sent = close
        self._messages.drop()
        self._transport.write(render_frame(FIN | CLOSE, payload))
        self._cut_after(self._options.close_timeout)
        self._read()

    def _fail(self, code: int, reason: str, *, may_wait: bool = True) -> None:
        """End a connection that cannot go on (RFC 6455, 7.1.7)."""
        close = Close(code, reason)
        self._part(close, close.serialize(), may_wait=may_wait)

    def _part(self, close: Close, payload: bytes, *, may_wait: bool = True) -> None:
        """Say Close, unless it was said, and hear nothing more.

        It may wait until the application has answered what came before.
        """
        self._is_deaf = self._is_hungry = True  # and swallows what comes
        self._frames.clear()
        if self._sent is None:
            self._sent = close
            goodbye = render_frame(FIN | CLOSE, payload)
            if self._queue and may_wait:
                self._goodbye = goodbye
                self._cut_after(self._options.close_timeout)
                return
            self._answers.append(goodbye)
        self._send_answers()
        self._note_close()
        self._shut()

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
        """Be closed, if both sides have said so, or we will not hear the other."""
        if self._is_deaf and self._sent is not None and self._goodbye is None:
            self._closed(self._sent.code, self._sent.reason)

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
        if self._has_their_close or self._is_eof or not self._transport.can_write_eof():
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
        if self._sent is not None:
            self._ping_at = inf
        elif self._keepalive_payload is None or self._options.ping_timeout is None:
            self._keepalive(now)
        elif self._is_heard or not self._is_reading or self.buffered < self._unsent:
            self._await_sign(now, self._options.ping_timeout)
        else:
            self._fail(1011, "no answer to a ping", may_wait=False)
            if self.is_paused:
                self.cut()

    def _keepalive(self, now: float) -> None:
        interval, timeout = self._options.ping_interval, self._options.ping_timeout
        self._keepalive_payload = secrets.token_bytes(4)
        self._transport.write(render_frame(FIN | PING, self._keepalive_payload))
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
