"""What the exchanges of both types share: the facts, one reader, and the way out."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from ohia.adapters.asgi.incoming import LOST, Incoming
from ohia.adapters.asgi.scope import ScopeFacts
from ohia.errors import ClientDisconnect
from ohia.exchange import Disconnect
from ohia.http.headers import Headers
from ohia.types import Receive, Scope, Send

__all__ = ["AsgiExchange"]


class AsgiExchange(ScopeFacts):
    """An exchange with an ASGI server. Its reader is made when somebody asks for it."""

    __slots__ = ("_incoming", "_is_over", "_receive", "_send")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self._receive = receive
        self._send = send
        self._incoming: Incoming | None = None
        self._is_over = False  # answered, aborted or closed

    if TYPE_CHECKING:  # each type has its own

        def send_response(
            self, status: int, reason: str | None, headers: Headers, body: bytes
        ) -> Awaitable[None] | None:
            """Send head and body at once."""
            ...

        def send_head(
            self, status: int, reason: str | None, headers: Headers
        ) -> Awaitable[None] | None:
            """Send the head alone."""
            ...

    @property
    def can_send(self) -> bool:
        """False once the client has gone or the response is complete, aborted or closed."""
        return not (self._is_over or self._is_gone)

    @property
    def disconnected(self) -> Disconnect:
        """The client's going; asking for it starts the watch."""
        incoming = self._reader()
        if not self._is_over:
            incoming.watch()
        return incoming.disconnected

    def abort(self) -> None:
        """Send no more, so that `serve` makes the server cut the connection."""
        self._stop()

    def close(self) -> None:
        """Stop watching; what is unfinished `serve` has the server cut."""
        self._stop()

    @property
    def _is_gone(self) -> bool:
        """Whether the client has gone, as far as anybody noticed."""
        return self._incoming is not None and self._incoming.is_gone

    def _reader(self) -> Incoming:
        if self._incoming is None:
            self._incoming = Incoming(self._receive)
            if self._is_over:
                self._incoming.end(LOST)
        return self._incoming

    def _stop(self) -> None:
        """Read and send no more."""
        self._is_over = True
        if self._incoming is not None:
            self._incoming.end(LOST)

    def _check_here(self) -> None:
        if self._incoming is not None and self._incoming.is_gone:
            raise ClientDisconnect("the client has gone")

    async def _deliver(self, *messages: dict[str, object]) -> None:
        """Send `messages`; raise ClientDisconnect once the client has gone.

        Most servers swallow what comes too late, some raise OSError, others raise what they
        like; only the disconnect that was received is sure.
        """
        for message in messages:
            self._check_here()
            try:
                await self._send(message)
            except OSError as error:
                raise self._lost() from error

    def _lost(self) -> ClientDisconnect:
        """Note that sending found the client gone."""
        self._reader().note_going()
        return ClientDisconnect("the client has gone")
