"""What is known of a request when its line is written."""

from dataclasses import dataclass
from typing import Literal

from ohia import ClientDisconnect, Context, WebSocketClosed

__all__ = ["Entry", "Event", "escape"]

Event = Literal["request", "response", "upgrade", "socket"]

LOST = frozenset({None, 1006})  # the close codes of a connection that ended without a Close frame
ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to be.

    `event`: a "request" has come, its "response" has been sent, an "upgrade" is accepted, its
    "socket" has ended. `seconds` have passed since it came. `error` is what left the chain.
    """

    event: Event
    ctx: Context
    seconds: float = 0.0
    error: BaseException | None = None

    @property
    def status(self) -> int | None:
        """The status that was sent, None if none was; of a socket's end the close code."""
        if self.event == "upgrade":
            return 101
        if self.event == "socket":
            return None if self.ctx.websocket is None else self.ctx.websocket.close_code
        return self.ctx.status if self.ctx.header_sent else None

    @property
    def size(self) -> int:
        """Bytes of the body that were handed over; 0 for sockets."""
        return self.ctx.res.size if self.event == "response" else 0

    @property
    def is_cut(self) -> bool:
        """Whether the client went before the end."""
        if self.event == "socket":
            return self.status in LOST
        return isinstance(self.error, ClientDisconnect)

    @property
    def outcome(self) -> Literal["ok", "cut", "error"]:
        """How it ended; a peer's closing of a socket is no error."""
        if self.is_cut:
            return "cut"
        if self.error is None or isinstance(self.error, WebSocketClosed):
            return "ok"
        return "error"


def escape(text: str) -> str:
    r"""Return `text` with all that could end or colour a line, or a quoted field, escaped.

    >>> print(escape('a\n"b"\x1b[2J'))
    a\n\"b\"\x1b[2J
    """
    text = text.translate(ESCAPES)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
