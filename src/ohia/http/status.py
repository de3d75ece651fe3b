"""Status codes: their phrases, which have no body, which redirect.

The table is our own, after npm's `statuses`, so that phrases do not change with Python
(`http.HTTPStatus` renamed 413 and 422 in 3.13).
"""

__all__ = ["BODILESS", "EMPTY", "PHRASES", "REDIRECT", "has_body", "phrase"]

PHRASES = {
    100: "Continue",
    101: "Switching Protocols",
    102: "Processing",
    103: "Early Hints",
    200: "OK",
    201: "Created",
    202: "Accepted",
    203: "Non-Authoritative Information",
    204: "No Content",
    205: "Reset Content",
    206: "Partial Content",
    207: "Multi-Status",
    208: "Already Reported",
    226: "IM Used",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    305: "Use Proxy",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Payload Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    418: "I'm a Teapot",
    421: "Misdirected Request",
    422: "Unprocessable Entity",
    423: "Locked",
    424: "Failed Dependency",
    425: "Too Early",
    426: "Upgrade Required",
    428: "Precondition Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates",
    507: "Insufficient Storage",
    508: "Loop Detected",
    509: "Bandwidth Limit Exceeded",
    510: "Not Extended",
    511: "Network Authentication Required",
}

EMPTY = frozenset({204, 205, 304})
"""Statuses whose answer has no body (RFC 9110, 15.3.5, 15.3.6 and 15.4.5)."""

BODILESS = frozenset({*range(100, 200), 204, 304})
"""Statuses behind whose head no body can follow (RFC 9110, 6.4.1)."""

REDIRECT = frozenset({300, 301, 302, 303, 305, 307, 308})
"""Statuses that `redirect()` keeps when they were set before."""


def phrase(status: int) -> str:
    """Return the reason phrase of `status`, or the empty string for one without a name.

    >>> phrase(404)
    'Not Found'
    >>> phrase(299)
    ''
    """
    return PHRASES.get(status, "")


def has_body(method: str, status: int) -> bool:
    """Say whether a body follows the head of a response (RFC 9110, 6.4.1).

    >>> has_body("GET", 200), has_body("HEAD", 200), has_body("GET", 304)
    (True, False, False)
    """
    return method != "HEAD" and status not in BODILESS
