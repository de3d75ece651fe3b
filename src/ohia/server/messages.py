"""Frames in, messages out: fragments put together, inflated, and held to their sizes.

Text that is no UTF-8 is told at its first wrong byte (RFC 6455, 5.4 and 8.1; RFC 7692, 6.2).
"""

from codecs import utf_8_decode
from math import inf

from websockets.exceptions import ProtocolError

from ohia.exchange import SocketOptions
from ohia.server.deflate import Deflate
from ohia.server.frames import BINARY, COMPRESSED, CONT, FIN, OPCODE, TEXT

__all__ = ["Messages"]

WHOLE_TEXT, WHOLE_BINARY = FIN | TEXT, FIN | BINARY


class Messages:
    """Makes messages of data frames."""

    __slots__ = (
        "_begun",
        "_deflate",
        "_kind",
        "_max_fragment",
        "_max_message",
        "_undecoded",
        "room",
    )

    room: float
    """Bytes that the next frame may have."""

    def __init__(self, options: SocketOptions, deflate: Deflate | None) -> None:
        message, fragment = options.max_message_size, options.max_fragment_size
        self._max_message = inf if message is None else message
        self._max_fragment = inf if fragment is None else fragment
        self._deflate = deflate
        self.drop()

    def drop(self) -> None:
        """Forget the message that has begun."""
        self._begun: bytearray | None = None
        self._kind = CONT
        self._undecoded = b""
        self.room = min(self._max_message, self._max_fragment)

    def take(self, first: int, payload: bytes) -> str | bytes | None:
        """Return the message that ends with this frame; None if it goes on.

        Raises ProtocolError, PayloadTooBig, UnicodeDecodeError.
        """
        if self._begun is None:
            if first == WHOLE_TEXT:
                return payload.decode()
            if first == WHOLE_BINARY:
                return payload
        self._check_order(first & OPCODE)
        if first & COMPRESSED and self._deflate is not None:
            payload = self._deflate.inflate(payload, self.room, is_last=bool(first & FIN))
        if self._begun is None and first & FIN:
            return payload.decode() if first & OPCODE == TEXT else payload
        return self._take_part(first, payload)

    def _check_order(self, opcode: int) -> None:
        if opcode == CONT and self._begun is None:
            raise ProtocolError("there is nothing to continue")
        if opcode != CONT and self._begun is not None:
            raise ProtocolError("a message begins within another")

    def _take_part(self, first: int, payload: bytes) -> str | bytes | None:
        """Take a fragment."""
        if self._begun is None:
            self._begun = bytearray()
            self._kind = first & OPCODE
        begun = self._begun
        begun += payload
        is_text, is_last = self._kind == TEXT, bool(first & FIN)
        if is_text:
            self._check_text(payload, is_last=is_last)
        if not is_last:
            self.room = min(self._max_fragment, self._max_message - len(begun))
            return None
        self.drop()
        return begun.decode() if is_text else bytes(begun)

    def _check_text(self, part: bytes, *, is_last: bool) -> None:
        """Raise UnicodeDecodeError for what can be no UTF-8, whatever may follow."""
        data = self._undecoded + part
        _, used = utf_8_decode(data, "strict", is_last)
        self._undecoded = data[used:]
