"""Every error that ohia raises, as one tree.

    Exception
    ├── HTTPError                        an answer: status, message, headers
    │   └── NamedHTTPError               its status by its class: (message)
    │       ├── BadRequest               400
    │       ├── …                        one class for each 4xx and 5xx
    │       └── NetworkAuthenticationRequired   511
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
    "BadGateway",
    "BadRequest",
    "BandwidthLimitExceeded",
    "ClientDisconnect",
    "Conflict",
    "ExpectationFailed",
    "FailedDependency",
    "Forbidden",
    "GatewayTimeout",
    "Gone",
    "HTTPError",
    "HTTPVersionNotSupported",
    "ImATeapot",
    "InsufficientStorage",
    "InternalServerError",
    "LengthRequired",
    "Locked",
    "LoopDetected",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "NamedHTTPError",
    "NetworkAuthenticationRequired",
    "NextCalledTwice",
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
    "WebSocketClosed",
    "http_error",
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
        status: int = 500,
        message: str | None = None,
        *,
        expose: bool | None = None,
        headers: Mapping[str, str] | None = None,
        **props: Any,  # noqa: ANN401 - whatever the thrower wants to tell
    ) -> None:
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


class NamedHTTPError(HTTPError):
    """Base of the errors that have their status in their name: the message comes first."""

    def __init__(
        self,
        message: str | None = None,
        *,
        expose: bool | None = None,
        headers: Mapping[str, str] | None = None,
        **props: Any,  # noqa: ANN401 - whatever the thrower wants to tell
    ) -> None:
        super().__init__(self.default_status, message, expose=expose, headers=headers, **props)


class BadRequest(NamedHTTPError):
    """400 Bad Request."""

    default_status = 400


class Unauthorized(NamedHTTPError):
    """401 Unauthorized."""

    default_status = 401


class PaymentRequired(NamedHTTPError):
    """402 Payment Required."""

    default_status = 402


class Forbidden(NamedHTTPError):
    """403 Forbidden."""

    default_status = 403


class NotFound(NamedHTTPError):
    """404 Not Found."""

    default_status = 404


class MethodNotAllowed(NamedHTTPError):
    """405 Method Not Allowed."""

    default_status = 405


class NotAcceptable(NamedHTTPError):
    """406 Not Acceptable."""

    default_status = 406


class ProxyAuthenticationRequired(NamedHTTPError):
    """407 Proxy Authentication Required."""

    default_status = 407


class RequestTimeout(NamedHTTPError):
    """408 Request Timeout."""

    default_status = 408


class Conflict(NamedHTTPError):
    """409 Conflict."""

    default_status = 409


class Gone(NamedHTTPError):
    """410 Gone."""

    default_status = 410


class LengthRequired(NamedHTTPError):
    """411 Length Required."""

    default_status = 411


class PreconditionFailed(NamedHTTPError):
    """412 Precondition Failed."""

    default_status = 412


class PayloadTooLarge(NamedHTTPError):
    """413 Payload Too Large."""

    default_status = 413


class URITooLong(NamedHTTPError):
    """414 URI Too Long."""

    default_status = 414


class UnsupportedMediaType(NamedHTTPError):
    """415 Unsupported Media Type."""

    default_status = 415


class RangeNotSatisfiable(NamedHTTPError):
    """416 Range Not Satisfiable."""

    default_status = 416


class ExpectationFailed(NamedHTTPError):
    """417 Expectation Failed."""

    default_status = 417


class ImATeapot(NamedHTTPError):
    """418 I'm a Teapot."""

    default_status = 418


class MisdirectedRequest(NamedHTTPError):
    """421 Misdirected Request."""

    default_status = 421


class UnprocessableEntity(NamedHTTPError):
    """422 Unprocessable Entity."""

    default_status = 422


class Locked(NamedHTTPError):
    """423 Locked."""

    default_status = 423


class FailedDependency(NamedHTTPError):
    """424 Failed Dependency."""

    default_status = 424


class TooEarly(NamedHTTPError):
    """425 Too Early."""

    default_status = 425


class UpgradeRequired(NamedHTTPError):
    """426 Upgrade Required."""

    default_status = 426


class PreconditionRequired(NamedHTTPError):
    """428 Precondition Required."""

    default_status = 428


class TooManyRequests(NamedHTTPError):
    """429 Too Many Requests."""

    default_status = 429


class RequestHeaderFieldsTooLarge(NamedHTTPError):
    """431 Request Header Fields Too Large."""

    default_status = 431


class UnavailableForLegalReasons(NamedHTTPError):
    """451 Unavailable For Legal Reasons."""

    default_status = 451


class InternalServerError(NamedHTTPError):
    """500 Internal Server Error."""

    default_status = 500


class NotImplemented(NamedHTTPError):  # noqa: A001 - its phrase
    """501 Not Implemented."""

    default_status = 501


class BadGateway(NamedHTTPError):
    """502 Bad Gateway."""

    default_status = 502


class ServiceUnavailable(NamedHTTPError):
    """503 Service Unavailable."""

    default_status = 503


class GatewayTimeout(NamedHTTPError):
    """504 Gateway Timeout."""

    default_status = 504


class HTTPVersionNotSupported(NamedHTTPError):
    """505 HTTP Version Not Supported."""

    default_status = 505


class VariantAlsoNegotiates(NamedHTTPError):
    """506 Variant Also Negotiates."""

    default_status = 506


class InsufficientStorage(NamedHTTPError):
    """507 Insufficient Storage."""

    default_status = 507


class LoopDetected(NamedHTTPError):
    """508 Loop Detected."""

    default_status = 508


class BandwidthLimitExceeded(NamedHTTPError):
    """509 Bandwidth Limit Exceeded."""

    default_status = 509


class NotExtended(NamedHTTPError):
    """510 Not Extended."""

    default_status = 510


class NetworkAuthenticationRequired(NamedHTTPError):
    """511 Network Authentication Required."""

    default_status = 511


_BY_STATUS = {each.default_status: each for each in NamedHTTPError.__subclasses__()}


def http_error(
    status: int = 500,
    message: str | None = None,
    **props: Any,  # noqa: ANN401 - passed on to HTTPError
) -> HTTPError:
    """Return the error named after `status`; a code without a name gives a plain HTTPError.

    >>> http_error(404)
    NotFound(404, 'Not Found')
    """
    named = _BY_STATUS.get(status) if type(status) is int else None
    return HTTPError(status, message, **props) if named is None else named(message, **props)
