"""Frames in, messages out: websockets' protocol, held to what it leaves open.

A Close may come within a message, the limits are those of data alone, and text that is no UTF-8
is told at its first wrong byte (RFC 6455, 5.4, 5.5, 8.1).
"""

import codecs
import logging
from collections.abc import Generator
from math import inf

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from ohia.exchange import SocketOptions
from ohia.server.early_text import EarlyText

__all__ = ["Messages"]

MAX_CONTROL = 125  # bytes in a control frame (RFC 6455, 5.5)
CONT, TEXT, BINARY, CLOSE = Opcode.CONT, Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE

log: logging.Logger = logging.getLogger("ohia.websocket")


class Messages(Protocol):
    """A server's protocol that puts frames together; what comes after a close is dropped."""

    current_size: int | None
    messages: list[str | bytes]
    """What has come whole, for `take`."""

    def __init__(self, options: SocketOptions) -> None:
        message, fragment = options.max_message_size, options.max_fragment_size
        super().__init__(
            Side.SERVER,
            state=OPEN,
            # With room for control frames, which come between those of a message.
            max_size=(
                None if message is None else message + MAX_CONTROL,
                None if fragment is None else max(fragment, MAX_CONTROL),
            ),
            logger=log,
        )
        self.messages = []
        self._max_message = inf if message is None else message
        self._max_fragment = inf if fragment is None else fragment
        self._partial: bytearray | None = None
        self._utf8: codecs.IncrementalDecoder | None = None
        self.reader: EarlyText = EarlyText(self._text_state)
        self.parser: Generator[None, None, None] = self.parse()  # again, on this reader
        next(self.parser)

    def _text_state(self) -> tuple[bytes, int] | None:
        return None if self._utf8 is None else self._utf8.getstate()

    def take(self) -> list[str | bytes]:
        """Return the messages that have come since the last call."""
        messages, self.messages = self.messages, []
        return messages

    def recv_frame(self, frame: Frame) -> None:
        """Take one frame; what is raised here fails the connection with its code."""
        if frame.opcode is CLOSE:
            self.current_size = None
            self._partial = None
        is_data = frame.opcode <= BINARY
        if is_data:
            self._check_size(len(frame.data))
        super().recv_frame(frame)
        if is_data and self.state is OPEN:
            self._take(frame)

    def _check_size(self, size: int) -> None:
        if size > self._max_fragment:
            raise PayloadTooBig(size, int(self._max_fragment))
        if (self.current_size or 0) + size > self._max_message:
            raise PayloadTooBig(size, int(self._max_message))

    def _take(self, frame: Frame) -> None:
        """Take a message, or a part of one."""
        is_text = frame.opcode is TEXT
        if frame.opcode is CONT:
            self._take_part(frame)
        elif frame.fin:
            self.messages.append(str(frame.data, "utf-8") if is_text else bytes(frame.data))
        else:
            self._partial = bytearray()
            self._utf8 = codecs.getincrementaldecoder("utf-8")() if is_text else None
            self._take_part(frame)

    def _take_part(self, frame: Frame) -> None:
        partial, utf8 = self._partial, self._utf8
        if partial is None:
            return
        partial += frame.data
        if utf8 is not None:
            utf8.decode(bytes(frame.data), final=frame.fin)
        if frame.fin:
            self._partial = self._utf8 = None
            self.messages.append(bytes(partial) if utf8 is None else str(partial, "utf-8"))
