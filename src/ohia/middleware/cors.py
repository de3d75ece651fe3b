"""cors: pages of other origins that may read what is answered (Fetch Standard, 3.3)."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Any

from ohia import Context, Middleware, Next
from ohia.amounts import to_seconds
from ohia.http.listed import field_names, listed
from ohia.http.origin import parse_origin

__all__ = ["cors"]

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")

ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}

Answer = str | bool | None
OriginFunction = Callable[[Any], Answer | Awaitable[Answer]]


def cors(
    *,
    origin: str | Iterable[str] | OriginFunction = "*",
    credentials: bool = False,
    allow_methods: str | Iterable[str] = METHODS,
    allow_headers: str | Iterable[str] | None = None,
    expose_headers: str | Iterable[str] = (),
    max_age: int | timedelta | None = None,
    keep_headers_on_error: bool = True,
    secure_context: bool = False,
    private_network_access: bool = False,
) -> Middleware:
    """Let pages of `origin` read the answers: `*`, one, a list, or a function of ctx.

    The function, plain or async, returns an origin, True for the one that asks, or nothing. With
    `credentials` pages may send cookies along, so `*` will not do, nor `null`, which any page can
    be. `allow_headers` None allows what is asked for. `max_age` is the seconds that a browser may
    remember a preflight's answer. `secure_context` isolates this site's own pages
    (Cross-Origin-Opener-Policy and -Embedder-Policy), `private_network_access` lets public pages
    ask this private host. Lists may be text with commas.

    ValueError for an origin or a name that is none, and for `*` or `null` with `credentials`.
    """
    options = Options(
        origin=origin if callable(origin) else _origins(origin),
        credentials=credentials,
        allow_headers=None
        if allow_headers is None
        else field_names("allow_headers", allow_headers),
        private_network_access=private_network_access,
    )
    if credentials:
        _check_named(options.origin)
    exposed = field_names("expose_headers", expose_headers)
    actual = _given("Access-Control-Expose-Headers", exposed)
    preflight = {
        **_given("Access-Control-Allow-Methods", field_names("allow_methods", allow_methods)),
        **_given("Access-Control-Max-Age", _seconds(max_age)),
    }

    async def cors(ctx: Context, next: Next) -> None:
        ctx.vary("Origin", sticky=keep_headers_on_error)
        if secure_context:  # it is about pages, which are asked for without an Origin
            ctx.set(ISOLATED, sticky=keep_headers_on_error)
        allowed = await _allowed(ctx, options)
        is_preflight = ctx.method == "OPTIONS" and ctx.get("Access-Control-Request-Method")
        if allowed and is_preflight:
            ctx.set(preflight | allowed | _asked_for(ctx, options))
            ctx.status = 204
            return
        if allowed and ctx.method != "OPTIONS":
            ctx.set(actual | allowed, sticky=keep_headers_on_error)
        await next()

    return cors


@dataclass(frozen=True, slots=True)
class Options:
    """What a request is held against; `origin` a function, or `*`, or origins."""

    origin: OriginFunction | str | frozenset[str]
    credentials: bool
    allow_headers: str | None
    private_network_access: bool


def _origins(origin: str | Iterable[str]) -> str | frozenset[str]:
    names = listed(origin)
    return "*" if "*" in names else frozenset(map(parse_origin, names))


def _check_named(origin: OriginFunction | str | frozenset[str]) -> None:
    """Refuse what would let any page in with the cookies of a user."""
    if origin == "*" or (isinstance(origin, frozenset) and "null" in origin):
        raise ValueError("credentials cannot go with '*' or 'null': name the origins in a list")


def _seconds(time: float | timedelta | None) -> str:
    if time is None:
        return ""
    seconds = to_seconds("max_age", time)
    if not isfinite(seconds):
        raise ValueError(f"max_age is a number of seconds, got {time!r}")
    return f"{seconds:.0f}"


def _given(name: str, value: str) -> dict[str, str]:
    return {name: value} if value else {}


async def _allowed(ctx: Context, options: Options) -> dict[str, str]:
    """Return the headers that let the page in; none if it stays out."""
    allowed = await _allowed_origin(ctx, options.origin)
    if not allowed:
        return {}
    headers = {"Access-Control-Allow-Origin": allowed}
    if options.credentials and allowed != "*":
        headers["Access-Control-Allow-Credentials"] = "true"
    return headers


async def _allowed_origin(
    ctx: Context, origin: OriginFunction | str | frozenset[str]
) -> str | None:
    if isinstance(origin, str):
        return origin
    asking = ctx.origin
    if isinstance(origin, frozenset):
        return asking if asking in origin else None
    answer = origin(ctx)
    if inspect.isawaitable(answer):
        answer = await answer
    if answer is True:
        return asking if asking != "null" else None  # any page can be that: it has to be named
    if not answer:
        return None
    if not isinstance(answer, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError(f"origin() returns an origin, True or nothing, got {answer!r}")
    return answer


def _asked_for(ctx: Context, options: Options) -> dict[str, str]:
    headers = options.allow_headers
    if headers is None:
        headers = ctx.get("Access-Control-Request-Headers")
    granted = _given("Access-Control-Allow-Headers", headers)
    if options.private_network_access and ctx.get("Access-Control-Request-Private-Network"):
        granted["Access-Control-Allow-Private-Network"] = "true"
    return granted
