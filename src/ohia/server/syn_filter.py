"""Turns new connections away from a socket that is about to close, without a word to them.

Processes that share a port (SO_REUSEPORT) each have a queue of their own, and what is in the
queue of one that closes is reset. There is always a moment between the last look into it and
the close. With a filter on the socket the kernel drops the first packet (SYN) of whoever comes
in that moment; it is sent again after a second, and then another process gets it.
"""

import array
import socket
import struct
import sys

__all__ = ["turn_away"]

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; not in Python's socket module

# A classic BPF program, on the TCP header: op code, jump if true, jump if false, value.
DROP_SYN = array.array(
    "B",
    b"".join(
        struct.pack("=HBBI", *each)
        for each in (
            (0x30, 0, 0, 13),  # load the byte of the flags
            (0x54, 0, 0, 0x12),  # keep SYN and ACK
            (0x15, 0, 1, 0x02),  # is that SYN alone?
            (0x06, 0, 0, 0),  # yes: keep nothing of the packet
            (0x06, 0, 0, 0xFFFFFFFF),  # no: keep it whole
        )
    ),
)


def turn_away(listening: socket.socket) -> bool:
    """Let no new handshake of TCP begin; say whether that worked (Linux)."""
    if sys.platform != "linux":
        return False
    address, size = DROP_SYN.buffer_info()
    try:
        program = struct.pack("@HP", size // 8, address)
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    except OSError:
        return False
    return True
