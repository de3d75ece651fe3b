"""The rules of a response, checked call by call.

A server trusts its caller for speed; here every broken rule is an error, so that a test with
the in-memory exchange also tests what the application would do to a real server.
"""

from ohia.http.headers import Headers, check_name, check_value
from ohia.http.status import EMPTY

__all__ = ["ContractViolation", "ResponseRules"]


class ContractViolation(AssertionError):
    """The application broke a rule of exchanges, which a server would pass on to the client."""


class ResponseRules:
    """Checks one response to a request with `method`, and keeps the first violation."""

    begun: bool
    ended: bool
    violation: ContractViolation | None

    def __init__(self, method: str) -> None:
        self._method = method
        self._left: int | None = None  # bytes that Content-Length still promises
        self._may_have_body = False
        self.begun = False
        self.ended = False
        self.violation = None

    def broken(self, message: str) -> ContractViolation:
        """Return the error for `message`, and remember it if it is the first."""
        violation = ContractViolation(message)
        self.violation = self.violation or violation
        return violation

    def start(self, status: int, reason: str, headers: Headers) -> None:
        """Check a head, and note what it says of the body."""
        if self.begun:
            raise self.broken(f"a second head, with status {status}")
        if type(status) is not int or not 100 <= status <= 999:
            raise self.broken(f"a status is 100 to 999, got {status!r}")
        self._check_text(reason, headers)
        length = self._content_length(status, headers)
        self._may_have_body = not (self._method == "HEAD" or status < 200 or status in EMPTY)
        self._left = length if self._may_have_body else None
        self.begun = True

    def piece(self, piece: bytes) -> None:
        """Check a piece of the body."""
        if not self.begun:
            raise self.broken("a piece of the body before the head")
        if self.ended:
            raise self.broken("a piece of the body after the end")
        if type(piece) is not bytes or not piece:
            raise self.broken(f"a piece is bytes and not empty, got {piece!r}")
        if not self._may_have_body:
            raise self.broken("a body for HEAD, or for a status that has none")
        if self._left is not None:
            if len(piece) > self._left:
                raise self.broken(f"{len(piece) - self._left} bytes more than Content-Length")
            self._left -= len(piece)

    def end(self) -> None:
        """Check that the response may end here."""
        if not self.begun:
            raise self.broken("an end before the head")
        if self.ended:
            raise self.broken("a second end")
        if self._left:
            raise self.broken(f"{self._left} bytes fewer than Content-Length")
        self.ended = True

    def _check_text(self, reason: str, headers: Headers) -> None:
        try:
            check_value("reason phrase", reason)
            for name, value in headers.lines():
                check_value(check_name(name), value)
        except (TypeError, ValueError) as error:
            raise self.broken(f"{error}") from error

    def _content_length(self, status: int, headers: Headers) -> int | None:
        values = headers.get_all("Content-Length")
        if not values:
            return None
        if len(values) > 1 or not (values[0].isascii() and values[0].isdigit()):
            raise self.broken(f"Content-Length is one number, got {values!r}")
        if status < 200 or status == 204:
            raise self.broken(f"Content-Length with status {status} (RFC 9110, 8.6)")
        if status == 205 and int(values[0]):
            raise self.broken("a length above 0 with status 205 (RFC 9110, 15.3.6)")
        if "Transfer-Encoding" in headers:
            raise self.broken("Content-Length beside Transfer-Encoding (RFC 9112, 6.2)")
        return int(values[0])
