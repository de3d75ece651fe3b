"""The listening end of a server: takes connections in, and leaves none behind when it closes.

asyncio's servers do most of that too. But they leave what waits in the queue to be reset when
they close, count no handshake of TLS, and fill the log when descriptors run out.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from ohia.console import console
from ohia.server import bind
from ohia.server.descriptors import most_sockets
from ohia.server.service import Service
from ohia.server.syn_filter import turn_away

__all__ = ["Listener"]

Accepted = tuple[socket.socket, Any]
"""A connection and its address, whose form is that of the family."""

AT_ONCE = 16  # connections accepted in one turn of the loop; other processes may take the next
HANDSHAKE = 0.1  # seconds in which the handshakes of TCP that have begun come to an end
PAUSE = 0.1  # seconds without accepting when there is no room
NEVER = 1e6  # seconds; None would be the loop's own time
ROOM = 100  # connections beyond the limit, which are told so, or shake hands
SILENCE = 60.0  # seconds between two lines about that


class Listener:
    """Accepts on one bound socket."""

    def __init__(
        self,
        service: Service,
        bound: bind.Bound,
        protocol: Callable[[], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.tls: ssl.SSLContext | None = tls
        self._service = service
        self._bound = bound
        self._protocol = protocol
        self._most = _most(service.limits.max_connections)
        self._resuming: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._silent_until = 0.0

    def start(self) -> None:
        """Accept from now on."""
        self._resuming = None
        try:
            self._service.loop.add_reader(self._bound.socket, self._accept)
        except NotImplementedError:  # the usual loop of Windows has no readers
            self._asking = self._service.loop.create_task(self._ask())

    def _stop(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
        if self._asking is not None:
            self._asking.cancel()
        else:
            self._service.loop.remove_reader(self._bound.socket)

    async def close(self) -> None:
        """Stop listening; whoever waits in the queue is still let in."""
        # Where a supervisor has made the socket, it has turned them away.
        is_ours = self._bound.maker == os.getpid()
        if self._bound.shares_port and (not is_ours or turn_away(self._bound.socket)):
            await asyncio.sleep(HANDSHAKE)
        self._stop()
        waiting = self._empty()
        self._bound.close()
        for accepted, address in waiting:
            self._open(accepted, address)

    def _empty(self) -> list[Accepted]:
        """Take all that waits; more than the queue holds come only if it is filled meanwhile."""
        waiting: list[Accepted] = []
        with contextlib.suppress(OSError):  # BlockingIOError says that there are no more
            while len(waiting) < self._bound.backlog:
                waiting.append(self._bound.socket.accept())
        return waiting

    def _accept(self) -> None:
        """Let in some of those that wait, as far as there is room."""
        for _ in range(AT_ONCE):
            if self._is_crowded():
                self._pause()
                return
            try:
                accepted, address = self._bound.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor or no memory is left, it may be the system's
                self._tell(error)
                self._pause()
                return
            self._open(accepted, address)

    async def _ask(self) -> None:
        """Let in one after the other, by the loop's own means."""
        loop = self._service.loop
        while True:
            try:
                if not self._is_crowded():
                    accepted, address = await loop.sock_accept(self._bound.socket)
                    self._open(accepted, address)
                    continue
            except OSError as error:
                self._tell(error)
            await asyncio.sleep(PAUSE)

    def _is_crowded(self) -> bool:
        service = self._service
        count = len(service.connections) + len(service.opening)
        return self._most is not None and count >= self._most

    def _pause(self) -> None:
        """Let them wait in the queue for a moment: asking again at once would only burn time."""
        loop = self._service.loop
        loop.remove_reader(self._bound.socket)
        self._resuming = loop.call_later(PAUSE, self.start)

    def _tell(self, error: OSError) -> None:
        """Tell of it once in a while: it may last, and many clients may wait."""
        now = self._service.loop.time()
        if now >= self._silent_until:
            self._silent_until = now + SILENCE
            console.write(f"ohia: cannot accept for now: {error.strerror}; clients wait\n")

    def _open(self, accepted: socket.socket, address: Any) -> None:  # noqa: ANN401 - by the family
        accepted.settimeout(0)
        self._service.open(self._connect(accepted, address))

    async def _connect(self, accepted: socket.socket, address: Any) -> None:  # noqa: ANN401
        """Give a connection to a protocol, after the handshake of TLS if there is one."""
        service, tls = self._service, self.tls
        handshake = None if tls is None else service.limits.head_timeout or NEVER
        shutdown = None if tls is None else NEVER  # connections have patience of their own
        try:
            await service.loop.connect_accepted_socket(
                self._protocol,
                accepted,
                ssl=tls,
                ssl_handshake_timeout=handshake,
                ssl_shutdown_timeout=shutdown,
            )
        except (OSError, EOFError) as error:  # it went, speaks no TLS, or is too slow
            accepted.close()
            log = service.access_log
            if log is not None and tls is not None:
                log.refused("TLS", (str(address[0]), None) if address else None, _text(error))


def _text(error: Exception) -> bytes:
    return (str(error) or type(error).__name__).encode()


def _most(connections: int | None) -> int | None:
    """Return how many sockets may be open for a limit of so many connections."""
    sockets = most_sockets()
    if connections is None or sockets is None:
        return sockets if connections is None else connections + ROOM
    return min(sockets, connections + ROOM)
