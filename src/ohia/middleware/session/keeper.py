"""How one request loads its session, and saves it once, before the head leaves."""

import inspect
from collections.abc import Mapping
from typing import Any

from ohia import Context, Cookies
from ohia.http.cache_control import as_private, is_shared
from ohia.middleware.session import wire
from ohia.middleware.session.model import Session
from ohia.middleware.session.options import Options, Record, SessionStore

__all__ = ["Keeper"]

GRACE = 10  # seconds that a store keeps a session beyond its cookie, as koa-session does
LATE = "the headers have left: the browser cannot be told of this session any more"


class Keeper:
    """The session of one request. It does not keep alive its ctx, which holds it."""

    # Most requests never look at their session: what they need not have is the class's.
    id: str | None = None
    _session: Session | None = None
    _is_watching: bool = False
    _frozen: bytes | None = None  # the values as the client or the store has them
    _expires: float | None = None  # milliseconds since 1970
    _stored_id: str | None = None
    _obsolete: tuple[str, ...] = ()
    _has_cookie: bool = False
    _is_cookie_bad: bool = False
    _must_save: bool = False
    _must_sign_anew: bool = False

    def __init__(self, options: Options) -> None:
        self._options = options
        self.max_age = options.max_age

    # ---- what ctx.session does --------------------------------------------------------------

    def get(self, ctx: Context) -> Session | None:
        """Return the session; None once it was destroyed."""
        self._watch(ctx)
        return self._session

    def set(self, ctx: Context, values: Mapping[str, Any] | None) -> None:
        """Replace the values; None destroys the session."""
        self._watch(ctx)
        if values is None:
            self._retire(ctx)
            self._session = self._frozen = None
            self._is_cookie_bad = self._has_cookie
            return
        if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError(f"ctx.session can only be set to a mapping or None, got {values!r}")
        self._session = Session(ctx, values, is_new=self._frozen is None)

    def _watch(self, ctx: Context) -> None:
        """Note that somebody looks: the answer depends on the cookie from now on."""
        if self._is_watching:
            return
        self._is_watching = True
        if self._session is None:
            self._load_cookie(ctx)
        if not ctx.header_sent:
            ctx.vary("Cookie", sticky=True)
            if self._options.auto_commit:
                ctx.before_send(self.commit)

    def change_max_age(self, max_age: float | None) -> None:
        """Let the session last `max_age` seconds, from the next save on, which is due."""
        self.max_age = max_age
        self._must_save = True

    # ---- loading ----------------------------------------------------------------------------

    async def load_stored(self, ctx: Context) -> None:
        """Load the session from the store, if the client names one that is there."""
        store = self._options.store
        key = self._read(ctx)
        if store is None or key is None or not key.startswith(self._options.prefix):
            self._begin(ctx)
            return
        record = await store.get(key)
        if record is None:
            self._refuse(ctx, "missed", key)
        elif self._adopt(ctx, record, key):
            self.id = self._stored_id = key

    def _load_cookie(self, ctx: Context) -> None:
        text = None if self._options.store is not None else self._read(ctx)
        if text is None:
            self._begin(ctx)
            return
        try:
            record = self._options.decode(text)
        except Exception:  # noqa: BLE001 - a client's cookie is no error of ours, whatever decode() says
            self._refuse(ctx, "invalid")
        else:
            self._adopt(ctx, record)

    def _read(self, ctx: Context) -> str | None:
        """Return the cookie if its signature is right."""
        name = self._options.key
        text = ctx.cookies.get(name, signed=False)
        if not text:
            return None
        self._has_cookie = True
        if not self._options.signed:
            return text
        place = _signer(ctx.cookies, name, text)
        self._is_cookie_bad = place < 0
        self._must_sign_anew = place > 0
        return None if place < 0 else text

    def _adopt(self, ctx: Context, record: Record, key: str | None = None) -> bool:
        """Begin with what `record` holds; afresh if it is none, or too old, or refused."""
        if not isinstance(record, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - a decode() may err
            return self._refuse(ctx, "invalid", key)
        if wire.has_expired(record):
            return self._refuse(ctx, "expired", key, record)
        if self._options.valid is not None and not self._options.valid(ctx, record):
            return self._refuse(ctx, "invalid", key, record)
        self.max_age = wire.max_age_of(record, self.max_age)
        self._expires = record.get("_expire")
        values = wire.values_of(record)
        self._frozen = wire.freeze(values)
        self._session = Session(ctx, values, is_new=False)
        return True

    def _refuse(
        self, ctx: Context, why: str, key: str | None = None, record: Record | None = None
    ) -> bool:
        self._is_cookie_bad = True
        self._begin(ctx)
        ctx.app.emit(f"session:{why}", ctx, key, record)
        return False

    def _begin(self, ctx: Context) -> None:
        self._session = Session(ctx, {}, is_new=True)
        self._renew_id(ctx)

    def _renew_id(self, ctx: Context) -> None:
        if self._options.store is not None:
            self.id = self._options.genid(ctx)

    # ---- saving -----------------------------------------------------------------------------

    async def commit(self, ctx: Context) -> None:
        """Save the session if that is due, or remove what was destroyed."""
        await self._forget()
        if self._session is not None and self._is_due(ctx, self._session):
            await self.save(ctx)
        elif self._is_cookie_bad:
            self._delete_cookie(ctx)

    def _is_due(self, ctx: Context, session: Session) -> bool:
        if self._must_save:
            return True
        if self._frozen is None and not session.populated:
            return False
        if wire.freeze(session.to_dict()) != self._frozen:
            return True
        # A mere refresh must not be in an answer that shared caches keep.
        return self._is_refresh_due() and not is_shared(ctx.response.get("Cache-Control"))

    def _is_refresh_due(self) -> bool:
        options = self._options
        if options.rolling or self._must_sign_anew:
            return True
        return options.renew and wire.is_half_over(self._expires, self.max_age)

    async def save(self, ctx: Context) -> None:
        """Save the session, whether it changed or not."""
        session = self._session
        if session is None:
            raise RuntimeError("this session was destroyed: ctx.session was set to None")
        if self._options.before_save is not None:
            result = self._options.before_save(ctx, session)
            if inspect.isawaitable(result):
                await result
        frozen = wire.freeze(session.to_dict())
        record = wire.record_of(frozen, self.max_age)
        store = self._options.store
        if store is None:
            self._send(ctx, self._options.encode(record))
        else:
            await self._store(ctx, store, record)
        self._frozen = frozen
        self._expires = record.get("_expire")
        self._must_save = self._must_sign_anew = self._is_cookie_bad = False

    async def _store(self, ctx: Context, store: SessionStore, record: Record) -> None:
        """Keep `record`, unless another request has destroyed the session meanwhile."""
        key = self.id or self._options.genid(ctx)
        is_new = key != self._stored_id
        if is_new and ctx.header_sent:
            raise RuntimeError(LATE)
        if not is_new and await store.get(key) is None:
            self._delete_cookie(ctx)
            return
        await store.set(key, record, None if self.max_age is None else self.max_age + GRACE)
        self.id = self._stored_id = key
        if not ctx.header_sent:
            self._send(ctx, key)

    def _send(self, ctx: Context, text: str) -> None:
        options = self._options
        if ctx.header_sent:
            raise RuntimeError(LATE)
        if len(text) > options.room:
            raise ValueError(
                f"the session takes {len(text)} bytes of a cookie that has room for "
                f"{options.room}: keep less in it, or give session() a store"
            )
        self._set_cookie(ctx, text, max_age=self.max_age)
        self._has_cookie = True

    def _delete_cookie(self, ctx: Context) -> None:
        if self._has_cookie and not ctx.header_sent:
            self._set_cookie(ctx, None)
        self._has_cookie = self._is_cookie_bad = False

    def _set_cookie(self, ctx: Context, text: str | None, *, max_age: float | None = None) -> None:
        """Set the cookie or delete it; the answer is this browser's own from now on."""
        options = self._options
        ctx.cookies.set(options.key, text, max_age=max_age, sticky=True, **options.attributes)
        ctx.set("Cache-Control", as_private(ctx.response.get("Cache-Control")), sticky=True)

    # ---- ending -----------------------------------------------------------------------------

    async def regenerate(self, ctx: Context) -> None:
        """Go on under a new id; without auto_commit it is saved here."""
        if ctx.header_sent:
            raise RuntimeError(LATE)
        self._retire(ctx)
        await self._forget()
        self._must_save = True
        if not self._options.auto_commit:
            await self.save(ctx)

    def _retire(self, ctx: Context) -> None:
        if self._stored_id is not None:
            self._obsolete = (*self._obsolete, self._stored_id)
            self._stored_id = None
        self._renew_id(ctx)

    async def _forget(self) -> None:
        store = self._options.store
        obsolete, self._obsolete = self._obsolete, ()
        for key in obsolete:
            if store is not None:
                await store.destroy(key)


def _signer(cookies: Cookies, name: str, text: str) -> int:
    """Return which key has signed the cookie: 0 for the newest one, -1 for none."""
    signature = cookies.get(f"{name}.sig", signed=False)
    if signature is None or cookies.keys is None:
        return -1
    return cookies.keys.index(f"{name}={text}", signature)
