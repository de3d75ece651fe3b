"""Every error that ohia raises, as one tree.

    Exception
    ├── HTTPError                an answer: status, message, headers
    │   ├── BadRequest           400
    │   ├── …                    one class for each 4xx and 5xx
    │   └── NetworkAuthenticationRequired   511
    ├── ConnectionError
    │   ├── ClientDisconnect     the client went while it was being answered
    │   └── WebSocketClosed      the socket is closed, with code and reason
    └── RuntimeError
        └── NextCalledTwice      a middleware called next() a second time

What a caller got wrong raises the built-in TypeError, ValueError or RuntimeError.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from ohia.http.status import PHRASES

__all__ = [
    "ClientDisconnect",
    "HTTPError",
    "NextCalledTwice",
    "WebSocketClosed",
    "http_error",
    "BadGateway",
    "BadRequest",
    "BandwidthLimitExceeded",
    "Conflict",
    "ExpectationFailed",
    "FailedDependency",
    "Forbidden",
    "GatewayTimeout",
    "Gone",
    "HTTPVersionNotSupported",
    "ImATeapot",
    "InsufficientStorage",
    "InternalServerError",
    "LengthRequired",
    "Locked",
    "LoopDetected",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "NetworkAuthenticationRequired",
    "NotAcceptable",
    "NotExtended",
    "NotFound",
    "NotImplemented",
    "PayloadTooLarge",
    "PaymentRequired",
    "PreconditionFailed",
    "PreconditionRequired",
    "ProxyAuthenticationRequired",
    "RangeNotSatisfiable",
    "RequestHeaderFieldsTooLarge",
    "RequestTimeout",
    "ServiceUnavailable",
    "TooEarly",
    "TooManyRequests",
    "URITooLong",
    "Unauthorized",
    "UnavailableForLegalReasons",
    "UnprocessableEntity",
    "UnsupportedMediaType",
    "UpgradeRequired",
    "VariantAlsoNegotiates",
]


class ClientDisconnect(ConnectionError):
    """The client went before its request was read or answered to the end."""


class NextCalledTwice(RuntimeError):
    """A middleware called `next()` more than once."""


class WebSocketClosed(ConnectionError):
    """The WebSocket is closed: `code` and `reason` as the peer sent them (RFC 6455, 7.4).

    1005 stands for a close without a code, 1006 for a connection that was lost.
    """

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class HTTPError(Exception):
    """An error that knows its answer.

    `status` is 400 to 599 (else ValueError), `message` the text (default: the reason phrase),
    `expose` whether clients may see it (default: below 500), `headers` are set on the answer.
    Other keywords become attributes, for error listeners and pages.
    """

    default_status: ClassVar[int] = 500
    status: int
    message: str
    expose: bool
    headers: Mapping[str, str]

    def __init__(
        self,
        status: int | None = None,
        message: str | None = None,
        *,
        expose: bool | None = None,
        headers: Mapping[str, str] | None = None,
        **props: Any,  # noqa: ANN401 - whatever the thrower wants to tell
    ) -> None:
        status = self.default_status if status is None else status
        if type(status) is not int or not 400 <= status <= 599:
            raise ValueError(f"an HTTP error has a status of 400 to 599, got {status!r}")
        self.status = status
        self.message = PHRASES.get(status, f"{status}") if message is None else message
        self.expose = status < 500 if expose is None else expose
        self.headers = {} if headers is None else headers
        super().__init__(self.message)
        for name, value in props.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status}, {self.message!r})"


class BadRequest(HTTPError):
    """400 Bad Request."""

    default_status = 400


class Unauthorized(HTTPError):
    """401 Unauthorized."""

    default_status = 401


class PaymentRequired(HTTPError):
    """402 Payment Required."""

    default_status = 402


class Forbidden(HTTPError):
    """403 Forbidden."""

    default_status = 403


class NotFound(HTTPError):
    """404 Not Found."""

    default_status = 404


class MethodNotAllowed(HTTPError):
    """405 Method Not Allowed."""

    default_status = 405


class NotAcceptable(HTTPError):
    """406 Not Acceptable."""

    default_status = 406


class ProxyAuthenticationRequired(HTTPError):
    """407 Proxy Authentication Required."""

    default_status = 407


class RequestTimeout(HTTPError):
    """408 Request Timeout."""

    default_status = 408


class Conflict(HTTPError):
    """409 Conflict."""

    default_status = 409


class Gone(HTTPError):
    """410 Gone."""

    default_status = 410


class LengthRequired(HTTPError):
    """411 Length Required."""

    default_status = 411


class PreconditionFailed(HTTPError):
    """412 Precondition Failed."""

    default_status = 412


class PayloadTooLarge(HTTPError):
    """413 Payload Too Large."""

    default_status = 413


class URITooLong(HTTPError):
    """414 URI Too Long."""

    default_status = 414


class UnsupportedMediaType(HTTPError):
    """415 Unsupported Media Type."""

    default_status = 415


class RangeNotSatisfiable(HTTPError):
    """416 Range Not Satisfiable."""

    default_status = 416


class ExpectationFailed(HTTPError):
    """417 Expectation Failed."""

    default_status = 417


class ImATeapot(HTTPError):
    """418 I'm a Teapot."""

    default_status = 418


class MisdirectedRequest(HTTPError):
    """421 Misdirected Request."""

    default_status = 421


class UnprocessableEntity(HTTPError):
    """422 Unprocessable Entity."""

    default_status = 422


class Locked(HTTPError):
    """423 Locked."""

    default_status = 423


class FailedDependency(HTTPError):
    """424 Failed Dependency."""

    default_status = 424


class TooEarly(HTTPError):
    """425 Too Early."""

    default_status = 425


class UpgradeRequired(HTTPError):
    """426 Upgrade Required."""

    default_status = 426


class PreconditionRequired(HTTPError):
    """428 Precondition Required."""

    default_status = 428


class TooManyRequests(HTTPError):
    """429 Too Many Requests."""

    default_status = 429


class RequestHeaderFieldsTooLarge(HTTPError):
    """431 Request Header Fields Too Large."""

    default_status = 431


class UnavailableForLegalReasons(HTTPError):
    """451 Unavailable For Legal Reasons."""

    default_status = 451


class InternalServerError(HTTPError):
    """500 Internal Server Error."""

    default_status = 500


class NotImplemented(HTTPError):
    """501 Not Implemented."""

    default_status = 501


class BadGateway(HTTPError):
    """502 Bad Gateway."""

    default_status = 502


class ServiceUnavailable(HTTPError):
    """503 Service Unavailable."""

    default_status = 503


class GatewayTimeout(HTTPError):
    """504 Gateway Timeout."""

    default_status = 504


class HTTPVersionNotSupported(HTTPError):
    """505 HTTP Version Not Supported."""

    default_status = 505


class VariantAlsoNegotiates(HTTPError):
    """506 Variant Also Negotiates."""

    default_status = 506


class InsufficientStorage(HTTPError):
    """507 Insufficient Storage."""

    default_status = 507


class LoopDetected(HTTPError):
    """508 Loop Detected."""

    default_status = 508


class BandwidthLimitExceeded(HTTPError):
    """509 Bandwidth Limit Exceeded."""

    default_status = 509


class NotExtended(HTTPError):
    """510 Not Extended."""

    default_status = 510


class NetworkAuthenticationRequired(HTTPError):
    """511 Network Authentication Required."""

    default_status = 511


_BY_STATUS = {each.default_status: each for each in HTTPError.__subclasses__()}


def http_error(
    status: int = 500,
    message: str | None = None,
    **props: Any,  # noqa: ANN401 - passed on to HTTPError
) -> HTTPError:
    """Return the error named after `status`; a code without a name gives a plain HTTPError.

    >>> http_error(404)
    NotFound(404, 'Not Found')
    """
    return _BY_STATUS.get(status, HTTPError)(status, message, **props)
