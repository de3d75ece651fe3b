"""The frames of a WebSocket, from and to bytes (RFC 6455, 5.2): a client's are masked, ours not.

A payload that has come in part is read in parts, as if its sender had made fragments of it. So
nothing waits for the end of a large frame, not even the news that it is wrong.
"""

import struct
from collections.abc import Callable
from typing import NoReturn

from websockets.exceptions import PayloadTooBig, ProtocolError

try:
    from websockets.speedups import apply_mask
except ImportError:  # where websockets was not compiled
    from websockets.utils import apply_mask

__all__ = [
    "BINARY",
    "CLOSE",
    "COMPRESSED",
    "CONT",
    "CONTROL",
    "FIN",
    "OPCODE",
    "PING",
    "PONG",
    "TEXT",
    "FrameReader",
    "render_frame",
]

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# In a frame's first byte; COMPRESSED is RSV1 (RFC 7692, 6).
FIN, COMPRESSED, CONTROL, OPCODE = 0x80, 0x40, 0x08, 0x0F
# The first bytes that frames may have, without compression and with.
WHOLE = frozenset({FIN | TEXT, FIN | BINARY})
PLAIN = WHOLE | {CONT, TEXT, BINARY, FIN | CONT, FIN | CLOSE, FIN | PING, FIN | PONG}
DEFLATED = PLAIN | {COMPRESSED | kind | fin for kind in (TEXT, BINARY) for fin in (0, FIN)}

MASKED = 0x80  # in the second byte, whose rest is the size
MAX_SHORT = 125  # bytes; a size that the second byte holds, and all that a control frame may have
MORE_SIZE = {126: 2, 127: 8}  # bytes that hold a larger size
SMALLEST = {126: MAX_SHORT + 1, 127: 1 << 16}  # sizes that need so many (RFC 6455, 5.2)
MASK = 4  # bytes
SHORT_HEAD = 2 + MASK
LONGEST_HEAD = 2 + 8 + MASK

short_head: Callable[..., bytes] = struct.Struct("!BB").pack
medium_head: Callable[..., bytes] = struct.Struct("!BBH").pack
long_head: Callable[..., bytes] = struct.Struct("!BBQ").pack


def render_frame(first: int, payload: bytes) -> bytes:
    """Return a server's frame; `first` is its first byte.

    >>> render_frame(FIN | TEXT, b"Hello").hex(" ")
    '81 05 48 65 6c 6c 6f'
    """
    size = len(payload)
    if size <= MAX_SHORT:
        return short_head(first, size) + payload
    if size < SMALLEST[127]:
        return medium_head(first, 126, size) + payload
    return long_head(first, 127, size) + payload


class FrameReader:
    """Reads a client's frames; what is none raises ProtocolError.

    `can_inflate` says whether compression was agreed on: then a data frame may be COMPRESSED.
    """

    __slots__ = (
        "_at",
        "_collected",
        "_compression",
        "_data",
        "_first",
        "_known",
        "_left",
        "_mask",
        "first",
    )

    first: int
    """The first byte of what was read last; all fragments of what is compressed say so."""

    def __init__(self, *, can_inflate: bool) -> None:
        self._known = DEFLATED if can_inflate else PLAIN
        self._collected = bytearray()
        self.clear()

    def clear(self) -> None:
        """Forget what is unread."""
        self._data = self._mask = b""
        self._at = self._left = 0
        self.first = self._first = self._compression = 0
        self._collected.clear()

    def feed(self, data: bytes) -> None:
        """Take what has come, behind what is unread."""
        self._data = self._data[self._at :] + data if self._data else data
        self._at = 0

    def read(self, room: float) -> bytes | None:
        """Return the next payload, or what of it has come; None where nothing has.

        What is not the end of its frame has no FIN, and goes on with CONT. Control frames and
        COMPRESSED ones are always whole. More than `room` bytes of data raise PayloadTooBig.
        """
        data, at = self._data, self._at
        if not data:
            return None
        if self._left:
            return self._read_part()
        start = at + SHORT_HEAD
        if start > len(data) or data[at] not in WHOLE:
            return self._read_frame(room)
        size = data[at + 1] ^ MASKED
        end = start + size
        if size > MAX_SHORT or size > room or end > len(data):
            return self._read_frame(room)
        self.first = data[at]
        self._go_to(end)
        return apply_mask(data[start:end], data[start - MASK : start])

    def _go_to(self, at: int) -> None:
        self._at = at
        if at == len(self._data):
            self._data = b""
            self._at = 0

    def _read_frame(self, room: float) -> bytes | None:
        """Read a frame of any kind: its head, and what of its payload has come."""
        head = self._data[self._at : self._at + LONGEST_HEAD]
        size_of_head = self._check(head)
        if len(head) < size_of_head:
            self._data, self._at = head, 0
            return None
        size = head[1] ^ MASKED
        if size > MAX_SHORT:
            size = _read_size(size, head[2 : size_of_head - MASK])
        self._first = self._mark(head[0])
        if size > room and self._is_too_large(size, room):
            raise PayloadTooBig(size, int(room))
        self._go_to(self._at + size_of_head)
        self._mask = head[size_of_head - MASK : size_of_head]
        self._left = size
        return self._read_part()

    def _check(self, head: bytes) -> int:
        """Return the size of the head that begins with `head`, which may not be whole yet."""
        if len(head) < 2:
            return SHORT_HEAD
        first, size = head[0], head[1] ^ MASKED
        if first not in self._known:
            refuse(first)
        if size > 127:
            raise ProtocolError("a client masks its frames")
        if first & CONTROL and size > MAX_SHORT:
            raise ProtocolError("a control frame has at most 125 bytes")
        return SHORT_HEAD + MORE_SIZE.get(size, 0)

    def _mark(self, first: int) -> int:
        """Return `first`, with COMPRESSED where it continues what is."""
        if first & CONTROL:
            return first
        if first & OPCODE == CONT:
            first |= self._compression
        self._compression = 0 if first & FIN else first & COMPRESSED
        return first

    def _is_too_large(self, size: int, room: float) -> bool:
        """Say whether a frame of more than `room` bytes is refused."""
        if self._first & COMPRESSED:
            return size > room * 1.25 + MAX_SHORT  # what zlib makes of noise is larger than that
        return not self._first & CONTROL

    def _read_part(self) -> bytes | None:
        """Read the rest of a payload, or what of it has come."""
        masked = self._data[self._at : self._at + self._left]
        part = apply_mask(masked, self._mask)
        self._go_to(self._at + len(part))
        self._left -= len(part)
        if self._left:
            turn = len(part) % MASK
            self._mask = self._mask[turn:] + self._mask[:turn]
        if self._first & (CONTROL | COMPRESSED):
            return self._collect(part)
        self.first = self._first & ~FIN if self._left else self._first
        self._first &= FIN  # what is left goes on with CONT
        return part

    def _collect(self, part: bytes) -> bytes | None:
        """Put the parts of a payload together that is of use only when it is whole."""
        if self._left or self._collected:
            self._collected += part
        if self._left:
            return None
        self.first = self._first
        if self._collected:
            part = bytes(self._collected)
            self._collected.clear()
        return part


def _read_size(short: int, more: bytes) -> int:
    size = int.from_bytes(more, "big")
    if size < SMALLEST[short]:
        raise ProtocolError("a size takes as few bytes as it can")
    return size


def refuse(first: int) -> NoReturn:
    """Raise what is wrong with a first byte (RFC 6455, 5.2 and 5.5)."""
    opcode = first & OPCODE
    if opcode not in (CONT, TEXT, BINARY, CLOSE, PING, PONG):
        raise ProtocolError(f"{opcode} is no opcode")
    if first & CONTROL and not first & FIN:
        raise ProtocolError("a control frame has no fragments")
    raise ProtocolError("a reserved bit is set")
