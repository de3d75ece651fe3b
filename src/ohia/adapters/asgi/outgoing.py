"""Sending over ASGI: fields as bytes, and a lost client as ClientDisconnect."""

import asyncio
import logging
from collections.abc import Container

from ohia.errors import ClientDisconnect
from ohia.exchange import Disconnect
from ohia.http.headers import Headers
from ohia.types import Send

__all__ = ["Outgoing", "RawHeaders", "raw_headers", "warn_once"]

RawHeaders = list[tuple[bytes, bytes]]

# The server frames the message and keeps the connection (RFC 9110, 7.6.1).
FRAMING = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)

log: logging.Logger = logging.getLogger("ohia")
_warned: set[str] = set()


def raw_headers(headers: Headers, but: Container[str] = FRAMING) -> RawHeaders:
    """Return the field lines of `headers` as ASGI wants them, without the names in `but`."""
    return [
        (lower.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.lines()
        if (lower := name.lower()) not in but
    ]


class Outgoing:
    """Sends to a client, for as long as it is there."""

    def __init__(self, send: Send, disconnected: Disconnect) -> None:
        self._send = send
        self._disconnected = disconnected
        self._is_lost = False

    @property
    def is_gone(self) -> bool:
        """Whether the client has gone, as far as anybody noticed."""
        return self._is_lost or self._disconnected.is_set()

    def check_here(self) -> None:
        """Raise ClientDisconnect once the client has gone."""
        if self.is_gone:
            raise ClientDisconnect("the client has gone")

    async def deliver(self, *messages: dict[str, object]) -> None:
        """Send `messages`; raise ClientDisconnect once the client has gone.

        Most servers swallow what comes too late, some raise OSError, others raise what they
        like; only the disconnect that was received is sure.
        """
        for message in messages:
            self.check_here()
            try:
                await self._send(message)
            except OSError as error:
                self._is_lost = True
                # Not at once: who listens may cancel this very task.
                asyncio.get_running_loop().call_soon(self._disconnected.set)
                raise ClientDisconnect("the client has gone") from error


def warn_once(message: str) -> None:
    """Log `message`, about a limit of the server, the first time that it shows."""
    if message not in _warned:
        _warned.add(message)
        log.warning(message)
