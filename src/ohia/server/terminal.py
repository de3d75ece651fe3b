"""Whether a SIGHUP says that the terminal has gone, or that somebody wants everything anew."""

import os
import signal

__all__ = ["Terminal"]


class Terminal:
    """The terminal that this process was started from, if it was.

    Made when the process starts to serve. One that was told to ignore SIGHUP (`nohup`) counts
    as started from none.
    """

    def __init__(self) -> None:
        hangup = getattr(signal, "SIGHUP", None)
        is_ignored = hangup is None or signal.getsignal(hangup) is signal.SIG_IGN
        self._was_there = not is_ignored and _has_terminal()

    def has_gone(self) -> bool:
        """Say whether there was a terminal and is none now."""
        return self._was_there and not _has_terminal()


def _has_terminal() -> bool:
    """Say whether this process has a controlling terminal (tty(4): else ENXIO)."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
