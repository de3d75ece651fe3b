"""csrf: requests that a page of another site made a browser send (CWE-352, CWE-1385).

Browsers say where a request comes from, in Sec-Fetch-Site and Origin, and pages cannot forge
that. Programs that are no browsers say nothing, and nobody's cookies are in them by accident.
Tokens are a second lock, for who has to serve browsers from before 2020.
"""

import inspect
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from secrets import token_bytes
from typing import Any, Literal, cast

from ohia import Context, Middleware, Next, Ohia
from ohia.http.cache_control import as_private
from ohia.http.listed import field_names, listed
from ohia.http.origin import is_same_host, parse_origin
from ohia.http.query import parse_query

__all__ = ["csrf"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1
OWN_SITE = frozenset({"same-origin", "none"})  # none: typed, or from a bookmark
SECRET_BYTES = 32
TOKEN_LENGTH = 86  # characters of a mask and a secret in base64
TOKENS = "_csrf"
"""The attribute of ctx that holds the innermost Tokens of each application."""

Skip = Callable[[Any], bool | Awaitable[bool]]


def csrf(
    *,
    origins: str | Iterable[str] = (),
    tokens: Literal["session", "cookie"] | None = None,
    header: str = "X-CSRF-Token",
    field: str = "_csrf",
    cookie: str = "csrf",
    skip: Skip | None = None,
) -> Middleware:
    """Refuse (403) what the page of another site sends: unsafe methods, and WebSockets.

    Handshakes are looked at where they carry cookies or credentials. `origins` are trusted as
    well. With `tokens` an unsafe request must also bring a `ctx.csrf_token` that was given out
    for this browser, in the `header` or in the form's `field`; it is bound to the session, or to
    a signed cookie of its own, `cookie`. `skip(ctx)`, plain or async, says what is not looked at.

    ValueError for an origin or a name that is none, and for `null`, which any page can be.
    """
    trusted = _trusted(origins)
    if tokens not in {None, "session", "cookie"}:
        raise ValueError(f"tokens must be session, cookie or None, got {tokens!r}")
    field_names("header and cookie", [header, cookie])
    options = Options(in_session=tokens == "session", header=header, field=field, cookie=cookie)

    async def check(ctx: Context) -> None:
        if not _is_risky(ctx) or await _is_skipped(ctx, skip):
            return
        if not _is_own(ctx, trusted):
            ctx.throw(403, "This request comes from another site")
        if tokens is not None and not ctx.upgradable:
            await _tokens(ctx).check(ctx)

    async def csrf(ctx: Context, next: Next) -> None:
        above = None if tokens is None else _put(ctx, Tokens(options))
        try:
            await check(ctx)
            await next()
        finally:
            if above is not None:  # of another csrf() in the same application
                _put(ctx, above)

    return csrf


def _trusted(origins: str | Iterable[str]) -> frozenset[str]:
    trusted = frozenset(map(parse_origin, listed(origins)))
    if "null" in trusted:
        raise ValueError("origins cannot have 'null': any page can send that (a sandboxed frame)")
    return trusted


async def _is_skipped(ctx: Context, skip: Skip | None) -> bool:
    if skip is None:
        return False
    answer = skip(ctx)
    return bool(await answer if inspect.isawaitable(answer) else answer)


def _is_risky(ctx: Context) -> bool:
    if ctx.upgradable:
        return "cookie" in ctx.headers or "authorization" in ctx.headers
    return ctx.method not in SAFE


def _is_own(ctx: Context, trusted: frozenset[str]) -> bool:
    """Say whether a page of this host sent the request, or no page at all."""
    origin = ctx.origin
    if origin in trusted:
        return True
    site = ctx.get("Sec-Fetch-Site")
    if site:
        return site in OWN_SITE
    return origin is None or is_same_host(origin, ctx.host)


# ---- tokens ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Options:
    """Where secret and tokens are."""

    in_session: bool
    header: str
    field: str
    cookie: str


class Tokens:
    """The tokens of one request: its secret, each time under another mask."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._given_out: bytes | None = None

    def give(self, ctx: Context) -> str:
        """Return a token, for the secret that there is, or for a new one."""
        is_first = self._given_out is None
        self._given_out = secret = self._find(ctx) or self._make(ctx)
        if is_first and not ctx.header_sent:
            ctx.vary("Cookie", sticky=True)
            ctx.before_send(_set_private)
        return mask(secret)

    def _find(self, ctx: Context) -> bytes | None:
        """Return the secret; a session may be another one than it was when this was last asked."""
        if self._options.in_session or self._given_out is None:
            return self._load(ctx)
        return self._given_out

    async def check(self, ctx: Context) -> None:
        """Throw a 403 unless the request brings a token of this browser's secret."""
        ctx.vary("Cookie", sticky=True)
        secret = self._load(ctx)
        given = "" if secret is None else await self._given(ctx)
        is_token = len(given) == TOKEN_LENGTH  # else, how long it takes is up to the client
        if secret is None or not is_token or not compare_digest(unmask(given), secret):
            ctx.throw(403, "Invalid CSRF token")

    async def _given(self, ctx: Context) -> str:
        text = ctx.get(self._options.header)
        if text:
            return text
        body: object = getattr(ctx.request, "body", None)  # of a middleware that reads it
        if body is None and ctx.is_("urlencoded"):
            body = parse_query(await ctx.request.text())
        value: object = None
        if isinstance(body, Mapping):
            value = cast("Mapping[str, object]", body).get(self._options.field)  # of any kind
        return value if isinstance(value, str) else ""

    def _load(self, ctx: Context) -> bytes | None:
        if self._options.in_session:
            session: Any = ctx.session  # None once it was destroyed, which its type does not say
            kept = None if session is None else session.get("csrf")
        else:
            kept = ctx.cookies.get(self._options.cookie, signed=True)
        secret = decode(kept) if isinstance(kept, str) else b""
        return secret if len(secret) == SECRET_BYTES else None

    def _make(self, ctx: Context) -> bytes:
        secret = token_bytes(SECRET_BYTES)
        if self._options.in_session:
            session: Any = ctx.session
            if session is None:
                ctx.session = {}
            ctx.session["csrf"] = encode(secret)
        else:
            ctx.cookies.set(
                self._options.cookie, encode(secret), signed=True, same_site="lax", sticky=True
            )
        return secret


def mask(secret: bytes) -> str:
    """Return `secret` as text that is never the same, so that compression tells nothing of it.

    (BREACH, CVE-2013-3587.)

    >>> unmask(mask(b"secret"))
    b'secret'
    """
    pad = token_bytes(len(secret))
    return encode(pad + _xor(pad, secret))


def unmask(token: str) -> bytes:
    """Return the secret in `token`, b"" where there is none."""
    data = decode(token)
    half = len(data) // 2
    return _xor(data[:half], data[half:])


def encode(data: bytes) -> str:
    """Return `data` as text for cookies, headers and forms."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of `text`, b"" if it is not what `encode` made."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
    return data if encode(data) == text else b""


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(first, second, strict=False))


def _set_private(ctx: Context) -> None:
    """Keep a page with a token out of shared caches, whatever Vary was set since."""
    ctx.vary("Cookie", sticky=True)
    ctx.set("Cache-Control", as_private(ctx.response.get("Cache-Control")))


# ---- ctx.csrf_token -------------------------------------------------------------------------


Given = dict[Ohia[Any], Tokens]


def _put(ctx: Context, tokens: Tokens) -> Tokens | None:
    """Have `tokens` answer in this application; return what did so far."""
    _install(type(ctx))
    given: Given = vars(ctx).setdefault(TOKENS, {})
    above = given.get(ctx.app)
    given[ctx.app] = tokens
    return above


def _install(cls: type[Context]) -> None:
    if vars(cls).get("csrf_token") is not TOKEN:
        cls.csrf_token = TOKEN  # type: ignore[method-assign,assignment]  # pyright: ignore[reportAttributeAccessIssue]


def _tokens(ctx: Context) -> Tokens:
    given: Given = vars(ctx).get(TOKENS, {})
    tokens = given.get(ctx.app)
    if tokens is None:
        raise AttributeError("ctx has no csrf_token: no csrf(tokens=...) stands before this")
    return tokens


def _give(ctx: Context) -> str:
    return _tokens(ctx).give(ctx)


TOKEN = property(_give, doc="A token for a form of this browser's; see `csrf()`.")
