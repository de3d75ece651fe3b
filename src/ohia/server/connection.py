"""One connection: bytes in, requests to the application, responses out in order.

One request at a time: what a client sends ahead waits unread, so an upgrade may be decided at
any point, and order needs no queue. A request is a new exchange with a task of its own.
"""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum, auto
from typing import cast

from ohia.errors import ClientDisconnect, HTTPError, RequestTimeout
from ohia.exchange import SocketOptions
from ohia.server.body import RequestBody
from ohia.server.exchange import SMALL, Peer, RawSocket, ServerExchange
from ohia.server.flow import Drained, FlowControl
from ohia.server.handshake import Handshake
from ohia.server.head import Fields, Head
from ohia.server.limits import Limits
from ohia.server.progress import taken, unsent
from ohia.server.response import CLOSE, render_refusal
from ohia.server.sendfile import CAN_SEND_FILES, FileSender
from ohia.server.service import LAST_REQUEST, Service
from ohia.server.websocket import ServerSocket

__all__ = ["Connection"]

MAX_AHEAD = 64 * 1024  # bytes that a client may send ahead while it is being answered
HALF_CLOSED = 0.5  # seconds without a write, after which a client that ended its side has gone
LEAP = 4  # `body_timeout`s: kernels take megabytes at once for a client that then reads slowly
NO_SENDFILE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # this file cannot be sent so
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Phase(Enum):
    """What a connection is doing."""

    IDLE = auto()  # between two requests
    HEAD = auto()  # a head is on its way, or the first one expected
    ANSWER = auto()  # the application has an exchange
    DRAIN = auto()  # the rest of a body that nobody read is on its way
    LINGER = auto()  # the last answer is out; what comes is dropped
    CLOSED = auto()  # what is written goes out, then it is over


IDLE, HEAD, ANSWER, DRAIN, LINGER, CLOSED = Phase

PATIENCE: dict[Phase, Callable[[Limits], float | None]] = {
    IDLE: lambda limits: limits.idle_timeout,
    HEAD: lambda limits: limits.head_timeout,
    DRAIN: lambda limits: limits.drain_timeout,
    LINGER: lambda limits: limits.linger_timeout,
}


class Connection(FlowControl):
    """The protocol of one HTTP/1 connection (RFC 9112)."""

    __slots__ = (
        "_began",
        "_body",
        "_data",
        "_ending",
        "_exchange",
        "_is_eof",
        "_is_last",
        "_is_reading",
        "_peer",
        "_phase",
        "_room",
        "_seen",
        "_service",
        "_since",
        "_start",
        "_taken",
        "_taken_at",
        "_transport",
        "_wrote",
        "task",
    )

    _peer: Peer
    _transport: asyncio.Transport
    task: asyncio.Task[None] | None
    _data: bytes
    """What has come and not been read: from `_start` on, or nothing."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        self._data = b""
        self._start = 0
        self._seen = 0
        self._exchange: ServerExchange | None = None
        self._body: RequestBody | None = None
        self._phase = HEAD
        self._since = service.clock()
        self._began = 0.0
        self._ending = CLOSE
        self._is_last = False
        self._is_reading = True
        self._is_eof = False
        self._wrote = False
        self._room: int | None = 0
        self._taken = 0
        self._taken_at = 0.0
        self.task = None

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the new connection, or refuse it if there are too many."""
        # uvloop's transports are none by class.
        self._transport = cast("asyncio.Transport", transport)
        self._peer = Peer(transport)
        is_full = self._service.is_full
        self._service.add(self)
        if is_full:
            self._service.turned_away.add(self)
            self._refuse(503)

    def data_received(self, data: bytes) -> None:
        """Take bytes to where they belong."""
        phase = self._phase
        if phase is LINGER or phase is CLOSED:
            return
        if self._data:
            data = self._data[self._start :] + data
        self._data = data
        self._start = 0
        if self._body is not None:
            self._feed_body(self._body)
        elif self._exchange is None and not self.is_paused:
            self._next()
        if self._data or self._body is not None:
            self._update_reading()

    def eof_received(self) -> bool:
        """Take the end of what the client sends; True keeps our own side open."""
        self._is_eof = True
        exchange = self._exchange
        if exchange is None:
            self._refuse_part()
            is_due = self._phase is IDLE and bool(self._data)  # once the client reads
            return is_due and not self._peer.secure
        if self._peer.secure:
            return False
        self._heed_end(exchange)
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell whoever waits, and let go of everything."""
        self.is_lost = True
        self._phase = CLOSED
        self._service.remove(self)
        body, self._body = self._body, None
        if body is not None:
            body.fail(ClientDisconnect("the client went before the end of its request"))
        if self._exchange is not None:
            self._exchange.client_went()
        self._data = b""
        self.wake()

    def pause_writing(self) -> None:
        """Note that the transport holds more than it should, and since when."""
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        """Wake whoever waits; go on with the next request if it waited too."""
        super().resume_writing()
        self._wrote = True  # who waited is about to
        if self._phase is IDLE:  # soon: asyncio's transport is in the midst of its own work
            self._service.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Begin what waited for the client to read."""
        if self._phase is IDLE:
            self._continue()

    def lost_error(self) -> Exception:
        """Return what senders get once the client has gone."""
        return ClientDisconnect("the client went before the end of its response")

    # Requests.

    def _next(self) -> None:
        """Begin the next request, if its head is there."""
        data, start = self._data, self._start
        if data[start : start + 1] == b"\r":
            start = self._skip_blank_lines(data, start)
        end = data.find(b"\r\n\r\n", start)
        try:
            if end < 0:
                self._await_head(start)
                return
            head = self._service.heads.read(data, start, end)
        except HTTPError as error:
            self._start = start
            self._refuse(error.status)
            return
        self._start = end + 4
        if self._start == len(data):
            self._data = b""
        self._seen = 0
        self._begin(head)

    def _skip_blank_lines(self, data: bytes, start: int) -> int:
        """Return where the request line begins (RFC 9112, 2.2)."""
        while data.startswith(b"\r\n", start):
            start += 2
        return start

    def _await_head(self, start: int) -> None:
        """Wait for the rest of a head, as long as one can come of it."""
        self._service.heads.check_start(self._data, start, start + self._seen)
        known, self._seen = self._seen, len(self._data) - start
        self._start = start
        if not self._seen:
            self._data = b""  # they were blank lines
        if self._is_eof:
            self._refuse_part()
            self._close()
        elif self._seen and not known:
            self._phase = HEAD
            self._since = self._service.clock()

    def _begin(self, head: Head) -> None:
        """Give the application an exchange, in a task of its own."""
        service = self._service
        body = None
        fields = head.fields
        self._ending = fields.ending
        self._phase = ANSWER
        if service.access_log is not None:
            self._began = time.perf_counter()
        if fields.length:
            body = self._open_body(fields)
        exchange = self._exchange = ServerExchange(self, self._peer, head, body)
        if self._is_eof:
            self._heed_end(exchange)
        # It begins in the loop's next turn: many that read, then many that answer, run faster than
        # each from beginning to end. Its own copy of the context: what one request sets, the next
        # must not see.
        self.task = service.loop.create_task(
            service.handler.handle(exchange), context=service.context.copy()
        )

    def _open_body(self, fields: Fields) -> RequestBody | bytes:
        """Return the body behind a head: as it is if all of it is there, else what will read it."""
        start, stop = self._start, self._start + fields.length
        if start < stop <= len(self._data):
            whole = self._data[start:stop]
            self._start = stop
            if stop == len(self._data):
                self._data = b""
            return whole
        service = self._service
        largest = service.limits.max_request_body
        body = RequestBody(fields.length, largest=largest, expects=fields.expects)
        self._body = body
        self._feed_body(body)
        if not body.done:
            self._since = service.clock()
        return body

    def _feed_body(self, body: RequestBody) -> None:
        """Give `body` its part of what came."""
        if not self._data:
            return
        known = self._start
        self._start = body.feed(self._data, known)
        came = self._start - known
        if self._start == len(self._data):
            self._data = b""
        if body.done:
            self._body = None
        if self._phase is DRAIN:
            self._drain_body(body, came)
        elif self._body is not None:
            self._since = self._moved(self._since, came)

    def _moved(self, since: float, size: int, ahead: float = 0.0) -> float:
        """Return since when a body stands still, now that `size` more bytes have moved.

        A few bytes count for a part of the time only, so that drops do not hold a connection;
        many count for the time to come as well, up to `ahead` seconds.
        """
        service = self._service
        rate = service.limits.min_rate
        now = service.clock()
        return min(now + ahead, since + size / rate) if rate else now

    def _is_too_long(self, body: RequestBody) -> bool:
        """Say whether a new connection is cheaper than reading the rest of `body`."""
        most = self._service.limits.max_drain
        return most is not None and body.rest > most

    def _drain_body(self, body: RequestBody, size: int) -> None:
        """Drop what came of a body that nobody wants, up to a bound."""
        body.discard()
        if self._room is not None:
            self._room -= size
        if body.failed or (self._room is not None and self._room < 0):
            self._end()
        elif body.done:
            self._continue()

    # What the exchange calls.

    @property
    def date(self) -> str:
        """The line of the Date field."""
        return self._service.date

    @property
    def socket_options(self) -> SocketOptions:
        """How this server's WebSockets behave where the application does not say."""
        return self._service.socket_options

    def write(self, data: bytes) -> Awaitable[None] | None:
        """Hand over bytes; return what to wait for, if anything."""
        if self._transport.is_closing():
            raise self._closing_error()
        self._wrote = True
        self._transport.write(data)
        return Drained(self) if self.is_paused else None

    def write_parts(self, *parts: bytes) -> Awaitable[None] | None:
        """Do as `write` for parts too large to be joined."""
        if self._transport.is_closing():
            raise self._closing_error()
        self._wrote = True
        for part in parts:  # asyncio's writelines forgets to ask for a pause (Python 3.12, 3.13)
            self._transport.write(part)
        return Drained(self) if self.is_paused else None

    async def send_file(self, descriptor: int, part: range) -> AsyncIterator[int]:
        """Send `part` of an open file past the transport, which has to be empty for that."""
        sender = await self._file_sender(descriptor)
        try:
            start = part.start
            while start < part.stop and (sent := await self._send_some(sender, start, part.stop)):
                start += sent
                yield sent
        finally:
            sender.close()

    async def _file_sender(self, descriptor: int) -> FileSender:
        """Return what sends an open file, once all that was written before has gone."""
        transport = self._transport
        if not CAN_SEND_FILES:
            raise asyncio.SendfileNotAvailableError
        if transport.is_closing():
            raise self._closing_error()
        transport.set_write_buffer_limits(high=0)
        try:
            await self.drained()
        finally:
            if not transport.is_closing():  # uvloop's refuses then
                transport.set_write_buffer_limits()
        if transport.is_closing():
            raise self._closing_error()
        if transport.get_write_buffer_size():
            raise asyncio.SendfileNotAvailableError
        try:
            return FileSender(descriptor, transport.get_extra_info("socket").fileno())
        except OSError:
            raise asyncio.SendfileNotAvailableError from None

    async def _send_some(self, sender: FileSender, start: int, stop: int) -> int:
        """Send what the client takes now, or waits for; return how many bytes that was."""
        while True:
            if self._transport.is_closing():
                raise self._closing_error()
            try:
                sent = await asyncio.to_thread(sender.send, start, stop - start)
            except BlockingIOError:
                await self._wait_writable(sender.socket)
            except (ConnectionError, TimeoutError):
                raise self._closing_error() from None
            except OSError as error:
                if error.errno in NO_SENDFILE:
                    raise asyncio.SendfileNotAvailableError from None
                raise
            else:
                self._wrote = True
                return sent

    async def _wait_writable(self, descriptor: int) -> None:
        """Wait for a client that reads slowly, who is watched as if the transport were full."""
        loop = self._service.loop
        self.pause_writing()
        loop.add_writer(descriptor, self.resume_writing)
        try:
            await self.drained()
        finally:
            loop.remove_writer(descriptor)
            self.is_paused = False

    def _closing_error(self) -> Exception:
        """Return what a sender gets before the loop could tell, which it may keep from that."""
        if self._exchange is not None:
            self._exchange.client_went()
        return self.lost_error()

    def send_head(self, text: str, body: bytes | None) -> Awaitable[None] | None:
        """Send a head that lacks its last lines, and all of the body; or None: it follows."""
        if self._body is not None or self._service.draining:
            self._decide(is_whole=body is not None)
        head = f"{text}{self._ending}".encode("latin-1")
        if not body:
            return self.write(head)
        return self.write(head + body) if len(body) < SMALL else self.write_parts(head, body)

    def close_after_answer(self) -> None:
        """Take no other request; to be called before the head is sent."""
        self._ending = CLOSE

    def _decide(self, *, is_whole: bool) -> None:
        """Decide whether another request may follow (RFC 9112, 9.3)."""
        body = self._body
        is_unreadable = body is not None and (body.failed or body.expects)
        is_too_long = is_whole and body is not None and self._is_too_long(body)
        if self._service.draining or is_unreadable or is_too_long:
            self._ending = CLOSE

    def want_body(self) -> None:
        """Tell a client that waits for it to go on (RFC 9110, 10.1.1)."""
        body, exchange = self._body, self._exchange
        if body is None or exchange is None:
            return
        if body.expects and exchange.is_new:
            body.expects = False
            self._since = self._service.clock()
            self.write(CONTINUE)

    def took_body(self) -> None:
        """Read on, if the body was full."""
        if not self._is_reading:
            self._since = self._service.clock()
            self._update_reading()

    def start_socket(
        self, handshake: Handshake, options: SocketOptions, client_went: Callable[[], None]
    ) -> RawSocket:
        """Send the 101 and hand the transport to a socket, with what the client sent ahead."""
        self.write(f"{handshake.text}\r\n".encode("latin-1"))
        socket = ServerSocket(self._service, handshake, options, client_went, self.task)
        early, self._data = self._data[self._start :], b""
        self._phase = CLOSED
        self._resume_reading()
        socket.take_over(self._transport, early, is_paused=self.is_paused, is_eof=self._is_eof)
        self._service.remove(self)
        return socket

    def finish(self, exchange: ServerExchange, is_whole: bool, /) -> None:  # noqa: FBT001 - once a request
        """Go on to the next request, or end."""
        self._exchange = self.task = None
        service = self._service
        if service.access_log is not None:
            service.access_log.answered(exchange, time.perf_counter() - self._began)
        if self._phase is not ANSWER:
            return
        if not is_whole:
            self.cut()
        elif self._body is None and self._ending is not CLOSE:
            self._continue()
        else:
            self._is_last = not exchange.fields.keep_alive
            self._finish_reading(self._body)

    def _finish_reading(self, body: RequestBody | None) -> None:
        """End, or read the rest of a body first where another request may follow."""
        is_last = self._ending is CLOSE
        if is_last or body is None or body.failed or body.expects or self._is_too_long(body):
            self._end()
        else:
            self._phase = DRAIN
            self._since = self._service.clock()
            self._room = self._service.limits.max_drain
            body.discard()
            self._resume_reading()

    def cut(self) -> None:
        """End the connection now."""
        self._phase = CLOSED
        self._transport.abort()

    def _continue(self) -> None:
        """Be idle, or begin the request that came already."""
        self._phase = IDLE
        self._since = self._taken_at = self._service.clock()
        if self._transport.get_write_buffer_size():
            self._watch_taking()
        if self.is_paused:
            return  # a client that reads no answers gets no more
        if self._data:
            self._next()
        elif self._is_eof:
            self._close()
        if not self._is_reading:
            self._update_reading()

    # The end.

    def _refuse(self, status: int) -> None:
        """Answer what cannot be read or served, and end."""
        if self._service.access_log is not None:
            began = self._data[self._start :]
            self._service.access_log.refused(str(status), self._peer.client, began)
        has_body = not self._data.startswith(b"HEAD ", self._start)
        self.write(render_refusal(status, self.date, has_body=has_body))
        self._linger()

    def _refuse_part(self) -> None:
        """Answer the beginning of a head that will have no end (RFC 9112, 8)."""
        if self._seen and self._phase in (IDLE, HEAD):
            self._refuse(400)

    def _end(self) -> None:
        """Close after the last answer; linger if the client may still be sending.

        One that asked for the close does not; nor is there a half close in TLS.
        """
        is_quiet = self._body is None and not self._data
        if is_quiet and (self._is_last or not self._transport.can_write_eof()):
            self._close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Drop what comes for a while: closing at once would take the answer back with it.

        See RFC 9112, 9.6: unread bytes make the kernel reset the connection.
        """
        self._phase = LINGER
        self._since = self._taken_at = self._service.clock()
        self._data = b""
        self._body = None
        if self._is_eof:
            self._close()
            return
        if self._transport.can_write_eof():
            try:
                self._transport.write_eof()
            except OSError:  # asyncio asks the system, which knows that the client has gone
                self.cut()
                return
        self._resume_reading()

    def _close(self) -> None:
        """Close when all that is written has gone out."""
        self._phase = CLOSED
        self._watch_taking()
        self._transport.close()

    def _watch_taking(self) -> None:
        """See from now on whether the client takes what was written."""
        self._taken = taken(self._transport)
        self._taken_at = self._service.clock()

    def _heed_end(self, exchange: ServerExchange) -> None:
        """Tell `exchange` what the end of the client's side means for it, or see."""
        if self._body is not None:
            self._body.fail(ClientDisconnect("the client went before the end of its request"))
            exchange.client_went()
        else:
            self._wrote = False
            self._service.loop.call_later(HALF_CLOSED, self._watch, exchange)

    def _watch(self, exchange: ServerExchange) -> None:
        """Tell a client that only ended its side from one that has gone, as far as one can.

        The first is still written to; the second is told of when the application has written
        nothing for a while: a write to it would have failed. Nor may the application write while
        a client that reads slowly is full.
        """
        if self._exchange is not exchange or self.is_lost:
            return
        if self._wrote or self.is_paused:
            self._wrote = False
            self._service.loop.call_later(HALF_CLOSED, self._watch, exchange)
        else:
            exchange.client_went()

    # Reading.

    def _update_reading(self) -> None:
        """Read from the network while there is room for what comes."""
        body = self._body
        is_full = len(self._data) - self._start > MAX_AHEAD if body is None else body.is_full
        if is_full and (self._exchange is not None or self.is_paused):
            if self._is_reading and not self._is_eof and not self._transport.is_closing():
                self._is_reading = False
                self._transport.pause_reading()
        else:
            self._resume_reading()

    def _resume_reading(self) -> None:
        if not self._is_reading and not self._is_eof and not self._transport.is_closing():
            self._is_reading = True
            self._transport.resume_reading()

    # What the service calls.

    def tick(self, now: float) -> None:
        """End what has taken too long."""
        phase = self._phase
        if phase is ANSWER:
            self._tick_answer(now)
        elif phase is CLOSED:
            self._cut_if_stuck(now)
        elif _is_over(now - self._since, self._patience()):
            self._give_up(now)

    def _patience(self) -> float | None:
        """Return the seconds that the phase may take; when the server stops, few of them."""
        patience = PATIENCE[self._phase](self._service.limits)
        if self._service.draining and self._is_idle:
            return LAST_REQUEST if patience is None else min(patience, LAST_REQUEST)
        return patience

    @property
    def _is_idle(self) -> bool:
        """Whether nothing has come of a next request."""
        is_waiting = self._phase is IDLE or self._phase is HEAD
        return is_waiting and not self._data

    @property
    def is_busy(self) -> bool:
        """Whether a request or a response would be lost by a cut."""
        is_answering = self._phase is ANSWER or bool(self._data)
        # What the kernel has goes out without us; but in TLS there may be more behind it.
        transport = self._transport
        size = unsent(transport) if self._peer.secure else transport.get_write_buffer_size()
        return is_answering or size > 0

    def _tick_answer(self, now: float) -> None:
        """Look after a request: its body, its response, a task that forgot to close."""
        limit = self._service.limits.body_timeout
        body = self._body
        is_due = body is not None and self._is_reading and not body.expects
        if is_due and body is not None and _is_over(now - self._since, limit):
            body.fail(RequestTimeout())
        if self.is_paused:
            self._cut_if_stuck(now)
        if self.task is not None and self.task.done() and self._exchange is not None:
            self._exchange.close()

    def _give_up(self, now: float) -> None:
        if self._phase in (IDLE, LINGER) and unsent(self._transport):
            self._cut_if_stuck(now)  # the client is not done with the last answer
        elif self._phase is LINGER:
            self.cut()
        elif self._phase is HEAD and self._data:
            self._refuse(408)
        else:
            self._close()

    def _cut_if_stuck(self, now: float) -> None:
        """Cut if the client has taken too little for too long."""
        limits = self._service.limits
        now_taken = taken(self._transport)
        if now_taken != self._taken:
            size = abs(now_taken - self._taken)
            self._taken_at = self._moved(self._taken_at, size, (limits.body_timeout or 0) * LEAP)
            self._taken = now_taken
        limit = limits.body_timeout
        if self._phase is CLOSED and not unsent(self._transport):
            limit = limits.linger_timeout  # all that is missing is the client's goodbye, in TLS
        if _is_over(now - self._taken_at, limit):
            self._transport.abort()

    def drain(self) -> None:
        """End now if nothing is under way; else after the answer.

        A client that got its last answer, or came, just now may have sent a request that is on
        its way; it has a moment for that.
        """
        now = self._service.clock()
        if not self._is_idle:
            return
        if now - self._since > LAST_REQUEST:
            self._close()
        else:
            self._since = now


def _is_over(waited: float, limit: float | None) -> bool:
    return limit is not None and waited > limit
