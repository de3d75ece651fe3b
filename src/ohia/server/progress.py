"""How far the client is with what was written to it, as the kernel knows.

A transport knows less: what it holds itself, and in TLS not even that. So a download would look
finished, or stuck, that goes on.
"""

import asyncio
import socket
import struct
import sys
from contextlib import suppress
from typing import Any

__all__ = ["taken", "unsent"]

# struct tcp_info of linux/tcp.h: tcpi_bytes_acked, since Linux 4.1
INFO_SIZE = 128
ACKED = struct.Struct("120xQ")


def unsent(transport: asyncio.Transport) -> int:
    """Return how many bytes the client has not taken yet."""
    return transport.get_write_buffer_size() + _queued(transport)


def taken(transport: asyncio.Transport) -> int:
    """Return a number that changes by as many bytes as the client takes."""
    with suppress(OSError, ValueError, AttributeError, struct.error):
        info = _socket(transport).getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_SIZE)
        return int(ACKED.unpack(info)[0])
    return -unsent(transport)


if sys.platform == "win32":

    def _queued(transport: asyncio.Transport) -> int:  # noqa: ARG001 - nothing to ask
        return 0

else:
    import fcntl
    import termios

    def _queued(transport: asyncio.Transport) -> int:
        """Return how many bytes the kernel still holds."""
        with suppress(OSError, ValueError, AttributeError):  # closed, or no socket at all
            number = _socket(transport).fileno()
            return int.from_bytes(fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return 0


def _socket(transport: asyncio.Transport) -> Any:  # noqa: ANN401 - each loop has a class for it
    return transport.get_extra_info("socket")
