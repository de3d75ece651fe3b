"""How one request loads its session, and saves it once, before the head leaves."""

import inspect
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ohia import Context, Cookies
from ohia.http.cache_control import as_private, is_shared
from ohia.middleware.session import wire
from ohia.middleware.session.model import Session
from ohia.middleware.session.options import Options, Record, SessionStore, lifetime

__all__ = ["Keeper"]

GRACE = 10  # seconds that a store keeps a session beyond its cookie, as koa-session does
LATE = "the headers have left: the browser cannot be told of this session any more"
LOST = (
    "the session was changed after the headers had left, and that was not saved: change it "
    "earlier, or save it in a store by `await ctx.session.save()`"
)
CSRF = "csrf"  # the secret that csrf() keeps in a session: a new id means a new one


class Keeper:
    """The session of one request. It does not keep alive its ctx, which holds it."""

    # Most requests never look at their session: what they need not have is the class's.
    id: str | None = None
    _session: Session | None = None
    _is_watching: bool = False
    _is_commit_due: bool = False
    _has_failed: bool = False
    _frozen: bytes | None = None  # the values as the client or the store has them
    _expires: float | None = None  # milliseconds since 1970
    _stored_id: str | None = None
    _obsolete: tuple[str, ...] = ()
    _has_cookie: bool = False
    _must_delete: bool = False  # the cookie, unless the session is saved
    _must_save: bool = False
    _must_sign_anew: bool = False
    _is_refreshed: bool = False

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
            self._destroy(ctx)
            return
        if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError(f"ctx.session can only be set to a mapping or None, got {values!r}")
        self._session = Session(ctx, self, values, is_new=self._frozen is None)

    def _destroy(self, ctx: Context) -> None:
        self._retire(ctx)
        self._session = self._frozen = None
        self._must_delete = self._has_cookie
        if not self._options.auto_commit and not ctx.header_sent:
            ctx.before_send(self._end)  # who logs out is out

    def _watch(self, ctx: Context) -> None:
        """Note that somebody looks: the answer depends on the cookie from now on."""
        if not self._is_watching:
            if self._session is None:
                self._load_cookie(ctx)
            self._is_watching = True
            ctx.on_finished(self._finish)
            if not ctx.header_sent:
                ctx.vary("Cookie", sticky=True)
        # A hook of before_send() may look when all was saved: then that is done again behind it.
        is_settled = self._is_commit_due or self._has_failed or ctx.header_sent
        if self._options.auto_commit and not is_settled:
            self._is_commit_due = True
            ctx.before_send(self._commit_by_itself)

    def change_max_age(self, max_age: float | timedelta | None) -> None:
        """Let the session last `max_age` seconds, from the next save on, which is due."""
        self.max_age = lifetime(max_age)
        self._must_save = True

    # ---- loading ----------------------------------------------------------------------------

    async def load(self, ctx: Context) -> None:
        """Load the session before anybody looks, as that takes awaiting."""
        key = None
        if self._options.store is None:
            record = self._decoded(ctx)
        else:
            key = self._read(ctx)
            record = await self._stored(ctx, self._options.store, key)
        if record is None:
            return
        if await self._is_valid(ctx, record):
            self._adopt(ctx, record, key)
        else:
            self._refuse(ctx, "invalid", key, record)

    def _load_cookie(self, ctx: Context) -> None:
        record = self._decoded(ctx)
        if record is not None:
            self._adopt(ctx, record)

    def _decoded(self, ctx: Context) -> Record | None:
        """Return what the cookie holds; None, and a fresh session, if that is of no use."""
        text = None if self._options.store is not None else self._read(ctx)
        if text is None:
            self._begin(ctx)
            return None
        try:
            record = self._options.decode(text)
        except Exception:  # noqa: BLE001 - a client's cookie is no error of ours, whatever decode() says
            self._refuse(ctx, "invalid")
            return None
        if inspect.isawaitable(record):
            raise TypeError("decode is a plain function, got an awaitable from it")
        return self._checked(ctx, record)

    async def _stored(self, ctx: Context, store: SessionStore, key: str | None) -> Record | None:
        """Return what the store has; None, and a fresh session, if that is of no use."""
        if key is None or not key.startswith(self._options.prefix):
            self._begin(ctx)
            return None
        record = await store.get(key)
        if record is None:
            self._refuse(ctx, "missed", key)
            return None
        return self._checked(ctx, record, key)

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
        self._must_delete = place < 0
        self._must_sign_anew = place > 0
        return None if place < 0 else text

    def _checked(self, ctx: Context, record: Record, key: str | None = None) -> Record | None:
        if not isinstance(record, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - a decode() may err
            self._refuse(ctx, "invalid", key)
        elif wire.has_expired(record):
            self._refuse(ctx, "expired", key, record)
        else:
            return record
        return None

    async def _is_valid(self, ctx: Context, record: Record) -> bool:
        if self._options.valid is None:
            return True
        answer = self._options.valid(ctx, record)
        return bool(await answer if inspect.isawaitable(answer) else answer)

    def _adopt(self, ctx: Context, record: Record, key: str | None = None) -> None:
        self.id = self._stored_id = key
        self.max_age = wire.max_age_of(record, self.max_age)
        self._expires = record.get("_expire")
        values = wire.values_of(record)
        self._frozen = wire.freeze(values)
        self._session = Session(ctx, self, values, is_new=False)

    def _refuse(
        self, ctx: Context, why: str, key: str | None = None, record: Record | None = None
    ) -> None:
        # The id of a `key` was good once: an answer that gives the browser another one may be on
        # its way (regenerate()), and must not be undone by this one.
        self._must_delete = key is None
        self._begin(ctx)
        ctx.app.emit(f"session:{why}", ctx, key, record)

    def _begin(self, ctx: Context) -> None:
        self._session = Session(ctx, self, {}, is_new=True)
        self._renew_id(ctx)

    def _renew_id(self, ctx: Context) -> None:
        if self._options.store is None:
            return
        key = self._options.genid(ctx)
        if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError(f"genid must return text, got {key!r}")
        self.id = key

    # ---- saving -----------------------------------------------------------------------------

    async def _commit_by_itself(self, ctx: Context) -> None:
        ctx.vary("Cookie", sticky=True)  # again: a handler may have set a Vary of its own
        self._has_failed = True  # what fails here is told by who called
        try:
            await self.commit(ctx)
        finally:
            self._is_commit_due = False
        self._has_failed = False

    async def commit(self, ctx: Context) -> None:
        """Save the session if that is due, or remove what was destroyed."""
        await self._forget()
        if self._session is not None and self._is_due(ctx, self._session):
            await self.save(ctx)
        elif self._must_delete:
            self._delete_cookie(ctx)

    def _is_due(self, ctx: Context, session: Session) -> bool:
        if self._is_changed(session):
            return True
        if self._frozen is None:
            return False
        # A mere refresh must not be in an answer that shared caches keep.
        return self._is_refresh_due() and not is_shared(ctx.response.get("Cache-Control"))

    def _is_changed(self, session: Session) -> bool:
        if self._must_save:
            return True
        if self._frozen is None:
            return session.populated
        return wire.freeze(session.to_dict()) != self._frozen

    def _is_refresh_due(self) -> bool:
        options = self._options
        if (options.rolling and not self._is_refreshed) or self._must_sign_anew:
            return True
        return options.renew and wire.is_half_over(self._expires, self.max_age)

    async def save(self, ctx: Context) -> None:
        """Save the session, whether it changed or not."""
        session = self._living()
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
        self._must_save = self._must_sign_anew = self._must_delete = False
        self._is_refreshed = True

    async def _store(self, ctx: Context, store: SessionStore, record: Record) -> None:
        """Keep `record`, unless another request has destroyed the session meanwhile."""
        key = self.id
        if key is None:
            raise RuntimeError("a session in a store has an id")
        time = None if self.max_age is None else self.max_age + GRACE
        if key != self._stored_id:
            if ctx.header_sent:
                raise RuntimeError(LATE)
            await store.set(key, record, time)
        elif not await store.replace(key, record, time):
            ctx.app.emit("session:missed", ctx, key, record)
            return
        self._stored_id = key
        if not ctx.header_sent:
            self._send(ctx, key)

    def _send(self, ctx: Context, text: str) -> None:
        options = self._options
        if ctx.header_sent:
            raise RuntimeError(LATE)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError(f"encode must return text, got {text!r}")
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
        self._has_cookie = self._must_delete = False

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
        self._living().pop(CSRF, None)
        self._retire(ctx)
        await self._forget()
        self._must_save = True
        if not self._options.auto_commit:
            await self.save(ctx)

    def _living(self) -> Session:
        if self._session is None:
            raise RuntimeError("this session was destroyed: ctx.session was set to None")
        return self._session

    def _retire(self, ctx: Context) -> None:
        if self._stored_id is not None:
            self._obsolete = (*self._obsolete, self._stored_id)
            self._stored_id = None
        self._renew_id(ctx)

    async def _end(self, ctx: Context) -> None:
        """Remove what was destroyed, and has not been saved anew since."""
        await self._forget()
        if self._must_delete:
            self._delete_cookie(ctx)

    async def _forget(self) -> None:
        store = self._options.store
        obsolete, self._obsolete = self._obsolete, ()
        for key in obsolete:
            if store is not None:
                await store.destroy(key)

    async def _finish(self, _: BaseException | None, ctx: Context) -> None:
        """Forget what was destroyed under a socket; raise if the rest of its changes is lost."""
        await self._forget()
        if self._has_failed or not ctx.header_sent:
            return
        if self._session is None:
            if self._must_delete and self._options.store is None:
                raise RuntimeError(LATE)
        elif self._options.auto_commit and self._is_changed(self._session):
            raise RuntimeError(LOST)


def _signer(cookies: Cookies, name: str, text: str) -> int:
    """Return which key has signed the cookie: 0 for the newest one, -1 for none."""
    signature = cookies.get(f"{name}.sig", signed=False)
    if signature is None or cookies.keys is None:
        return -1
    return cookies.keys.index(f"{name}={text}", signature)
