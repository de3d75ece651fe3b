"""The side of a context that is written: status, headers, body, redirect.

`ResponseSide` holds the names that Koa delegates to ctx; Context inherits it. `Response` is
the thin view behind `ctx.response`: the same names over the context's own state, and the few
that mean the request's on ctx (`get`, `is_`, `headers`).
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import inspect
import os
import re
import stat
import types
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard

from ohia.errors import BadRequest
from ohia.exchange import Exchange
from ohia.http import media_type
from ohia.http.date import format_date, parse_date
from ohia.http.etag import entity_tag
from ohia.http.headers import Headers, HeaderValue, check_value, parse_length
from ohia.http.status import EMPTY, PHRASES, REDIRECT
from ohia.http.vary import add_vary
from ohia.json import encode_json
from ohia.request import Request, shown
from ohia.sources import is_bytes_like
from ohia.view import View
from ohia.websocket import WebSocket

if TYPE_CHECKING:
    from ohia.application import Ohia

__all__ = ["PLAIN", "UNSET", "Filter", "Response", "ResponseSide", "is_path", "is_stream"]

Filter = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]
"""Takes the pieces of a body and gives others. An empty piece asks for a flush."""


class Unset:
    """The body that was never assigned: Koa's undefined."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
BINARY = "application/octet-stream"
JSON = "application/json; charset=utf-8"

# Koa: text whose first character behind white space (as JavaScript's \s has it) is "<".
LOOKS_LIKE_HTML = re.compile(
    "[\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]*<"
)
NAMES_JSON = re.compile(r"\bjson\b", re.IGNORECASE | re.ASCII)

HTML_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"},
)

NOT_A_BODY = (
    (inspect.iscoroutine, "a coroutine cannot be a body: await it"),
    (inspect.isgeneratorfunction, "a generator function cannot be a body: call it"),
    (inspect.isasyncgenfunction, "an async generator function cannot be a body: call it"),
    (inspect.isroutine, "a function cannot be a body: call it"),
    (inspect.isclass, "a class cannot be a body: make an object of it"),
    (inspect.ismodule, "a module cannot be a body"),
    (inspect.isawaitable, "an awaitable cannot be a body: await it"),
)
PLAIN = frozenset({dict, list, tuple, int, float, bool, set, frozenset})
"""Types of bodies that are JSON, and surely nothing else."""


class ResponseSide:
    """The names of a response that ctx shares. State lives in the context's slots."""

    if not TYPE_CHECKING:  # a checker would miss the slots, which are the context's
        __slots__ = ()

    if TYPE_CHECKING:
        app: Ohia[Any]
        method: str
        _respond: bool
        _is_plain: bool
        _before_send: list[Callable[..., object]] | None
        _on_detach: list[Callable[..., object]] | None
        _flushed: bool
        _stream: Any  # the ResponseStream, which stands above this module
        _exchange: Exchange
        _response_headers: Headers
        _sticky: Headers | None
        _status: int
        _has_status: bool
        _message: str | None
        _body: Any
        _payload: bytes | None
        _body_is_null: bool
        _sources: list[Any] | None
        _filters: list[Filter] | None
        _socket: WebSocket | None
        _late_warned: bool
        _side: Any  # of an application inside another; it stands above this module

    @property
    def res(self) -> Exchange:
        """The raw exchange with the server. Writing through it is unsupported."""
        return self._exchange

    @property
    def respond(self) -> bool:
        """Whether the end of the chain ends the response: False leaves a stream or socket open."""
        return self._respond

    @respond.setter
    def respond(self, respond: bool) -> None:
        self._respond = respond
        self._is_plain = self._is_plain and respond

    @property
    def status(self) -> int:
        """The status code, 404 at first; 200 once there is a body.

        204, 205 and 304 drop the body. Other than an int is TypeError, outside of 100 to 999
        ValueError.
        """
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        if self._response_headers.sent:
            self._warn_late("status")
            return
        if type(status) is not int:
            raise TypeError(f"status code must be a number, got {status!r}")
        if not 100 <= status <= 999:
            raise ValueError(f"invalid status code: {status}")
        self._has_status = True
        self._status = status
        self._message = None
        if status in EMPTY or status < 200:
            self._is_plain = False
            if status in EMPTY and self._body is not UNSET and self._body is not None:
                self.body = None

    @property
    def message(self) -> str:
        """The reason phrase: as set, else that of the status, else ""."""
        return self._message or PHRASES.get(self._status, "")

    @message.setter
    def message(self, message: str) -> None:
        if self._response_headers.sent:
            self._warn_late("message")
            return
        self._message = check_value("message", message) or None

    @property
    def body(self) -> Any:  # noqa: ANN401 - whatever was assigned
        """What is sent: text, bytes, a path or file, an iterator, or anything as JSON.

        None is an empty answer with status 204; `del` makes it as if never assigned. The
        first assignment sets status 200 where none was set, and Content-Type where there is
        none. What can never be sent raises TypeError here.
        """
        body = self._body
        return None if body is UNSET else body

    @body.setter
    def body(self, body: Any) -> None:  # noqa: ANN401 - whatever there is
        headers = self._response_headers
        if headers.sent:
            self._set_body_late(body)
            return
        payload = body if type(body) is bytes else _encode_text(body)
        if payload is None:
            self._set_other_body(body)
            return
        self._body = body
        self._payload = payload
        if not self._has_status:
            self._ok_by_default()
        fields = headers._fields  # what nearly every response does is done without calls
        if "content-type" not in fields:
            fields["content-type"] = ("Content-Type", _guess_type(body))
        fields["content-length"] = ("Content-Length", str(len(payload)))

    @body.deleter
    def body(self) -> None:
        if self._response_headers.sent:
            self._warn_late("body")
        else:
            self._clear_body(null=False)

    def _set_body_late(self, body: Any) -> None:  # noqa: ANN401 - whatever was assigned
        """Take a body after `flush_headers()`, which sent headers alone; else ignore it."""
        if not self._flushed:
            self._warn_late("body")
            return
        self._body, self._payload = body, None
        if isinstance(body, str):
            self._payload = body.encode()
        elif is_bytes_like(body):
            self._payload = bytes(body)
        elif is_stream(body):
            self._hold(body)
        elif not is_path(body):
            refuse_as_json(body)

    def _clear_body(self, *, null: bool) -> None:
        self._body = None if null else UNSET
        self._payload = None
        if self._status not in EMPTY:
            if null and self.type == "application/json":
                self._payload = b"null"
                self._ok_by_default()
                self._response_headers.put("Content-Length", "4")
                return
            self.status = 204
        self._body_is_null = self._body_is_null or null
        for name in ("content-type", "content-length", "transfer-encoding"):
            self._response_headers.remove(name)

    def _set_other_body(self, body: object) -> None:
        if body is None:
            self._clear_body(null=True)
            return
        if type(body) in PLAIN:
            self._set_json(body)
        elif is_path(body):
            self._set_file(os.fsdecode(body))
        elif is_stream(body):
            self._set_stream(body)
        else:
            self._set_json(body)
        self._body = body
        self._payload = None

    def _set_file(self, name: str) -> None:
        from pathlib import Path  # noqa: PLC0415 - see ohia.late

        path = Path(name)
        facts = path.stat()  # raises here for what is not there
        if not stat.S_ISREG(facts.st_mode):
            raise IsADirectoryError(f"not a regular file: {name!r}")
        self._ok_by_default()
        headers = self._response_headers
        if "content-type" not in headers:
            headers.put("Content-Type", media_type.content_type(path.name) or BINARY)
        if "last-modified" not in headers:
            headers.put("Last-Modified", format_date(facts.st_mtime))
        headers.put("Content-Length", str(facts.st_size))

    def _set_stream(self, body: object) -> None:
        self._ok_by_default()
        headers = self._response_headers
        if body is not self._body and self._body is not None and self._body is not UNSET:
            headers.remove("content-length")
        if "content-type" not in headers:
            headers.put("Content-Type", BINARY)
        self._hold(body)

    def _set_json(self, body: object) -> None:
        refuse_as_json(body)
        self._ok_by_default()
        headers = self._response_headers
        headers.remove("content-length")
        if "content-type" not in headers or not NAMES_JSON.search(self.type):
            headers.put("Content-Type", JSON)

    def _ok_by_default(self) -> None:
        if not self._has_status:
            self._status = 200
            self._has_status = True
            self._message = None  # as any new status does

    def _hold(self, source: object) -> None:
        if self._sources is None:
            self._sources = []
        if not any(each is source for each in self._sources):
            self._sources.append(source)

    @property
    def length(self) -> int | None:
        """The Content-Length: as set, else that of the body; None for a stream or no body."""
        declared = self._response_headers.get("content-length")
        if declared is not None:
            return parse_length(declared) or 0
        if self._payload is not None:
            return len(self._payload)
        body = self._body
        if body is UNSET or body is None or is_stream(body):
            return None
        return len(self._encoded())

    @length.setter
    def length(self, length: int | None) -> None:
        if length is None:
            self.remove("Content-Length")
        elif type(length) is not int or length < 0:
            raise ValueError(f"a length is a number of bytes, got {length!r}")
        elif "transfer-encoding" not in self._response_headers:
            self.set("Content-Length", length)

    def to_bytes(self) -> bytes | None:
        """Return the body as it will be sent, JSON made now; None for none, or one in pieces."""
        body = self._body
        if self._payload is None and (
            body is UNSET or body is None or is_path(body) or is_stream(body)
        ):
            return None
        return self._encoded()

    def _encoded(self) -> bytes:
        """Return the body as bytes: what was kept, else JSON made now."""
        if self._payload is not None:
            return self._payload
        return encode_json(self._body, self.app.json_spaces, self.app.json_default)

    @property
    def type(self) -> str:
        """The media type without parameters, or "".

        Takes a type, an extension (`.png`) or a name (`json`); text and JSON get a charset.
        What is unknown, None and "" remove the header.
        """
        return self._response_headers.get("content-type", "").split(";", 1)[0]

    @type.setter  # noqa: A003 - Koa's name
    def type(self, type: str | None) -> None:
        value = media_type.content_type(type) if type else None
        if value is None:
            self.remove("Content-Type")
        else:
            self.set("Content-Type", value)

    @property
    def last_modified(self) -> datetime | None:
        """Last-Modified as an aware datetime; a naive one is ValueError."""
        return parse_date(self._response_headers.get("last-modified", ""))

    @last_modified.setter
    def last_modified(self, when: datetime) -> None:
        if not isinstance(when, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"last_modified takes an aware datetime, got {when!r}")
        self.set("Last-Modified", format_date(when))

    @property
    def etag(self) -> str:
        """The ETag, or ""; quotes are added where they lack."""
        return self._response_headers.get("etag", "")

    @etag.setter
    def etag(self, tag: str) -> None:
        self.set("ETag", entity_tag(tag))

    @property
    def header_sent(self) -> bool:
        """Whether status and headers have left."""
        return self._response_headers.sent

    @property
    def writable(self) -> bool:
        """Whether anything can still be sent to this client."""
        return self._socket is None and self._exchange.can_send

    def has(self, name: str) -> bool:
        """Say whether response header `name` is set."""
        return name in self._response_headers

    def set(
        self,
        name: str | Mapping[str, HeaderValue],
        value: HeaderValue | None = None,
        *,
        sticky: bool = False,
    ) -> None:
        """Set response header `name` to str, int or a list of them; or each of a mapping.

        `sticky` keeps it through an error answer. None is TypeError; CR, LF, NUL or a
        character outside Latin-1 ValueError.
        """
        if not isinstance(name, str):
            for each, its_value in name.items():
                self.set(each, its_value, sticky=sticky)
            return
        if self._response_headers.sent:
            self._warn_late(name)
            return
        if value is None:
            raise TypeError(f"header {name} takes str, int or a list of them, got None")
        self._response_headers[name] = value
        if sticky:
            self._kept()[name] = value
        elif self._sticky is not None:
            self._sticky.remove(name)

    def append(self, name: str, value: HeaderValue, *, sticky: bool = False) -> None:
        """Add another line of response header `name`."""
        if self._response_headers.sent:
            self._warn_late(name)
            return
        self._response_headers.append(name, value)
        if sticky:
            self._kept().append(name, value)

    def remove(self, name: str) -> None:
        """Remove response header `name`, sticky or not."""
        if self._response_headers.sent:
            self._warn_late(name)
            return
        self._response_headers.remove(name)
        if self._sticky is not None:
            self._sticky.remove(name)

    def vary(self, field: str | Sequence[str], *, sticky: bool = False) -> None:
        """Add `field` to Vary, once; `*` wins. What is no token is ValueError."""
        if self._response_headers.sent:
            self._warn_late("Vary")
            return
        vary_on(self._response_headers, field)
        if sticky:
            vary_on(self._kept(), field)

    def _kept(self) -> Headers:
        if self._sticky is None:
            self._sticky = Headers()
        return self._sticky

    def redirect(self, url: str, *, status: int | None = None, local: bool = False) -> None:
        """Answer with a redirect to `url`, 302 unless a redirecting status was set.

        `local` refuses (BadRequest) what leaves this origin: use it for a URL that came from
        the client.
        """
        self._redirect(url, status, local=local)

    def back(self, alt: str = "/") -> None:
        """Redirect to the Referer if that is on this host, else to `alt`, else to `/`."""
        referrer = self._request().get("Referer")
        self._redirect(referrer if self._is_local(referrer) else alt or "/", None, local=False)

    def _redirect(self, url: str, status: int | None, *, local: bool) -> None:
        if local and not self._is_local(url):
            raise BadRequest("This redirect would leave the site")
        from ohia.http.url import encode_url, parse_url  # noqa: PLC0415 - see ohia.late

        if url[:8].lower().startswith(("http://", "https://")):
            parsed = parse_url(url)  # written anew, so that all readers see one host
            if parsed is None or parsed.href is None:
                raise ValueError(f"invalid URL {url!r}")
            url = parsed.href
        self.set("Location", encode_url(url))
        if status is not None:
            self.status = status
        elif self._status not in REDIRECT:
            self.status = 302
        if self._request().accepts("html"):
            self.set("Content-Type", HTML)
            self.body = f"Redirecting to {url.translate(HTML_ESCAPES)}."
        else:
            self.set("Content-Type", TEXT)
            self.body = f"Redirecting to {url}."

    def _is_local(self, url: str) -> bool:
        """Say whether a browser that follows `url` stays on this host and port."""
        from ohia.http.url import parse_url  # noqa: PLC0415 - see ohia.late

        request = self._request()
        if not url or not request.host:
            return False
        parsed = parse_url(url, request.href)
        here = parse_url(request.base_url)
        return (
            parsed is not None
            and here is not None
            and parsed.protocol in {"http:", "https:"}
            and parsed.host == here.host
        )

    def _request(self) -> Any:  # noqa: ANN401 - a RequestSide: the context, or the other view
        return self

    def attachment(
        self, filename: str | None = None, *, type: str = "attachment", fallback: bool | str = True
    ) -> None:
        """Set Content-Disposition, and Content-Type by the extension if there is none."""
        from pathlib import PurePath  # noqa: PLC0415 - see ohia.late

        from ohia.http.disposition import content_disposition  # noqa: PLC0415 - see ohia.late

        if filename and not self.has("Content-Type"):
            extension = PurePath(filename).suffix
            if extension:
                self.type = extension
        value = content_disposition(filename, type=type, fallback=fallback)
        self.set("Content-Disposition", value)

    def filter(self, filter: Filter) -> None:
        """Pass the body through `filter`, outside of those added before.

        It drops Content-Length, and works for every kind of body and for `ctx.stream()`.
        """
        if self._response_headers.sent:
            self._warn_late("filter()")
            return
        self._is_plain = False
        if self._filters is None:
            self._filters = []
        self._filters.append(filter)

    def _warn_late(self, what: str, *, stacklevel: int = 3) -> None:
        """Tell a developer of a write after the head left; it is ignored."""
        if self.app.env == "production" or self._socket is not None or self._late_warned:
            return
        self._late_warned = True
        warnings.warn(
            f"{what} was set after the headers had been sent, and is ignored; "
            "use ctx.before_send(fn) to change them just before they leave",
            RuntimeWarning,
            stacklevel=stacklevel,
        )


class Response(ResponseSide, View):
    """The response side of a context as an object of its own.

    It has no state but what users set on it; it points back weakly.
    """

    if not TYPE_CHECKING:
        __slots__ = ()

    @property
    def request(self) -> Request:
        """The other side."""
        return self.ctx.request

    def _request(self) -> Request:
        return self.request

    @property
    def headers(self) -> Headers:
        """The fields set so far: a mapping that ignores case."""
        return self._response_headers

    header = headers

    def get(self, name: str) -> str:
        """Return response header `name`, repeated ones joined, or ""."""
        return self._response_headers.get(name, "")

    def is_(self, *types: str | Sequence[str]) -> str | Literal[False]:
        """Say which of `types` the response's type is, or False."""
        flat: list[str] = []
        for each in types:
            flat.extend([each] if isinstance(each, str) else each)
        return media_type.matches(self.type, flat) or False

    def to_dict(self) -> dict[str, Any]:
        """Return status, message and header, for logs. Cookies are left out."""
        return {"status": self.status, "message": self.message, "header": shown(self.headers)}

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.message}>"


def is_path(body: object) -> "TypeGuard[os.PathLike[str] | os.PathLike[bytes]]":
    """Say whether `body` names a file."""
    return hasattr(body, "__fspath__")


def is_stream(body: object) -> bool:
    """Say whether `body` is sent piece by piece: a file object or an iterator."""
    if type(body) in PLAIN:
        return False
    return (
        isinstance(body, AsyncIterable)
        or hasattr(body, "__next__")
        or callable(getattr(body, "read", None))
    ) and not isinstance(body, type | types.ModuleType)


def refuse_as_json(body: object) -> None:
    """Raise TypeError for what is surely not meant as a body."""
    if type(body) in PLAIN:
        return
    for is_such, reason in NOT_A_BODY:
        if is_such(body):
            raise TypeError(f"{reason}, got {body!r}")


def vary_on(headers: Headers, field: str | Sequence[str]) -> None:
    """Add `field` to Vary of `headers`."""
    headers["Vary"] = add_vary(headers.get("vary", ""), field)


def _encode_text(body: object) -> bytes | None:
    """Return text and what is like bytes as bytes, None for any other body."""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if is_bytes_like(body) else None


def _guess_type(body: object) -> str:
    if not isinstance(body, str):
        return BINARY
    return HTML if LOOKS_LIKE_HTML.match(body) else TEXT
