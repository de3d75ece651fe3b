"""csrf: requests that a page of another site made a browser send (CWE-352, CWE-1385).

Browsers say where a request comes from, in Sec-Fetch-Site and Origin, and pages cannot forge
that. Programs that are no browsers say nothing, and nobody's cookies are in them by accident.
Tokens are a second lock, for who has to serve browsers from before 2020.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from secrets import token_bytes
from typing import Any, Literal, cast

from ohia import Context, Middleware, Next
from ohia.http.cache_control import as_private
from ohia.http.origin import is_same_host, parse_origin
from ohia.http.query import parse_query

__all__ = ["csrf"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1
OWN_SITE = frozenset({"same-origin", "none"})  # none: typed, or from a bookmark
SECRET_BYTES = 32
TOKENS = "_csrf"


def csrf(
    *,
    origins: Iterable[str] = (),
    tokens: Literal["session", "cookie"] | None = None,
    header: str = "X-CSRF-Token",
    field: str = "_csrf",
    cookie: str = "csrf",
    skip: Callable[[Any], bool] | None = None,
) -> Middleware:
    """Refuse (403) what the page of another site sends: unsafe methods, and WebSockets.

    Handshakes are looked at where they carry cookies or credentials. `origins` are trusted as
    well. With `tokens` an unsafe request must also bring a `ctx.csrf_token` that was given out
    for this browser, in the `header` or in the form's `field`; it is bound to the session, or to
    a signed cookie of its own, `cookie`. `skip(ctx)` says what is not looked at.

    ValueError for an origin that is none.
    """
    trusted = frozenset(parse_origin(each) for each in origins)
    if tokens not in {None, "session", "cookie"}:
        raise ValueError(f"tokens must be session, cookie or None, got {tokens!r}")
    options = Options(in_session=tokens == "session", header=header, field=field, cookie=cookie)

    async def csrf(ctx: Context, next: Next) -> None:
        if tokens is not None:
            _install(type(ctx))
            vars(ctx)[TOKENS] = Tokens(options)
        if _is_risky(ctx) and not (skip is not None and skip(ctx)):
            if not _is_own(ctx, trusted):
                ctx.throw(403, "This request comes from another site")
            if tokens is not None and not ctx.upgradable:
                await _tokens(ctx).check(ctx)
        await next()

    return csrf


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
        self._secret: bytes | None = None

    def give(self, ctx: Context) -> str:
        """Return a token, for the secret that there is, or for a new one."""
        if self._secret is None:
            self._secret = self._load(ctx) or self._make(ctx)
            if not ctx.header_sent:
                ctx.vary("Cookie", sticky=True)
                ctx.before_send(_set_private)
        return mask(self._secret)

    async def check(self, ctx: Context) -> None:
        """Throw a 403 unless the request brings a token of this browser's secret."""
        ctx.vary("Cookie", sticky=True)
        secret = self._load(ctx)
        given = await self._given(ctx)
        if secret is None or not compare_digest(unmask(given), secret):
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
    """Keep a page with a token out of shared caches."""
    ctx.set("Cache-Control", as_private(ctx.response.get("Cache-Control")))


# ---- ctx.csrf_token -------------------------------------------------------------------------


def _install(cls: type[Context]) -> None:
    if vars(cls).get("csrf_token") is not TOKEN:
        cls.csrf_token = TOKEN  # type: ignore[method-assign,assignment]  # pyright: ignore[reportAttributeAccessIssue]


def _tokens(ctx: Context) -> Tokens:
    tokens: Tokens | None = vars(ctx).get(TOKENS)
    if tokens is None:
        raise AttributeError("ctx has no csrf_token: no csrf(tokens=...) stands before this")
    return tokens


def _give(ctx: Context) -> str:
    return _tokens(ctx).give(ctx)


TOKEN = property(_give, doc="A token for a form of this browser's; see `csrf()`.")
