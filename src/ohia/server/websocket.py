"""The raw WebSocket of ohia's own server: the contract of `ohia.exchange.Socket`.

websockets' sans-I/O protocol reads and writes frames (RFC 6455, RFC 7692); here are the
transport, the bounded queue, the close handshake, the pings and every wait.
"""

import asyncio
import codecs
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable

from websockets.exceptions import ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from ohia.errors import WebSocketClosed
from ohia.exchange import SocketOptions
from ohia.server.flow import Drained, FlowControl
from ohia.server.handshake import Handshake
from ohia.server.service import Service

__all__ = ["ServerSocket"]

# Bytes given to the parser at once: what they inflate to, or the frames in them, stay bounded.
SLICE = 16 * 1024
LINGER = 2.0  # seconds for a peer to read why it was failed
MAX_REASON = 123  # bytes that a Close frame has for its reason (RFC 6455, 5.5)

log: logging.Logger = logging.getLogger("ohia.websocket")


class ServerSocket(FlowControl):
    """One upgraded connection."""

    __slots__ = (
        "_client_went",
        "_close_timer",
        "_handshake",
        "_held",
        "_is_reading",
        "_is_text",
        "_keepalive_payload",
        "_options",
        "_over",
        "_partial",
        "_ping_timer",
        "_pings",
        "_protocol",
        "_queue",
        "_receiver",
        "_service",
        "_transport",
        "_utf8",
        "close_code",
        "close_reason",
        "task",
    )

    _transport: asyncio.Transport
    close_code: int | None
    close_reason: str
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
        self._handshake = handshake
        self._options = options
        self._client_went: Callable[[], None] | None = client_went
        self.task = task
        self.close_code = None
        self.close_reason = ""
        self._protocol = Protocol(
            Side.SERVER, state=OPEN, max_size=options.max_message_size, logger=log
        )
        self._protocol.extensions = handshake.extensions
        self._queue: deque[str | bytes] = deque()
        self._receiver: asyncio.Future[None] | None = None
        self._over = asyncio.Event()
        self._held = b""
        self._is_reading = True
        self._is_text = False
        self._partial: bytearray | None = None
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._pings: dict[bytes, tuple[float, asyncio.Future[float]]] = {}
        self._keepalive_payload: bytes | None = None
        self._ping_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    def take_over(
        self, transport: asyncio.Transport, early: bytes, *, is_paused: bool, is_eof: bool
    ) -> None:
        """Become the protocol of `transport`; `early` came behind the handshake."""
        self._transport = transport
        self.is_paused = is_paused
        transport.set_protocol(self)
        self._service.add(self)
        if early:
            self.data_received(early)
        if is_eof:
            transport.abort()
        elif self._options.ping_interval is not None:
            self._after(self._options.ping_interval, self._keepalive)

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        """Take bytes, as far as there is room for what they hold."""
        self._held = self._held + data if self._held else data
        self._feed()

    def eof_received(self) -> bool:
        """Close: without a Close frame the peer has gone, with one it is over."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell whoever waits, and let go of everything."""
        self.is_lost = True
        self._held = b""
        went, self._client_went = self._client_went, None
        if self.close_code is None:
            self._closed(1006, "")
            if went is not None:
                went()
        for timer in (self._ping_timer, self._close_timer):
            if timer is not None:
                timer.cancel()
        self._protocol.receive_eof()
        self._service.remove(self)
        self.task = None
        self._over.set()
        self.wake()

    def pause_writing(self) -> None:
        """Stop reading too: a peer that takes nothing could make us answer its pings for ever."""
        super().pause_writing()
        self._update_reading()

    def resume_writing(self) -> None:
        """Wake whoever waits; read on."""
        super().resume_writing()
        self._feed()

    def lost_error(self) -> Exception:
        """Return what whoever sends or receives gets after the end."""
        return WebSocketClosed(self.close_code or 1006, self.close_reason)

    # What the application calls.

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on."""
        return self._handshake.subprotocol

    @property
    def buffered(self) -> int:
        """Bytes handed over by `send` that the network has not taken yet."""
        return 0 if self.is_lost else self._transport.get_write_buffer_size()

    def send(self, data: str | bytes) -> Awaitable[None] | None:
        """Hand over one message; return what to wait for, if anything."""
        self._check_open()
        if isinstance(data, str):
            self._protocol.send_text(data.encode())
        elif isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            self._protocol.send_binary(data)
        else:
            raise TypeError(f"a message is str or bytes, got {data!r}")
        self._flush()
        return Drained(self) if self.is_paused else None

    async def receive(self) -> str | bytes:
        """Return the next message; raise WebSocketClosed after the last one."""
        if self._receiver is not None:
            raise RuntimeError("another task is receiving from this WebSocket already")
        while not self._queue:
            if self.close_code is not None:
                raise self.lost_error()
            self._receiver = self._service.loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._queue.popleft()
        if not self._is_reading:
            self._feed()
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send Close and wait for the peer's; cut after `close_timeout`. Again: only wait."""
        self._start_close(code, reason)
        await self._over.wait()

    async def ping(self) -> float:
        """Return the seconds from a ping to its pong."""
        self._check_open()
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
        await self._over.wait()

    # Reading.

    def _feed(self) -> None:
        """Give the parser what came, a slice at a time, while the queue has room."""
        while self._held and not self._is_full() and not self.is_paused:
            part, self._held = self._held[:SLICE], self._held[SLICE:]
            self._protocol.receive_data(part)
            self._take_events()
            self._flush()
        self._update_reading()

    def _is_full(self) -> bool:
        """Say whether the application has enough to do; what comes after a close is dropped."""
        is_open = self._protocol.state is OPEN
        return is_open and len(self._queue) >= self._options.max_queue

    def _take_events(self) -> None:
        protocol = self._protocol
        was_open = protocol.close_sent is None or protocol.close_rcvd_then_sent
        try:
            for frame in protocol.events_received():
                if isinstance(frame, Frame):
                    self._take(frame, is_wanted=bool(was_open))
        except UnicodeDecodeError as error:
            protocol.fail(1007, f"{error.reason} at position {error.start}")
        if protocol.state is not OPEN:
            self._note_close()

    def _take(self, frame: Frame, *, is_wanted: bool) -> None:
        """Take one frame: a message, a part of one, or the answer to a ping."""
        opcode = frame.opcode
        if opcode is Opcode.PONG:
            self._pong(bytes(frame.data))
            return
        if not is_wanted or opcode in (Opcode.PING, Opcode.CLOSE):
            return
        if opcode is Opcode.CONT:
            self._take_part(frame)
        elif frame.fin:
            self._deliver(str(frame.data, "utf-8") if opcode is Opcode.TEXT else bytes(frame.data))
        else:
            self._is_text = opcode is Opcode.TEXT
            self._partial = bytearray()
            self._utf8.reset()
            self._take_part(frame)

    def _take_part(self, frame: Frame) -> None:
        """Take a fragment; the size of the whole is the parser's to check."""
        partial = self._partial
        if partial is None:
            return  # its beginning came before our Close
        partial += frame.data
        if self._is_text:
            self._utf8.decode(bytes(frame.data), final=frame.fin)  # bad text is told at once
        if frame.fin:
            self._partial = None
            self._deliver(str(partial, "utf-8") if self._is_text else bytes(partial))

    def _deliver(self, message: str | bytes) -> None:
        self._queue.append(message)
        self._wake_receiver()

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _update_reading(self) -> None:
        if self._transport.is_closing():
            return
        wanted = not (self._held or self._is_full() or self.is_paused)
        if wanted and not self._is_reading:
            self._is_reading = True
            self._transport.resume_reading()
        elif not wanted and self._is_reading:
            self._is_reading = False
            self._transport.pause_reading()

    # Writing.

    def _flush(self) -> None:
        """Write the frames that the protocol has made; after the last one, close."""
        writes = self._protocol.data_to_send()
        if self.is_lost or not writes:
            return
        is_last = not writes[-1]  # an empty one stands for the end
        self._transport.write(b"".join(writes) if len(writes) > 1 else writes[0])
        if is_last:
            self._shut()

    def _check_open(self) -> None:
        if self.close_code is not None or self._transport.is_closing():
            raise self.lost_error()
        sent = self._protocol.close_sent
        if sent is not None:
            raise WebSocketClosed(sent.code, sent.reason)

    # The end.

    def _start_close(self, code: int, reason: str) -> None:
        """Send Close, unless one was sent; from now on what comes is dropped."""
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

    def _note_close(self) -> None:
        """Learn from the protocol with which code the socket has closed."""
        protocol = self._protocol
        received, sent = protocol.close_rcvd, protocol.close_sent
        if received is not None and (sent is None or protocol.close_rcvd_then_sent):
            self._closed(received.code, received.reason)
        elif sent is not None and (received is not None or protocol.eof_sent):
            self._closed(sent.code, sent.reason)

    def _closed(self, code: int, reason: str) -> None:
        """Be closed, once: wake the receiver, fail the pings."""
        if self.close_code is not None:
            return
        self.close_code = code
        self.close_reason = reason
        self._wake_receiver()
        for _, answered in self._pings.values():
            if not answered.done():
                answered.set_exception(self.lost_error())

    def _shut(self) -> None:
        """Close the TCP connection, as a server does first (RFC 6455, 7.1.1)."""
        if self._protocol.close_rcvd is not None or not self._transport.can_write_eof():
            self._transport.close()
            self._cut_after(self._options.close_timeout)
            return
        # The peer may still be sending, and a reset would take our Close back.
        self._transport.write_eof()
        self._cut_after(LINGER)

    def _cut_after(self, seconds: float | None) -> None:
        if self._close_timer is not None:
            self._close_timer.cancel()
        if seconds is not None:
            self._close_timer = self._service.loop.call_later(seconds, self.cut)

    def cut(self) -> None:
        """End the connection now, unless it has ended."""
        self.task = None
        if not self.is_lost:
            self._transport.abort()

    # Pings.

    def _after(self, seconds: float, callback: Callable[[], None]) -> None:
        self._ping_timer = self._service.loop.call_later(seconds, callback)

    def _keepalive(self) -> None:
        """Ping; the pong starts the next round."""
        if self._protocol.state is not OPEN:
            return
        self._keepalive_payload = secrets.token_bytes(4)
        self._protocol.send_ping(self._keepalive_payload)
        self._flush()
        if self._options.ping_timeout is not None:
            self._after(self._options.ping_timeout, self._no_pong)
        elif self._options.ping_interval is not None:
            self._after(self._options.ping_interval, self._keepalive)

    def _no_pong(self) -> None:
        """Give up a peer that does not answer, unless it is us who do not listen."""
        if self._protocol.state is not OPEN:
            return
        timeout = self._options.ping_timeout
        if not self._is_reading and not self.is_paused and timeout is not None:
            self._after(timeout, self._no_pong)
            return
        self._protocol.fail(1011, "no answer to a ping")
        self._note_close()
        self._flush()

    def _pong(self, payload: bytes) -> None:
        """Take the answer to our ping, and to those before it (RFC 6455, 5.5.3)."""
        if payload == self._keepalive_payload:
            self._keepalive_payload = None
            if self._ping_timer is not None and self._options.ping_timeout is not None:
                self._ping_timer.cancel()
                self._after(self._options.ping_interval or 0, self._keepalive)
        if payload not in self._pings:
            return
        now = self._service.loop.time()
        for each in list(self._pings):
            began, answered = self._pings.pop(each)
            if not answered.done():
                answered.set_result(now - began)
            if each == payload:
                return

    # What the service calls.

    def tick(self, now: float) -> None:
        """Nothing: a socket has timers of its own."""

    def drain(self) -> None:
        """Say goodbye: the server goes away."""
        self._start_close(1001, "")
