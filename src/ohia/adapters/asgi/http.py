"""One HTTP request over ASGI, as an exchange."""

from collections.abc import Awaitable

from ohia.adapters.asgi.incoming import LOST, Incoming
from ohia.adapters.asgi.outgoing import FRAMING, Outgoing, raw_headers
from ohia.adapters.asgi.scope import ScopeFacts
from ohia.errors import ClientDisconnect, http_error
from ohia.exchange import Disconnect, Socket, SocketOptions, fit_length
from ohia.http.headers import Headers
from ohia.http.status import has_body
from ohia.types import Receive, Scope, Send

__all__ = ["HttpExchange"]

# Upgrade says with a 426 what the client may ask for (RFC 9110, 15.5.22).
FRAMING_BUT_UPGRADE = FRAMING - {"upgrade"}


class HttpExchange(ScopeFacts):
    """An exchange over an ASGI scope of type `http`."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self._incoming = Incoming(receive)
        self._outgoing = Outgoing(send, self._incoming.disconnected)
        self._is_begun = False
        self._is_complete = False
        self._is_aborted = False
        self._is_closed = False
        self._body_is_read = False
        self._body_size = 0

    @property
    def can_send(self) -> bool:
        """False once the client has gone or the response is complete, aborted or closed."""
        over = self._is_complete or self._is_aborted or self._is_closed
        return not (over or self._outgoing.is_gone)

    @property
    def disconnected(self) -> Disconnect:
        """The client's going; asking for it starts the watch."""
        if not (self._is_complete or self._is_closed):
            self._incoming.watch()
        return self._incoming.disconnected

    @property
    def must_be_cut(self) -> bool:
        """Whether the server still waits for a response that will not be whole."""
        return not (self._is_complete or self._outgoing.is_gone)

    async def read(self) -> bytes:
        """Return the next piece of the body, empty at its end.

        Raises ClientDisconnect when the client goes before the end, HTTPError 400 when the
        server hands over less than Content-Length: uvicorn with httptools does with a body
        whose request asks for another protocol.
        """
        while not self._body_is_read:
            message = await self._incoming.next()
            if message["type"] != "http.request":
                raise ClientDisconnect("the client went before the end of its request")
            piece: bytes = message.get("body") or b""
            self._body_size += len(piece)
            if not message.get("more_body", False):
                self._body_is_read = True
                self._check_length()
            if piece:
                return piece
        return b""

    def _check_length(self) -> None:
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and self._body_size < int(announced):
            raise http_error(400, "the request body is shorter than its Content-Length")

    def send_response(
        self,
        status: int,
        reason: str | None,  # noqa: ARG002 - ASGI has no place for it
        headers: Headers,
        body: bytes,
    ) -> Awaitable[None] | None:
        """Send head and body, and end the response."""
        if has_body(self.method, status):
            fit_length(headers, body)
        head = self._begin(status, headers)
        return self._deliver(head, _piece(body, more=False))

    def send_head(
        self,
        status: int,
        reason: str | None,  # noqa: ARG002 - ASGI has no place for it
        headers: Headers,
    ) -> Awaitable[None] | None:
        """Send the head alone.

        The empty piece behind it makes those servers send it that hold it back until they
        know of a body.
        """
        head = self._begin(status, headers)
        self._incoming.watch()
        return self._deliver(head, _piece(b"", more=True))

    def send_piece(self, piece: bytes) -> Awaitable[None] | None:
        """Send one piece of the body."""
        self._check_open()
        return self._deliver(_piece(piece, more=True))

    def end(self) -> Awaitable[None] | None:
        """End the response."""
        self._check_open()
        return self._deliver(_piece(b"", more=False))

    def abort(self) -> None:
        """Send no more, so that `serve` makes the server cut the connection."""
        self._is_aborted = True
        self._stop()

    async def upgrade(
        self,
        headers: Headers,  # noqa: ARG002 - there is nothing to accept
        subprotocol: str | None,  # noqa: ARG002
        options: SocketOptions,  # noqa: ARG002
    ) -> Socket:
        """Refuse: the server made plain HTTP of this request."""
        raise RuntimeError("an ASGI server offers WebSockets as scopes of their own type")

    def close(self) -> None:
        """Stop watching; what is unfinished `serve` has the server cut."""
        self._is_closed = True
        self._stop()

    def _begin(self, status: int, headers: Headers) -> dict[str, object]:
        self._check_open()
        if self._is_begun:
            raise RuntimeError("the response has begun already")
        self._is_begun = True
        keeps_upgrade = status == 426 and self.http_version.startswith("1")
        but = FRAMING_BUT_UPGRADE if keeps_upgrade else FRAMING
        fields = raw_headers(headers, but)
        return {"type": "http.response.start", "status": status, "headers": fields}

    def _check_open(self) -> None:
        if self._is_complete or self._is_aborted or self._is_closed:
            raise RuntimeError("the response is over")
        self._outgoing.check_here()

    async def _deliver(self, *messages: dict[str, object]) -> None:
        is_last = messages[-1]["more_body"] is False
        if is_last:  # servers report a disconnect behind a whole response too
            self._stop()
        await self._outgoing.deliver(*messages)
        self._is_complete = is_last

    def _stop(self) -> None:
        self._incoming.end(LOST)


def _piece(body: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": more}
