"""A file straight to a socket, without a way through this process (Linux's sendfile).

The descriptors are copies: one number for the loop to watch beside that of the transport, and
nothing that a thread still works with is closed, and its number given to another, by anyone else.
"""

import os
import sys
from threading import Lock

__all__ = ["CAN_SEND_FILES", "FileSender"]

CAN_SEND_FILES = sys.platform == "linux"
PIECE = 1024 * 1024  # bytes a call; more adds nothing


class FileSender:
    """An open file and a socket that does not block. OSError if there are no descriptors left."""

    def __init__(self, file: int, socket: int) -> None:
        self._lock = Lock()
        self._is_sending = False
        self._is_closed = False
        self._file = os.dup(file)
        try:
            self.socket: int = os.dup(socket)
        except OSError:
            os.close(self._file)
            raise

    def send(self, start: int, size: int) -> int:
        """Send up to `size` bytes from `start` on; it may wait for a disk, so run it in a thread.

        Return how many were sent, 0 at the end of the file, or if this was closed meanwhile.
        BlockingIOError if the socket is full.
        """
        with self._lock:
            if self._is_closed:
                return 0
            self._is_sending = True
        try:
            return os.sendfile(self.socket, self._file, start, min(size, PIECE))
        finally:
            with self._lock:
                self._is_sending = False
                if self._is_closed:
                    self._release()

    def close(self) -> None:
        """Let go of both, at once or when the thread that is sending has come back."""
        with self._lock:
            self._is_closed = True
            if not self._is_sending:
                self._release()

    def _release(self) -> None:
        os.close(self.socket)
        os.close(self._file)
