"""The body of a request: framing bytes in, pieces out, with a bound on what waits.

A decoder knows where the body ends (RFC 9112, 6 and 7); `RequestBody` holds the pieces that came
until the application reads them.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from ohia.errors import BadRequest, ClientDisconnect, HTTPError, PayloadTooLarge
from ohia.server.head import CHUNKED

__all__ = ["Chunked", "Counted", "Decoder", "RequestBody"]

HIGH_WATER = 64 * 1024  # bytes that wait before we stop reading from the network
MAX_LINE = 4096  # one line of chunk size, or one trailer
MAX_OVERHEAD = 16 * 1024  # chunk extensions and trailers of one body, as in Node
# Possessive, so that what fails at its end fails at once.
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # RFC 9110, 5.6.2
QUOTED = rb'"(?:[\t !\x23-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'  # RFC 9110, 5.6.4
VALUE = rb"[ \t]*+=[ \t]*+(?:" + TOKEN + rb"|" + QUOTED + rb")"
EXTENSION = rb"[ \t]*+;[ \t]*+" + TOKEN + rb"(?:" + VALUE + rb")?+"
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:" + EXTENSION + rb")*+")
TRAILER = re.compile(TOKEN + rb":[\t\x20-\x7e\x80-\xff]*")


class Decoder(Protocol):
    """Finds the pieces of one body and its end."""

    done: bool

    def feed(self, data: bytes, start: int, pieces: list[bytes]) -> int:
        """Add to `pieces` what `data` holds from `start`; return where the body stopped.

        Raises BadRequest for what is malformed.
        """
        ...


class Counted:
    """A body by its Content-Length."""

    __slots__ = ("done", "left")

    def __init__(self, length: int) -> None:
        self.left: int = length
        self.done: bool = not length

    def feed(self, data: bytes, start: int, pieces: list[bytes]) -> int:
        """Take as many bytes as are left."""
        stop = min(len(data), start + self.left)
        if stop > start:
            pieces.append(data[start:stop])
            self.left -= stop - start
            self.done = not self.left
        return stop


class Chunked:
    """A body in chunks (RFC 9112, 7.1), strictly: CRLF, hexadecimal digits, nothing else.

    Extensions and trailers are checked, counted and dropped.
    """

    __slots__ = ("_left", "_line", "_overhead", "_step", "done")

    def __init__(self) -> None:
        self.done: bool = False
        self._left = 0
        self._line = b""
        self._overhead = 0
        self._step: Callable[[Chunked, bytes], None] = Chunked._size

    def feed(self, data: bytes, start: int, pieces: list[bytes]) -> int:
        """Take chunks until the last one, and what follows it."""
        while start < len(data) and not self.done:
            if self._left:
                stop = min(len(data), start + self._left)
                pieces.append(data[start:stop])
                self._left -= stop - start
                start = stop
            else:
                start = self._feed_line(data, start)
        return start

    def _feed_line(self, data: bytes, start: int) -> int:
        """Take one line, or the part of it that is there."""
        stop = data.find(b"\n", start) + 1
        self._line += data[start : stop or len(data)]
        line = self._line
        if len(line) > MAX_LINE:
            raise BadRequest
        if not stop:
            return len(data)
        if not line.endswith(b"\r\n"):
            raise BadRequest
        self._line = b""
        self._step(self, line[:-2])
        return stop

    def _size(self, line: bytes) -> None:
        size = CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise BadRequest
        self._count(len(line) - size.end(1))
        self._left = int(size[1], 16)
        self._step = Chunked._end_of_chunk if self._left else Chunked._trailer

    def _end_of_chunk(self, line: bytes) -> None:
        if line:
            raise BadRequest
        self._step = Chunked._size

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.done = True
            return
        if not TRAILER.fullmatch(line):
            raise BadRequest
        self._count(len(line))

    def _count(self, size: int) -> None:
        self._overhead += size
        if self._overhead > MAX_OVERHEAD:
            raise BadRequest


class RequestBody:
    """What came of a body and was not read yet; one reader at a time."""

    __slots__ = ("_decoder", "_failure", "_pieces", "_reader", "_room", "expects", "size")

    def __init__(self, length: int, *, largest: int | None, expects: bool) -> None:
        self._decoder: Decoder = Chunked() if length == CHUNKED else Counted(length)
        self._failure: HTTPError | ClientDisconnect | None = None
        self._pieces: list[bytes] = []
        self._reader: asyncio.Future[None] | None = None
        self._room = largest
        self.expects: bool = expects
        self.size: int = 0
        """Bytes that wait for the reader."""

    @property
    def done(self) -> bool:
        """Whether the whole body came, and may be read."""
        return self._decoder.done and self._failure is None

    @property
    def failed(self) -> bool:
        """Whether no more of it can be read."""
        return self._failure is not None

    @property
    def rest(self) -> int:
        """Bytes that are still to come, as far as one knows."""
        return self._decoder.left if isinstance(self._decoder, Counted) else 0

    @property
    def is_full(self) -> bool:
        """Whether so much waits that reading from the network should stop."""
        return self.size > HIGH_WATER

    def feed(self, data: bytes, start: int) -> int:
        """Take the body's part of `data` from `start`; return where it stopped."""
        if self._failure is not None:
            return len(data)
        pieces = self._pieces
        known = len(pieces)
        self.expects = False
        try:
            start = self._decoder.feed(data, start, pieces)
        except HTTPError as error:
            self.fail(error)
            start = len(data)
        came = sum(map(len, pieces[known:]))
        if self._room is not None and came > self._room:
            del pieces[known:]
            self._failure = PayloadTooLarge()  # even if its end came as well
            start = len(data)
        else:
            self._count(came)
        self._wake()
        return start

    def _count(self, came: int) -> None:
        self.size += came
        if self._room is not None:
            self._room -= came

    def fail(self, error: HTTPError | ClientDisconnect) -> None:
        """Let `read` raise `error` after the pieces that came before it."""
        if not self.done and self._failure is None:
            self._failure = error
            self._wake()

    def discard(self) -> None:
        """Drop what waits."""
        self._pieces.clear()
        self.size = 0

    def take(self) -> bytes | None:
        """Return all that waits; empty at the end, None if there is nothing yet."""
        pieces = self._pieces
        if pieces:
            whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self.size = 0
            return whole
        if self._failure is not None:
            try:
                raise self._failure
            finally:  # its traceback leads to the reader, who may hold this: kept is its like
                self._failure = type(self._failure)(*self._failure.args)
        return b"" if self.done else None

    async def wait(self) -> None:
        """Return when `take` has something to say."""
        if self._reader is not None:
            raise RuntimeError("the body is being read already")
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
