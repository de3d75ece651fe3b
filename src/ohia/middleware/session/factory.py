"""`session()`: the middleware."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from secrets import token_urlsafe
from typing import Any

from ohia import Context, Middleware, Next, Ohia
from ohia.http.cookie import format_set_cookie
from ohia.middleware.session import wire
from ohia.middleware.session.keeper import Keeper
from ohia.middleware.session.model import Session
from ohia.middleware.session.options import Options, Record, SessionStore, check_functions, lifetime

__all__ = ["session"]

ONE_DAY = 24 * 60 * 60
MAX_COOKIE = 4096  # bytes of name, value and attributes that browsers keep (RFC 6265, 6.1)
ID_BYTES = 24  # 192 random bits
KEEPERS = "_sessions"
"""The attribute of ctx that holds the innermost Keeper of each application."""

Keepers = dict[Ohia[Any], Keeper]


def session(
    *,
    key: str = "koa.sess",
    store: SessionStore | None = None,
    max_age: float | timedelta | None = ONE_DAY,
    auto_commit: bool = True,
    rolling: bool = False,
    renew: bool = False,
    signed: bool = True,
    prefix: str = "",
    genid: Callable[[Any], str] | None = None,
    encode: Callable[[Record], str] = wire.encode,
    decode: Callable[[str], Record] = wire.decode,
    valid: Callable[[Any, Record], bool | Awaitable[bool]] | None = None,
    before_save: Callable[..., object] | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool | None = None,
    http_only: bool = True,
    same_site: str | bool | None = "lax",
    priority: str | None = None,
    partitioned: bool = False,
    overwrite: bool = True,
) -> Middleware:
    """Give each ctx a `session`, kept in the cookie `key`, or in `store` under the id in it.

    `max_age` is in seconds; None lasts until the browser is closed. `rolling` sends the cookie
    with every answer for which the session was looked at, `renew` when less than half of its
    time is left. `genid(ctx)` makes the ids of a store, by default `prefix` and random text.
    `encode` and `decode` are between a record and the text of a cookie. `valid(ctx, record)`
    may refuse what was loaded, `before_save(ctx, session)` have a last say, plain or async.
    The rest are attributes of the cookie.

    ValueError for what no cookie can have, TypeError for what is no store, and for an async
    `genid`, `encode` or `decode`.
    """
    check_functions(store, genid=genid, encode=encode, decode=decode)
    cookie: dict[str, Any] = {
        "path": path,
        "domain": domain,
        "secure": secure,
        "http_only": http_only,
        "same_site": same_site,
        "priority": priority,
        "partitioned": partitioned,
    }
    secured: dict[str, Any] = {**cookie, "secure": secure is not False}
    longest = format_set_cookie(key, "", expires=0, **secured)
    options = Options(
        key=key,
        store=store,
        max_age=lifetime(max_age),
        auto_commit=auto_commit,
        rolling=rolling,
        renew=renew,
        signed=signed,
        prefix="" if genid or store is None else prefix,
        genid=genid or partial(_random_id, prefix),
        encode=encode,
        decode=decode,
        valid=valid,
        before_save=before_save,
        room=MAX_COOKIE - len(longest),
        attributes={**cookie, "overwrite": overwrite, "signed": signed},
    )

    async def session(ctx: Context, next: Next) -> None:
        if signed and ctx.app.keygrip is None:
            raise RuntimeError("session() signs its cookie: give the app keys, or signed=False")
        if type(ctx).__dict__.get("session") is not SESSION:
            _install(type(ctx))
        keeper = Keeper(options)
        above = _put(ctx, keeper)
        if options.takes_awaiting and "cookie" in ctx.headers:
            await keeper.load(ctx)
        try:
            await next()
        finally:
            if above is not None:  # of another session() in the same application
                _put(ctx, above)

    return session


def _random_id(prefix: str, ctx: Context) -> str:  # noqa: ARG001 - as a user's genid() has it
    return prefix + token_urlsafe(ID_BYTES)


def _install(cls: type[Context]) -> None:
    """Give the contexts of one application their `session`."""
    if hasattr(cls, "session"):
        raise RuntimeError("session() cannot be used: app.context has a `session` already")
    cls.session = SESSION  # type: ignore[method-assign,assignment]  # pyright: ignore[reportAttributeAccessIssue]


def _put(ctx: Context, keeper: Keeper) -> Keeper | None:
    """Have `keeper` answer `ctx.session` in this application; return the one that did so far."""
    keepers: Keepers = vars(ctx).setdefault(KEEPERS, {})
    above = keepers.get(ctx.app)
    keepers[ctx.app] = keeper
    return above


def _keeper(ctx: Context) -> Keeper:
    keepers: Keepers = vars(ctx).get(KEEPERS, {})
    keeper = keepers.get(ctx.app)
    if keeper is None:
        raise AttributeError("ctx has no session: no session() stands before this middleware")
    return keeper


def _get(ctx: Context) -> Session | None:
    return _keeper(ctx).get(ctx)


def _set(ctx: Context, values: Mapping[str, Any] | None) -> None:
    _keeper(ctx).set(ctx, values)


def _delete(ctx: Context) -> None:
    _keeper(ctx).set(ctx, None)


SESSION = property(_get, _set, _delete, "What is remembered of this browser; see `session()`.")
