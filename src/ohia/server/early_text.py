"""Text that is no UTF-8, told while its frame is still on the way (RFC 6455, 8.1).

A peer may take its time over one large frame; what can only fail shall fail at once.
"""

import codecs
from collections.abc import Callable, Generator

from websockets.streams import StreamReader

try:
    from websockets.speedups import apply_mask
except ImportError:  # where websockets was not compiled
    from websockets.utils import apply_mask

__all__ = ["EarlyText"]

DECODER = codecs.getincrementaldecoder("utf-8")
OPCODE_BITS, SIZE_BITS = 0x0F, 0x7F
COMPRESSED = 0x40
CONT, TEXT, BINARY = 0, 1, 2  # plain numbers: members of an enum are slow to come by


class EarlyText(StreamReader):
    """A reader of frames that checks the part of a text that has come.

    `state` returns that of the decoder behind the last fragment, None before the first.
    """

    def __init__(self, state: Callable[[], tuple[bytes, int] | None]) -> None:
        super().__init__()
        self._state = state
        self._parts: list[bytearray] = []
        self._is_text = False

    def at_eof(self) -> Generator[None, None, bool]:
        """Expect a frame."""
        self._parts.clear()
        return super().at_eof()

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        """Read a part of a frame: head, more of its size, mask, payload."""
        parts = self._parts
        if len(self.buffer) < n:
            if len(parts) >= 2 and self._is_text_payload():
                yield from self._watch(n)
            while len(self.buffer) < n:
                if self.eof:
                    raise EOFError("the stream ends within a frame")
                yield
        part = self.buffer[:n]
        del self.buffer[:n]
        if not parts:
            self._note_head(part[0])
        if len(parts) < 3:
            parts.append(part)
        return part

    def _note_head(self, head: int) -> None:
        """Learn whether a message begins, and of which kind: a continuation has its kind."""
        opcode = head & OPCODE_BITS
        if opcode in (TEXT, BINARY):
            self._is_text = opcode == TEXT and not head & COMPRESSED

    def _is_text_payload(self) -> bool:
        head, size = self._parts[0]
        behind_mask = 3 if size & SIZE_BITS >= 126 else 2
        is_data = head & OPCODE_BITS <= BINARY
        return self._is_text and is_data and len(self._parts) == behind_mask

    def _watch(self, size: int) -> Generator[None, None, None]:
        """Wait for a payload; raise UnicodeDecodeError for what of it can be no text."""
        mask = bytes(self._parts[-1])
        is_continued = self._parts[0][0] & OPCODE_BITS == CONT
        state = self._state() if is_continued else None
        decoder = DECODER()
        if state is not None:
            decoder.setstate(state)
        seen = 0
        while len(self.buffer) < size and not self.eof:
            turn = seen % len(mask)
            part = apply_mask(bytes(self.buffer[seen:]), mask[turn:] + mask[:turn])
            seen = len(self.buffer)
            decoder.decode(part)
            yield
