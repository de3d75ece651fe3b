"""One HTTP request over ASGI, as an exchange."""

from collections.abc import Awaitable

from ohia.adapters.asgi.exchange import AsgiExchange
from ohia.adapters.asgi.outgoing import FRAMING, RawHeaders, raw_headers
from ohia.errors import ClientDisconnect, http_error
from ohia.exchange import Socket, SocketOptions, fit_length
from ohia.http.headers import Headers
from ohia.http.status import has_body
from ohia.types import Receive, Scope, Send

__all__ = ["HttpExchange"]

# Upgrade says with a 426 what the client may ask for (RFC 9110, 15.5.22).
FRAMING_BUT_UPGRADE = FRAMING - {"upgrade"}


class HttpExchange(AsgiExchange):
    """An exchange over an ASGI scope of type `http`."""

    __slots__ = ("_body_is_read", "_body_size", "_is_begun", "_is_complete", "_size", "_whole")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._is_begun = False
        self._is_complete = False
        self._body_is_read = False
        self._body_size = 0
        self._size = 0
        self._whole: bytes | None = None  # the body, if it left with its head

    @property
    def size(self) -> int:
        """Bytes of the response's body that were handed over so far."""
        return self._size if self._whole is None else len(self._whole)

    @property
    def must_be_cut(self) -> bool:
        """Whether the server still waits for a response that will not be whole."""
        return not (self._is_complete or self._is_gone)

    async def read(self) -> bytes:
        """Return the next piece of the body, empty at its end.

        Raises ClientDisconnect when the client goes before the end, HTTPError 400 when the
        server hands over less than Content-Length: uvicorn with httptools does with a body
        whose request asks for another protocol.
        """
        while not self._body_is_read:
            message = await self._reader().next()
            if message["type"] != "http.request":
                raise ClientDisconnect("the client went before the end of its request")
            piece: bytes = message.get("body") or b""
            self._body_size += len(piece)
            if not message.get("more_body", False):
                self._body_is_read = True
                self._check_size()
            if piece:
                return piece
        return b""

    def _check_size(self) -> None:
        announced = self.content_length
        if announced is not None and self._body_size < announced:
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
        fields = self._fields(status, headers)
        self._is_begun = True
        self._whole = body
        return self._finish(
            {"type": "http.response.start", "status": status, "headers": fields},
            {"type": "http.response.body", "body": body, "more_body": False},
        )

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
        fields = self._fields(status, headers)
        self._is_begun = True
        self._reader().watch()
        return self._deliver(
            {"type": "http.response.start", "status": status, "headers": fields},
            {"type": "http.response.body", "body": b"", "more_body": True},
        )

    def send_piece(self, piece: bytes) -> Awaitable[None] | None:
        """Send one piece of the body."""
        self._check_open()
        self._size += len(piece)
        return self._deliver({"type": "http.response.body", "body": piece, "more_body": True})

    def end(self) -> Awaitable[None] | None:
        """End the response."""
        self._check_open()
        return self._finish({"type": "http.response.body", "body": b"", "more_body": False})

    async def upgrade(
        self,
        headers: Headers,  # noqa: ARG002 - there is nothing to accept
        subprotocol: str | None,  # noqa: ARG002
        options: SocketOptions,  # noqa: ARG002
    ) -> Socket:
        """Refuse: the server made plain HTTP of this request."""
        raise RuntimeError("an ASGI server offers WebSockets as scopes of their own type")

    def _fields(self, status: int, headers: Headers) -> RawHeaders:
        """Return the fields of a response that may begin now."""
        self._check_open()
        if self._is_begun:
            raise RuntimeError("the response has begun already")
        keeps_upgrade = status == 426 and self.http_version.startswith("1")
        return raw_headers(headers, FRAMING_BUT_UPGRADE if keeps_upgrade else FRAMING)

    def _check_open(self) -> None:
        if self._is_over:
            raise RuntimeError("the response is over")
        self._check_here()

    async def _finish(self, *messages: dict[str, object]) -> None:
        """Send the last messages, and listen no more: servers report a disconnect behind them."""
        self._stop()
        try:
            for message in messages:
                await self._send(message)
        except OSError as error:
            raise self._lost() from error
        self._is_complete = True
