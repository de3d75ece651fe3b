"""What a test asks for, as a request: its address, its body and the headers that tell of it."""

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict
from urllib.parse import quote, urlencode

from ohia.http.headers import Headers, HeaderValue
from ohia.json import encode_json
from ohia.testing.multipart import Files, render_multipart

__all__ = [
    "NOTHING",
    "Content",
    "Query",
    "RequestAddress",
    "RequestHeaders",
    "RequestOptions",
    "render_body",
    "split_url",
]

PIECE = 64 * 1024  # bytes of a request that come at once, as from a network
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))  # what a URL may keep as it is

NOTHING: Any = object()  # no `json`, where None is a value

RequestHeaders = Mapping[str, HeaderValue | None]
"""Fields by name; None leaves out what the client would send by itself."""

Query = Mapping[str, Any] | Sequence[tuple[str, Any]]
"""Names and values for a query or a form; a list of values repeats the name."""

Content = str | bytes | AsyncIterable[bytes]
"""A body as it is: text goes as UTF-8, pieces without a Content-Length."""


class RequestOptions(TypedDict, total=False):
    """What a request may carry: one body at most, but `files` are of one form with `form`."""

    headers: RequestHeaders
    query: Query
    json: Any  # whatever msgspec can encode
    form: Query
    files: Files
    content: Content
    cookies: Mapping[str, str]  # for this request, besides those that are kept


@dataclass(frozen=True, slots=True)
class RequestAddress:
    """Where a request goes: `authority` is the Host field, `target` path and query."""

    secure: bool
    authority: str
    target: str

    @property
    def host(self) -> str:
        """The host in lower case, without its port."""
        host, separator, port = self.authority.lower().rpartition(":")
        return host if separator and port.isdigit() else self.authority.lower()

    @property
    def port(self) -> int:
        """The port, 80 or 443 where none is named."""
        port = self.authority.rpartition(":")[2]
        return int(port) if port.isdigit() else 443 if self.secure else 80

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


def split_url(url: str, base: RequestAddress | None, query: Query = ()) -> RequestAddress:
    """Return where `url` leads to from `base`; its target keeps all that can be sent as it is."""
    url = quote(url.partition("#")[0], safe=PRINTABLE)
    if rendered := _urlencode(query):
        url += f"{'&' if '?' in url else '?'}{rendered}"
    if base is not None and url.startswith(("/", "*")):
        return replace(base, target=url)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"http", "https", "ws", "wss"}:
        raise ValueError(f"a URL starts with / or http://, https://, ws:// or wss://, got {url!r}")
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    target = rest[len(authority) :]
    if not target.startswith("/"):
        target = f"/{target}"
    return RequestAddress(scheme in {"https", "wss"}, authority, target)


def _pairs(query: Query) -> list[tuple[str, Any]]:
    """Return names and values, a name once for each of its values."""
    named = query if isinstance(query, Sequence) else list(query.items())
    return [
        (name, each)
        for name, value in named
        for each in (value if isinstance(value, (list, tuple)) else [value])  # pyright: ignore[reportUnknownVariableType]
    ]


def _urlencode(query: Query) -> str:
    return urlencode(_pairs(query))


def render_body(
    method: str,
    json: Any,  # noqa: ANN401 - as in Client.stream
    form: Query | None,
    files: Files | None,
    content: Content | None,
) -> tuple[Headers, AsyncIterable[bytes] | None]:
    """Return the body of a request, and the headers that tell of it."""
    has_form = form is not None or files is not None
    if (json is not NOTHING) + has_form + (content is not None) > 1:
        raise TypeError("a request has one body: json, form with files, or content")
    headers = Headers()
    if json is not NOTHING:
        headers["Content-Type"] = "application/json"
        content = encode_json(json, None, None)
    elif files is not None:
        headers["Content-Type"], content = render_multipart(_pairs(form or ()), files)
    elif form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        content = _urlencode(form)
    if isinstance(content, AsyncIterable):
        headers["Transfer-Encoding"] = "chunked"
        return headers, content
    data = content.encode() if isinstance(content, str) else content or b""
    if data or method in {"POST", "PUT", "PATCH"}:
        headers["Content-Length"] = len(data)
    return headers, _in_pieces(data) if data else None


async def _in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), PIECE):
        yield content[start : start + PIECE]
