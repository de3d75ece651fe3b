"""The side of a context that is read: URL, headers, negotiation, freshness.

`RequestSide` holds the names that Koa delegates to ctx; Context inherits it. `Request` is the
thin view behind `ctx.request`: the same names, over the context's own state, and the few that
mean something else on ctx (`type`, `length`, `charset`) or belong to the body.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

from ohia.exchange import Address, Exchange
from ohia.http import accept, media_type
from ohia.http.fresh import is_fresh
from ohia.http.headers import Headers, HeaderValue, parse_length
from ohia.http.host import clean_host, hostname, subdomains
from ohia.http.target import target_path, target_querystring, with_path, with_querystring
from ohia.request_body import Filter, RequestBody
from ohia.view import View

if TYPE_CHECKING:
    from ohia.application import Ohia
    from ohia.http import url as urls
    from ohia.http.forwarded import Hop
    from ohia.http.query import Query
    from ohia.middleware.body import Files, Form, FormOptions, Part

__all__ = ["Accept", "Request", "RequestSide", "SocketInfo"]

Value = TypeVar("Value")

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.2


@dataclass(frozen=True, slots=True)
class SocketInfo:
    """The connection below a request: its two ends, and whether it is encrypted."""

    encrypted: bool
    remote_address: str
    remote_port: int | None
    local_address: str
    local_port: int | None


class Accept:
    """What the client accepts, by its headers (RFC 9110, 12.5).

    Each method takes offers, as arguments or one list, and returns the best one as it was
    given, or False. Without offers it returns what is accepted, best first.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    @overload
    def types(self) -> list[str]: ...
    @overload
    def types(
        self, first: str | Sequence[str], /, *offers: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def types(self, *offers: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Negotiate a media type; offers may be extensions (`json`)."""
        field = self._headers.get("accept")
        if not offers:
            return accept.media_types(field)
        return accept.best_media_type(field, _flat(offers)) or False

    @overload
    def encodings(self) -> list[str]: ...
    @overload
    def encodings(
        self, first: str | Sequence[str], /, *offers: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def encodings(self, *offers: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Negotiate a content coding; `identity` is accepted unless it is excluded."""
        field = self._headers.get("accept-encoding")
        if not offers:
            return accept.encodings(field)
        return accept.best_encoding(field, _flat(offers)) or False

    @overload
    def charsets(self) -> list[str]: ...
    @overload
    def charsets(
        self, first: str | Sequence[str], /, *offers: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def charsets(self, *offers: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Negotiate a charset."""
        field = self._headers.get("accept-charset")
        if not offers:
            return accept.charsets(field)
        return accept.best_charset(field, _flat(offers)) or False

    @overload
    def languages(self) -> list[str]: ...
    @overload
    def languages(
        self, first: str | Sequence[str], /, *offers: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def languages(self, *offers: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Negotiate a language; `en` and `en-US` match each other."""
        field = self._headers.get("accept-language")
        if not offers:
            return accept.languages(field)
        return accept.best_language(field, _flat(offers)) or False


class RequestSide:
    """The names of a request that ctx shares. State lives in the context's slots."""

    if not TYPE_CHECKING:  # a checker would miss the slots, which are the context's
        __slots__ = ()

    if TYPE_CHECKING:
        app: Ohia[Any]
        method: str
        _exchange: Exchange
        _request_headers: Headers | None
        _response_headers: Headers
        _status: int
        _url: str | None
        _mount_path: str | None
        _ip: str | None
        _trusted_hop: Hop | None
        _parsed_query: tuple[str, Query] | None
        _parsed_url: urls.URL | None
        _accept: Accept | None
        _request_body: RequestBody | None

    @property
    def req(self) -> Exchange:
        """The raw exchange with the server. Writing through it is unsupported."""
        return self._exchange

    @property
    def headers(self) -> Headers:
        """The request's fields: a mapping that ignores case."""
        if self._request_headers is None:
            self._request_headers = self._exchange.headers
        return self._request_headers

    @headers.setter
    def headers(self, fields: Mapping[str, HeaderValue]) -> None:
        self._request_headers = fields if isinstance(fields, Headers) else Headers(fields)
        self._trusted_hop = None

    header = headers

    def get(self, name: str) -> str:
        """Return request header `name`, or "". `Referer` and `Referrer` are the same."""
        name = name.lower()
        if name in {"referer", "referrer"}:
            return self.headers.get("referrer") or self.headers.get("referer", "")
        return self.headers.get(name, "")

    @property
    def url(self) -> str:
        """Path and query, below what a host routed on; may be set, to rewrite."""
        if self._url is None:
            self._url = _below(self._exchange.target, self._exchange.mount_path)
        return self._url

    @url.setter
    def url(self, url: str) -> None:
        self._url = url

    @property
    def original_url(self) -> str:
        """The request target as it came; never rewritten."""
        return self._exchange.target

    @property
    def mount_path(self) -> str:
        """The part of the path that was cut off `url` by a host or a mount."""
        return self._exchange.mount_path if self._mount_path is None else self._mount_path

    @mount_path.setter
    def mount_path(self, path: str) -> None:
        self._mount_path = path

    @property
    def path(self) -> str:
        """The path of `url`, not percent-decoded; setting it keeps the query."""
        return target_path(self.url)

    @path.setter
    def path(self, path: str) -> None:
        self.url = with_path(self.url, path)

    @property
    def querystring(self) -> str:
        """The query of `url` without `?`, or ""."""
        return target_querystring(self.url)

    @querystring.setter
    def querystring(self, querystring: str) -> None:
        self.url = with_querystring(self.url, querystring)

    @property
    def search(self) -> str:
        """The query of `url` with `?`, or ""."""
        querystring = self.querystring
        return f"?{querystring}" if querystring else ""

    @search.setter
    def search(self, search: str) -> None:
        self.querystring = search

    @property
    def query(self) -> "Query":
        """The query as a mapping: `[name]` the first value, `get_all(name)` each.

        The same object until the querystring changes. May be set to a mapping or to pairs.
        """
        from ohia.http.query import parse_query  # noqa: PLC0415 - see ohia.late

        querystring = self.querystring
        parsed = self._parsed_query
        if parsed is None or parsed[0] != querystring:
            parsed = self._parsed_query = (querystring, parse_query(querystring))
        return parsed[1]

    @query.setter
    def query(self, values: Mapping[str, object] | Sequence[tuple[str, object]]) -> None:
        from ohia.http.query import format_query  # noqa: PLC0415 - see ohia.late

        self.querystring = format_query(values)

    @property
    def href(self) -> str:
        """The whole URL as the client asked for it."""
        target = self._exchange.target
        if _is_absolute(target):
            return target
        # What does not begin with a slash (`*`, `@evil.com`) must not become part of the host.
        return f"{self.base_url}{target if target.startswith('/') else f'/{target}'}"

    @property
    def URL(self) -> "urls.URL":  # noqa: N802 - Koa's name
        """The parts of `href`, frozen; each None if it is no valid URL.

        None too where no host is known: what the path begins with must not pass for one.
        """
        from ohia.http.url import INVALID_URL, parse_url  # noqa: PLC0415 - see ohia.late

        if self._parsed_url is None:
            is_whole = bool(self.host) or _is_absolute(self._exchange.target)
            self._parsed_url = (parse_url(self.href) if is_whole else None) or INVALID_URL
        return self._parsed_url

    @property
    def origin(self) -> str | None:
        """The Origin header, or None."""
        return self.headers.get("origin") or None

    @property
    def base_url(self) -> str:
        """Protocol and host: `https://example.com`."""
        return f"{self.protocol}://{self.host}"

    @property
    def host(self) -> str:
        """Host and port as the client named them, "" if they cannot be a host.

        With a trusted proxy, what it was asked for.
        """
        if self.app.proxy is not False:
            told = self._hop().host
            if told is not None:
                return told
        return clean_host(self.headers.get("host", ""))

    @property
    def hostname(self) -> str:
        """The host without its port, IPv6 in brackets, "" if invalid."""
        return hostname(self.host)

    @property
    def subdomains(self) -> list[str]:
        """The labels before the last `app.subdomain_offset`, nearest first; [] for an IP."""
        return subdomains(self.hostname, self.app.subdomain_offset)

    @property
    def protocol(self) -> str:
        """`https` over TLS, or where a trusted proxy says so; else `http`."""
        if self._exchange.secure:
            return "https"
        if self.app.proxy is not False:
            return self._hop().protocol or "http"
        return "http"

    @property
    def secure(self) -> bool:
        """Whether `protocol` is https."""
        return self.protocol == "https"

    @property
    def ip(self) -> str:
        """The client's address, "" where there is none; may be set."""
        if self._ip is None:
            self._ip = self._peer() if self.app.proxy is False else self._hop().ip
        return self._ip

    @ip.setter
    def ip(self, ip: str) -> None:
        self._ip = ip

    @property
    def ips(self) -> list[str]:
        """The addresses that trusted proxies passed on, client first; [] without a proxy."""
        return [] if self.app.proxy is False else list(self._hop().ips)

    def _peer(self) -> str:
        from ohia.http.forwarded import normalize_address  # noqa: PLC0415 - see ohia.late

        client = self._exchange.client
        return "" if client is None else normalize_address(client[0])

    def _hop(self) -> "Hop":
        from ohia.http.forwarded import resolve  # noqa: PLC0415 - see ohia.late

        if self._trusted_hop is None:
            client = self._exchange.client
            self._trusted_hop = resolve(
                self.headers,
                proxy=self.app.proxy,
                ip_header=self.app.proxy_ip_header,
                max_ips_count=self.app.max_ips_count,
                peer=self._peer(),
                is_unix=client is None or client[1] is None,
            )
        return self._trusted_hop

    @property
    def socket(self) -> SocketInfo:
        """The connection's ends."""
        exchange = self._exchange
        remote, remote_port = _end(exchange.client)
        local, local_port = _end(exchange.server)
        return SocketInfo(exchange.secure, remote, remote_port, local, local_port)

    @property
    def scope(self) -> Mapping[str, Any]:
        """The ASGI scope, or its equal under `listen`."""
        return self._exchange.scope

    @property
    def idempotent(self) -> bool:
        """Whether asking again does no more than asking once (RFC 9110, 9.2.2)."""
        return self.method in IDEMPOTENT

    @property
    def fresh(self) -> bool:
        """Whether the client's copy is still good, by what the response says so far.

        Only for GET and HEAD, and a status of 2xx or 304.
        """
        if self.method not in {"GET", "HEAD"}:
            return False
        if not (200 <= self._status < 300 or self._status == 304):
            return False
        return is_fresh(self.headers, self._response_headers)

    @property
    def stale(self) -> bool:
        """Whether the client's copy is no longer good."""
        return not self.fresh

    @property
    def accept(self) -> Accept:
        """What the client accepts; may be set."""
        if self._accept is None:
            self._accept = Accept(self.headers)
        return self._accept

    @accept.setter
    def accept(self, accept: Accept) -> None:
        self._accept = accept

    @overload
    def accepts(self) -> list[str]: ...
    @overload
    def accepts(
        self, first: str | Sequence[str], /, *types: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def accepts(self, *types: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Return the best of `types` as given, or False; without types those accepted."""
        return self.accept.types(*types)

    @overload
    def accepts_encodings(self) -> list[str]: ...
    @overload
    def accepts_encodings(
        self, first: str | Sequence[str], /, *encodings: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def accepts_encodings(
        self, *encodings: str | Sequence[str]
    ) -> list[str] | str | Literal[False]:
        """Return the best of `encodings`, or False; without any those accepted."""
        return self.accept.encodings(*encodings)

    @overload
    def accepts_charsets(self) -> list[str]: ...
    @overload
    def accepts_charsets(
        self, first: str | Sequence[str], /, *charsets: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def accepts_charsets(self, *charsets: str | Sequence[str]) -> list[str] | str | Literal[False]:
        """Return the best of `charsets`, or False; without any those accepted."""
        return self.accept.charsets(*charsets)

    @overload
    def accepts_languages(self) -> list[str]: ...
    @overload
    def accepts_languages(
        self, first: str | Sequence[str], /, *languages: str | Sequence[str]
    ) -> str | Literal[False]: ...
    def accepts_languages(
        self, *languages: str | Sequence[str]
    ) -> list[str] | str | Literal[False]:
        """Return the best of `languages`, or False; without any those accepted."""
        return self.accept.languages(*languages)

    def is_(self, *types: str | Sequence[str]) -> str | Literal[False] | None:
        """Say which of `types` the request's body is; None without a body, False if none.

        A match is the type as given (`json`), or the actual one for a pattern (`text/*`).
        """
        headers = self.headers
        if "transfer-encoding" not in headers and not headers.get("content-length"):
            return None
        return media_type.matches(headers.get("content-type"), _flat(types)) or False


class Request(RequestSide, View):
    """The request side of a context as an object of its own.

    It has no state but what users set on it; it points back weakly.
    """

    if not TYPE_CHECKING:
        __slots__ = ()

    if TYPE_CHECKING:
        # ---- What bundled middleware adds ----

        body: Any
        raw_body: bytes | None
        files: Files

        async def form(self, **options: Unpack[FormOptions]) -> Form:
            """Return the request's form, the same one each time; see `body()`."""
            ...

        def parts(self, **options: Unpack[FormOptions]) -> AsyncIterator[Part]:
            """Yield the parts of a multipart form while they arrive; see `body()`."""
            ...

    @property
    def response(self) -> Any:  # noqa: ANN401 - this app's own Response class
        """The other side."""
        return self.ctx.response

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that the path gave a `Router`, as `ctx.params` has them."""
        return self.ctx.params

    @property
    def type(self) -> str:
        """The media type of the body without parameters, or ""."""
        return self.get("content-type").split(";", 1)[0].strip()

    @property
    def charset(self) -> str:
        """The charset of the body as named by Content-Type, or ""."""
        return media_type.charset(self.get("content-type"))

    @property
    def length(self) -> int | None:
        """The Content-Length, None where there is none."""
        return parse_length(self.get("content-length"))

    @property
    def _body(self) -> RequestBody:
        ctx = self.ctx
        if ctx._request_body is None:
            ctx._request_body = RequestBody(ctx._exchange)
        return ctx._request_body

    def stream(self) -> AsyncIterator[bytes]:
        """Return the body as an async iterator of bytes, without a limit."""
        return self._body.stream()

    async def read(self, limit: int | None = None) -> bytes:
        """Return the whole body, kept for the next reader.

        More than `limit`, else `app.max_body`, is PayloadTooLarge (413); a client that goes
        before the end is ClientDisconnect; after a partial `stream()` it is RuntimeError.
        """
        return await self._body.read(self._limit(limit))

    async def text(self, *, limit: int | None = None) -> str:
        """Return the whole body as text, by its charset; else BadRequest (400)."""
        return await self._body.text(self._limit(limit), self.charset)

    @overload
    async def json(self, *, limit: int | None = None) -> Any: ...  # noqa: ANN401 - JSON may be anything
    @overload
    async def json(self, type: builtins.type[Value], *, limit: int | None = None) -> Value: ...
    async def json(
        self, type: builtins.type[Any] | None = None, *, limit: int | None = None
    ) -> object:
        """Return the whole body as JSON; with a `type`, checked and converted to it; else 400."""
        return await self._body.json(self._limit(limit), self.charset, type)

    def filter(self, fn: Filter) -> None:
        """Pass the body through `fn`, which takes and gives an async iterator of bytes.

        Whoever reads afterwards gets what `fn` gives, and limits count that. A body that was
        read whole is read anew; after a `stream()` it is RuntimeError.
        """
        self._body.filter(fn)

    def _lack(self, name: str) -> str:
        if name in BY_BODY:
            return f"ctx.request.{name} is there below app.use(body()), of ohia.middleware.body"
        return super()._lack(name)

    def _limit(self, limit: int | None) -> int | None:
        return self.ctx.app.max_body if limit is None else limit

    def to_dict(self) -> dict[str, Any]:
        """Return method, url and header, for logs. Cookies and credentials are left out."""
        return {"method": self.method, "url": self.url, "header": shown(self.headers)}

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"


BY_BODY = frozenset({"body", "files", "form", "parts", "raw_body"})
"""What a request has below the middleware `body()`."""

SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})


def shown(headers: Headers) -> dict[str, str]:
    """Return `headers` as a dict for logs, with secrets blotted out."""
    return {name: "***" if name in SECRET else headers[name] for name in headers}


def _flat(items: Sequence[str | Sequence[str]]) -> list[str]:
    flat: list[str] = []
    for item in items:
        flat.extend([item] if isinstance(item, str) else item)
    return flat


def _is_absolute(target: str) -> bool:
    """Say whether a request target is a whole URL (RFC 9112, 3.2.2)."""
    return target[:7].lower() == "http://" or target[:8].lower() == "https://"


def _below(target: str, mount_path: str) -> str:
    if not mount_path or not target.startswith(mount_path):
        return target
    rest = target[len(mount_path) :]
    return rest if rest.startswith("/") else f"/{rest}"


def _end(address: Address | None) -> tuple[str, int | None]:
    return ("", None) if address is None else address
