"""`session()`: what is remembered of a browser between requests."""

import asyncio
import weakref
from collections.abc import Callable, Mapping
from datetime import timedelta
from math import inf, nan
from time import time
from typing import Any

import pytest

from ohia import Context, Keygrip, Next, Ohia
from ohia.middleware.mount import mount
from ohia.middleware.session import MemoryStore, session
from ohia.middleware.session.wire import decode, encode
from ohia.testing import Client, Response, UpgradeRefused

Handler = Callable[[Context], Any]
BOTH = pytest.mark.parametrize("store", [None, MemoryStore()], ids=["cookie", "store"])


def app_of(*handlers: Any, keys: Any = ("a secret",), **options: Any) -> Ohia:
    app: Ohia = Ohia(env="test", keys=keys)
    app.use(session(**options), *handlers)
    return app


async def count(ctx: Context) -> None:
    ctx.session["views"] = ctx.session.get("views", 0) + 1
    ctx.body = ctx.session.to_dict()


def cookie_lines(response: Response) -> list[str]:
    return [line for line in response.headers.get_all("Set-Cookie") if ".sig=" not in line]


def signed(text: str, name: str = "koa.sess", keys: Any = ("a secret",)) -> dict[str, str]:
    return {name: text, f"{name}.sig": Keygrip(keys).sign(f"{name}={text}")}


class CountingStore(MemoryStore):
    """A store that notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.ttls: list[float | None] = []

    async def get(self, key: str) -> dict[str, Any] | None:
        self.calls.append("get")
        return await super().get(key)

    async def set(self, key: str, record: Mapping[str, Any], ttl: float | None) -> None:
        self.calls.append("set")
        self.ttls.append(ttl)
        await super().set(key, record, ttl)

    async def replace(self, key: str, record: Mapping[str, Any], ttl: float | None) -> bool:
        self.calls.append("replace")
        self.ttls.append(ttl)
        return await super().replace(key, record, ttl)

    async def destroy(self, key: str) -> None:
        self.calls.append("destroy")
        await super().destroy(key)


# ---- reading and saving ---------------------------------------------------------------------


@BOTH
async def test_what_one_request_puts_in_the_next_one_finds(store: Any) -> None:
    async with Client(app_of(count, store=store)) as client:
        bodies = [(await client.get("/")).json() for _ in range(3)]
    assert bodies == [{"views": 1}, {"views": 2}, {"views": 3}]


@BOTH
async def test_who_never_looks_pays_no_header(store: Any) -> None:
    def handler(ctx: Context) -> None:
        ctx.body = "plain"

    async with Client(app_of(handler, store=store), headers={"Cookie": "koa.sess=x"}) as client:
        response = await client.get("/")
    assert "vary" not in response.headers
    assert "set-cookie" not in response.headers


@BOTH
async def test_who_only_reads_varies_by_cookie_and_sets_none(store: Any) -> None:
    def handler(ctx: Context) -> None:
        if ctx.path == "/write":
            ctx.session["user"] = "tobi"
        ctx.body = ctx.session.get("user", "nobody")

    async with Client(app_of(handler, store=store)) as client:
        fresh = await client.get("/")
        await client.get("/write")
        known = await client.get("/")
    for response in (fresh, known):
        assert response.headers["vary"] == "Cookie"
        assert "set-cookie" not in response.headers
    assert (fresh.text, known.text) == ("nobody", "tobi")


@BOTH
async def test_a_change_deep_inside_is_saved(store: Any) -> None:
    def handler(ctx: Context) -> None:
        ctx.session.setdefault("cart", {"items": []})["items"].append(ctx.path)
        ctx.body = ctx.session.to_dict()

    async with Client(app_of(handler, store=store)) as client:
        await client.get("/a")
        assert (await client.get("/b")).json() == {"cart": {"items": ["/a", "/b"]}}


async def test_it_is_saved_once() -> None:
    store = CountingStore()

    async def handler(ctx: Context) -> None:
        ctx.session["a"] = 1
        await ctx.session.save()
        ctx.body = "saved"

    async with Client(app_of(handler, store=store)) as client:
        response = await client.get("/")
    assert store.calls == ["set"]
    assert len(cookie_lines(response)) == 1


async def test_what_changed_after_a_save_is_saved_too_in_one_cookie() -> None:
    async def handler(ctx: Context) -> None:
        ctx.session["a"] = 1
        await ctx.session.save()
        ctx.session["a"] = 2

    async with Client(app_of(handler)) as client:
        [line] = cookie_lines(await client.get("/"))
    assert decode(line.partition("=")[2].partition(";")[0])["a"] == 2


@BOTH
async def test_it_is_saved_on_errors_too(store: Any) -> None:
    def handler(ctx: Context) -> None:
        if ctx.path == "/fail":
            ctx.session["failed"] = True
            ctx.throw(400, "no")
        ctx.body = ctx.session.to_dict()

    async with Client(app_of(handler, store=store)) as client:
        failed = await client.get("/fail")
        assert (failed.status, failed.headers["vary"]) == (400, "Cookie")
        assert (await client.get("/")).json() == {"failed": True}


async def test_a_cookie_outlives_an_error_of_a_later_hook() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.before_send(lambda ctx: ctx.throw(500))
        await next()

    app: Ohia = Ohia(env="test", keys=["a secret"])
    app.use(upstream, session(), count)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert response.status == 500
    assert len(cookie_lines(response)) == 1
    assert response.headers["cache-control"] == "private"


async def test_an_empty_new_session_is_not_saved() -> None:
    def handler(ctx: Context) -> None:
        ctx.session["a"] = 1
        del ctx.session["a"]
        ctx.body = [ctx.session.is_new, ctx.session.populated, len(ctx.session)]

    async with Client(app_of(handler)) as client:
        response = await client.get("/")
    assert response.json() == [True, False, 0]
    assert "set-cookie" not in response.headers


async def test_save_saves_an_empty_one() -> None:
    async with Client(app_of(lambda ctx: ctx.session.save())) as client:
        assert len(cookie_lines(await client.get("/"))) == 1


@BOTH
async def test_setting_it_replaces_what_was_there(store: Any) -> None:
    def handler(ctx: Context) -> None:
        if ctx.path == "/set":
            ctx.session = {"b": 2}
        else:
            ctx.session["a"] = 1
        ctx.body = ctx.session.to_dict()

    async with Client(app_of(handler, store=store)) as client:
        await client.get("/")
        await client.get("/set")
        assert (await client.get("/")).json() == {"b": 2, "a": 1}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda session: session.__setitem__("_expire", 1), ValueError),
        (lambda session: session.__setitem__(1, 1), TypeError),
        (lambda session: setattr(session, "user", 1), AttributeError),
    ],
)
async def test_names_that_could_not_be_saved_raise(
    wrong: Callable[[Any], None], error: type[Exception]
) -> None:
    async with Client(app_of(lambda ctx: wrong(ctx.session))) as client:
        with pytest.raises(error):
            await client.get("/")


async def test_it_can_only_be_set_to_a_mapping_or_none() -> None:
    def handler(ctx: Context) -> None:
        ctx.session = "user"  # type: ignore[assignment]

    async with Client(app_of(handler)) as client:
        with pytest.raises(TypeError, match="a mapping or None"):
            await client.get("/")


async def test_a_value_that_is_no_json_is_told() -> None:
    def handler(ctx: Context) -> None:
        ctx.session["user"] = object()

    async with Client(app_of(handler)) as client:
        with pytest.raises(TypeError, match="cannot be saved as JSON"):
            await client.get("/")


# ---- destroying and regenerating ------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("way", ["none", "del"])
async def test_none_destroys_it(store: Any, way: str) -> None:
    def handler(ctx: Context) -> None:
        if ctx.path == "/in":
            ctx.session["user"] = "tobi"
        elif ctx.path == "/out" and way == "none":
            ctx.session = None
            assert ctx.session is None
        elif ctx.path == "/out":
            del ctx.session
        else:
            ctx.body = ctx.session.to_dict()

    async with Client(app_of(handler, store=store)) as client:
        await client.get("/in")
        kept = dict(client.cookies)
        gone = await client.get("/out")
        assert "expires=Thu, 01 Jan 1970" in cookie_lines(gone)[0]
        assert dict(client.cookies) == {}
        again = await client.get("/", cookies=kept)
        assert again.json() == ({} if store is not None else {"user": "tobi"})


async def test_destroying_what_nobody_has_sets_nothing() -> None:
    def handler(ctx: Context) -> None:
        ctx.session = None

    async with Client(app_of(handler)) as client:
        assert "set-cookie" not in (await client.get("/")).headers


async def test_what_is_put_there_after_destroying_begins_under_another_id() -> None:
    store = CountingStore()

    def handler(ctx: Context) -> None:
        if ctx.path == "/again":
            ctx.session = None
            ctx.session = {"b": 1}
        else:
            ctx.session["a"] = 1
        ctx.body = ctx.session.id

    async with Client(app_of(handler, store=store)) as client:
        first = (await client.get("/")).text
        second = (await client.get("/again")).text
    assert first != second
    assert await store.get(first) is None
    assert len(store) == 1


async def test_saving_a_destroyed_one_is_an_error() -> None:
    async def handler(ctx: Context) -> None:
        kept = ctx.session
        ctx.session = None
        await kept.save()

    async with Client(app_of(handler)) as client:
        with pytest.raises(RuntimeError, match="was destroyed"):
            await client.get("/")


async def login(ctx: Context) -> None:
    if ctx.path == "/login":
        ctx.session["user"] = "tobi"
        await ctx.session.regenerate()
    elif ctx.path == "/visit":
        ctx.session["seen"] = True
    ctx.body = {"id": ctx.session.id, **ctx.session}


async def test_regenerate_gives_another_id_and_forgets_the_old_one() -> None:  # 32, S34
    store = CountingStore()
    async with Client(app_of(login, store=store)) as client:
        before = (await client.get("/visit")).json()["id"]
        planted = dict(client.cookies)
        after = (await client.get("/login")).json()
        assert after["id"] != before
        assert (after["user"], after["seen"]) == ("tobi", True)
        assert (await client.get("/")).json() == after
        assert store.calls.count("set") == 2
        client.cookies.clear()
        assert "user" not in (await client.get("/", cookies=planted)).json()


async def test_unknown_ids_are_never_adopted() -> None:  # 32, S34
    async with Client(app_of(login, store=MemoryStore())) as client:
        response = await client.get("/login", cookies=signed("chosen-by-somebody"))
    assert response.json()["id"] != "chosen-by-somebody"
    assert response.cookies["koa.sess"] == response.json()["id"]


async def test_unsigned_ids_are_not_even_looked_up() -> None:
    store = CountingStore()
    async with Client(app_of(login, store=store)) as client:
        await client.get("/", cookies={"koa.sess": "x", "koa.sess.sig": "y"})
    assert store.calls == []


async def test_ids_without_the_prefix_are_not_looked_up() -> None:
    store = CountingStore()
    async with Client(app_of(login, store=store, prefix="s:", signed=False, keys=None)) as client:
        await client.get("/", cookies={"koa.sess": "other:key"})
        assert store.calls == []
        assert (await client.get("/visit")).json()["id"].startswith("s:")


async def test_a_session_destroyed_meanwhile_does_not_come_back() -> None:
    store = CountingStore()

    async def handler(ctx: Context) -> None:
        if ctx.path == "/slow":
            await store.destroy(str(ctx.session.id))  # as the logout of another tab does
            ctx.session["late"] = 1
        await count(ctx)

    async with Client(app_of(handler, store=store)) as client:
        await client.get("/")
        response = await client.get("/slow")
    assert len(store) == 0
    assert "set-cookie" not in response.headers


class PausingStore(MemoryStore):
    """A store that is as slow as a test wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_replace = asyncio.Event()
        self.may_replace = asyncio.Event()

    async def replace(self, key: str, record: Mapping[str, Any], ttl: float | None) -> bool:
        self.is_at_replace.set()
        await self.may_replace.wait()
        return await super().replace(key, record, ttl)


@pytest.mark.parametrize("way", ["/logout", "/login"])
async def test_one_that_ends_while_another_request_saves_it_does_not_come_back(way: str) -> None:
    store = PausingStore()
    missed: list[str] = []

    async def handler(ctx: Context) -> None:
        if ctx.path == "/logout":
            ctx.session = None
        elif ctx.path == "/slow":
            ctx.session["late"] = 1
        else:
            await login(ctx)

    app = app_of(handler, store=store)
    app.on("session:missed", lambda ctx, key: missed.append(key))
    async with Client(app) as client:
        await client.get("/visit")
        old = dict(client.cookies)
        slow = asyncio.create_task(client.get("/slow", cookies=old))
        await store.is_at_replace.wait()
        await client.get(way)
        store.may_replace.set()
        assert "set-cookie" not in (await slow).headers
        assert await store.get(old["koa.sess"]) is None
        assert (len(store), missed) == (len(client.cookies) // 2, [old["koa.sess"]])


async def test_an_old_id_takes_no_cookie_away_that_another_answer_has_given() -> None:
    store = MemoryStore()
    await store.set("old", {"_expire": 1}, 60)
    async with Client(app_of(lambda ctx: ctx.session, store=store)) as client:
        for key in ("gone", "old"):
            assert "set-cookie" not in (await client.get("/", cookies=signed(key))).headers


@pytest.mark.parametrize("missing", ["get", "set", "replace", "destroy"])
def test_what_is_no_store_is_told_at_once(missing: str) -> None:
    names = {"get", "set", "replace", "destroy"} - {missing}
    store: Any = type("Store", (), dict.fromkeys(names, MemoryStore.destroy))()
    with pytest.raises(TypeError, match=rf"lacks {missing}\(\)"):
        session(store=store)


def test_the_class_of_a_store_is_no_store() -> None:
    store: Any = MemoryStore
    with pytest.raises(TypeError, match=r"pass an instance of it, MemoryStore\(\.\.\.\)"):
        session(store=store)


# ---- time -----------------------------------------------------------------------------------


async def test_rolling_sends_the_cookie_whenever_it_was_looked_at() -> None:
    def handler(ctx: Context) -> None:
        if ctx.path != "/static":
            ctx.body = ctx.session.setdefault("user", "tobi")

    async with Client(app_of(handler, rolling=True)) as client:
        lines = [cookie_lines(await client.get(path)) for path in ("/", "/", "/static")]
    assert [len(each) for each in lines] == [1, 1, 0]


@pytest.mark.parametrize(("left", "renewed"), [(0.4, True), (0.6, False)])
async def test_renew_sends_it_when_less_than_half_of_its_time_is_left(
    left: float, renewed: bool
) -> None:
    record = {"user": "tobi", "_maxAge": 1_000_000, "_expire": milliseconds_from_now(1000 * left)}
    async with Client(app_of(lambda ctx: ctx.session, renew=True)) as client:
        response = await client.get("/", cookies=signed(encode(record)))
    assert bool(cookie_lines(response)) is renewed


def milliseconds_from_now(seconds: float) -> int:
    return round(1000 * (time() + seconds))


async def test_max_age_is_in_seconds_and_in_milliseconds_on_the_wire() -> None:
    store = CountingStore()

    def handler(ctx: Context) -> None:
        if ctx.path == "/longer":
            ctx.session.max_age = 7200
        ctx.body = [ctx.session.setdefault("user", "tobi"), ctx.session.max_age]

    async with Client(app_of(handler, store=store, max_age=60)) as client:
        assert (await client.get("/")).json() == ["tobi", 60]
        await client.get("/longer")
        assert (await client.get("/")).json() == ["tobi", 7200]
        record = await store.get(client.cookies["koa.sess"])
    assert record is not None
    assert record["_maxAge"] == 7_200_000
    assert store.ttls == [70, 7210]  # the store keeps it a little longer than the browser


async def test_without_a_max_age_it_lasts_until_the_browser_is_closed() -> None:
    store = CountingStore()
    async with Client(app_of(count, store=store, max_age=None)) as client:
        [line] = cookie_lines(await client.get("/"))
        record = await store.get(client.cookies["koa.sess"])
        assert (await client.get("/")).json() == {"views": 2}
    assert "expires" not in line
    assert record == {"views": 1, "_session": True}
    assert store.ttls == [None, None]


@pytest.mark.parametrize("max_age", [0, -1, timedelta(0), inf, nan], ids=str)
async def test_a_time_that_is_none_is_told(max_age: Any) -> None:
    with pytest.raises(ValueError, match="max_age must be above 0"):
        session(max_age=max_age)
    async with Client(app_of(lambda ctx: setattr(ctx.session, "max_age", max_age))) as client:
        with pytest.raises(ValueError, match="max_age must be above 0"):
            await client.get("/")


# ---- cookies that are wrong -----------------------------------------------------------------

WRONG = {
    "base64": "%%%",
    "no base64": "a",
    "no JSON": "bm90IGpzb24=",
    "a JSON bomb": encode({"a": 1})[:4] + "W1tb" * 50_000,
    "deep": "W1tb" * 33_334,
    "a list": "WzFd",
    "null": "bnVsbA==",
    "a number": "MQ==",
    "not UTF-8": "/////w==",
    "expired": encode({"views": 5, "_expire": 1}),
    "no time": encode({"views": 5, "_expire": "soon"}),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
async def test_a_broken_cookie_gives_a_fresh_session(text: str) -> None:  # 33, S35
    async with Client(app_of(count)) as client:
        response = await client.get("/", cookies=signed(text))
    assert (response.status, response.json()) == (200, {"views": 1})


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
async def test_a_broken_cookie_is_deleted_by_who_looks(text: str) -> None:  # S35
    async with Client(app_of(lambda ctx: ctx.session)) as client:
        [line] = cookie_lines(await client.get("/", cookies=signed(text)))
    assert line.startswith("koa.sess=; ")


async def test_whatever_a_decode_of_ones_own_raises_gives_a_fresh_session() -> None:
    def decode(text: str) -> dict[str, Any]:
        raise KeyError(text)

    async with Client(app_of(count, decode=decode)) as client:
        assert (await client.get("/", cookies=signed("x"))).json() == {"views": 1}


async def test_keys_rotate() -> None:  # 30
    good = encode({"views": 5})
    new = ("new", "a secret")
    async with Client(app_of(count, keys=new)) as client:
        response = await client.get("/", cookies=signed(good))
    assert response.json() == {"views": 6}


@BOTH
async def test_what_an_old_key_has_signed_is_signed_anew(store: Any) -> None:  # 30
    store = None if store is None else CountingStore()
    text = encode({"views": 5})
    if store is not None:
        await store.set("id", {"views": 5}, 60)
        text = "id"
    app = app_of(lambda ctx: ctx.session, keys=("new", "a secret"), store=store, path="/a")
    async with Client(app) as client:
        response = await client.get("/a", cookies=signed(text))
    cookies = response.cookies
    signature = Keygrip(["new"]).sign(f"koa.sess={cookies['koa.sess']}")
    assert cookies["koa.sess.sig"] == signature
    assert all("path=/a" in line for line in response.headers.get_all("Set-Cookie"))


@pytest.mark.parametrize(
    "cookies",
    [
        signed(encode({"views": 5}), keys=["removed"]),
        {"koa.sess": encode({"views": 5}), "koa.sess.sig": ""},
        {"koa.sess": encode({"views": 5})},
        {  # the signature of another cookie, of the same value
            "koa.sess": encode({"views": 5}),
            "koa.sess.sig": Keygrip(["a secret"]).sign(f"other={encode({'views': 5})}"),
        },
        {**signed(encode({"views": 5})), "koa.sess": encode({"views": 6})},
    ],
    ids=["removed key", "empty", "none", "swapped", "changed"],
)
async def test_what_none_of_the_keys_has_signed_is_refused(cookies: dict[str, str]) -> None:  # 30
    async with Client(app_of(count)) as client:
        assert (await client.get("/", cookies=cookies)).json() == {"views": 1}


async def test_without_keys_it_refuses_to_run() -> None:  # 30
    with pytest.raises(ValueError, match="Keys must be provided"):
        app_of(count, keys=[])
    async with Client(app_of(count, keys=None)) as client:
        with pytest.raises(RuntimeError, match="give the app keys, or signed=False"):
            await client.get("/")


async def test_signed_false_needs_no_keys() -> None:
    async with Client(app_of(count, keys=None, signed=False)) as client:
        await client.get("/")
        assert (await client.get("/")).json() == {"views": 2}
        assert list(client.cookies) == ["koa.sess"]


async def test_sha256_keys_work() -> None:  # 31: Keygrip compares in constant time
    async with Client(app_of(count, keys=Keygrip(["a", "b"], "sha256"))) as client:
        await client.get("/")
        assert (await client.get("/")).json() == {"views": 2}
        assert len(client.cookies["koa.sess.sig"]) == 43


async def test_more_than_a_cookie_holds_is_told() -> None:  # 34
    def handler(ctx: Context) -> None:
        ctx.session["text"] = "x" * int(ctx.path[1:])

    async with Client(app_of(handler, path="/")) as client:
        [line] = cookie_lines(await client.get("/2800"))
        assert len(line) <= 4096
        with pytest.raises(ValueError, match="give session\\(\\) a store"):
            await client.get("/3100")
        kept = client.cookies["koa.sess"]
    assert len(decode(kept)["text"]) == 2800


async def test_attributes_no_cookie_can_have_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="option domain is invalid"):
        session(domain="a_b;")


async def test_the_cookie_has_its_attributes() -> None:
    app = app_of(
        count, key="sid", domain="testserver", path="/a", same_site="strict", priority="high"
    )
    async with Client(app) as client:
        [line] = cookie_lines(await client.get("/a"))
    assert line.startswith("sid=")
    assert line.partition("expires=")[0].endswith("; path=/a; ")
    assert line.endswith("; domain=testserver; priority=high; samesite=strict; httponly")


class BrokenStore(MemoryStore):
    """A store that cannot be reached."""

    async def set(self, key: str, record: Mapping[str, Any], ttl: float | None) -> None:
        raise ConnectionError("no route to the store")


async def test_a_store_that_fails_is_a_500_told_once() -> None:
    errors: list[BaseException] = []
    app = app_of(count, store=BrokenStore())
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (500, "Internal Server Error")
    assert "set-cookie" not in response.headers
    assert [str(each) for each in errors] == ["no route to the store"]


async def test_an_error_page_may_look_at_what_could_not_be_saved() -> None:
    def page(error: BaseException, ctx: Context) -> None:
        ctx.body = f"sorry, {ctx.session['views']}"

    errors: list[BaseException] = []
    app = app_of(count, store=BrokenStore())
    app.context.error_page = staticmethod(page)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text, len(errors)) == (500, "sorry, 1", 1)


# ---- caches ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("set_by_handler", "sent"),
    [
        (None, "private"),
        ("public, max-age=60", "private, max-age=60"),
        ("s-maxage=60", "private"),
        ("no-store", "no-store"),
        ("no-cache", "private, no-cache"),
    ],
)
async def test_an_answer_that_sets_the_cookie_is_nobody_elses(  # 29
    set_by_handler: str | None, sent: str
) -> None:
    def handler(ctx: Context) -> None:
        ctx.session["a"] = 1
        if set_by_handler:
            ctx.set("Cache-Control", set_by_handler)

    async with Client(app_of(handler)) as client:
        response = await client.get("/")
    assert (response.headers["cache-control"], response.headers["vary"]) == (sent, "Cookie")


async def test_a_vary_of_the_handlers_own_takes_nothing_away() -> None:  # 29
    def handler(ctx: Context) -> None:
        ctx.body = ctx.session.get("user", "nobody")
        ctx.set("Vary", "Accept")

    async with Client(app_of(handler)) as client:
        assert (await client.get("/")).headers["vary"] == "Accept, Cookie"


@pytest.mark.parametrize("options", [{"rolling": True}, {"renew": True}], ids=str)
async def test_no_mere_refresh_in_an_answer_for_shared_caches(  # 29
    options: dict[str, Any],
) -> None:
    def handler(ctx: Context) -> None:
        ctx.set("Cache-Control", "public, max-age=60")
        ctx.body = ctx.session.to_dict()

    record = {"user": "tobi", "_expire": milliseconds_from_now(1), "_maxAge": 86_400_000}
    async with Client(app_of(handler, **options)) as client:
        response = await client.get("/", cookies=signed(encode(record)))
    assert response.json() == {"user": "tobi"}
    assert "set-cookie" not in response.headers
    assert response.headers["cache-control"] == "public, max-age=60"
    assert response.headers["vary"] == "Cookie"


# ---- hooks ----------------------------------------------------------------------------------


async def test_valid_may_refuse_what_was_loaded_and_events_tell() -> None:
    events: list[Any] = []
    app = app_of(count, valid=lambda ctx, record: record["views"] < 2)
    app.on("session:invalid", lambda ctx, key, record: events.append(record["views"]))
    async with Client(app) as client:
        views = [(await client.get("/")).json()["views"] for _ in range(4)]
    assert (views, events) == ([1, 2, 1, 2], [2])


@BOTH
async def test_valid_may_be_async(store: Any) -> None:
    async def valid(ctx: Context, record: Mapping[str, Any]) -> bool:
        await asyncio.sleep(0)
        return bool(record["views"] < 2)

    async with Client(app_of(count, store=store, valid=valid)) as client:
        views = [(await client.get("/")).json()["views"] for _ in range(4)]
    assert views == [1, 2, 1, 2]


async def never(*_: Any) -> Any:
    """Be async where that cannot be."""


@pytest.mark.parametrize("name", ["genid", "encode", "decode"])
def test_functions_that_must_be_plain_are_told_at_once(name: str) -> None:
    options: dict[str, Any] = {name: never}
    with pytest.raises(TypeError, match=f"{name} is a plain function"):
        session(**options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"store": MemoryStore(), "genid": lambda ctx: Later()}, "genid must return text"),
        ({"encode": lambda record: Later()}, "encode must return text"),
        ({"decode": lambda text: Later()}, "decode is a plain function"),
    ],
)
async def test_plain_functions_that_return_an_awaitable_are_told(
    options: dict[str, Any], told: str
) -> None:
    async with Client(app_of(count, **options)) as client:
        with pytest.raises(TypeError, match=told):
            await client.get("/", cookies=signed("x"))


class Later:
    """What has to be awaited."""

    def __await__(self) -> Any:
        yield


async def test_events_tell_of_missed_and_expired_ones() -> None:
    events: list[Any] = []
    store = MemoryStore()
    app = app_of(count, store=store)
    app.on("session:missed", lambda ctx, key: events.append(("missed", key)))
    app.on("session:expired", lambda ctx, key: events.append(("expired", key)))
    await store.set("old", {"_expire": 1}, 60)
    async with Client(app) as client:
        await client.get("/", cookies=signed("gone"))
        client.cookies.clear()
        await client.get("/", cookies=signed("old"))
    assert events == [("missed", "gone"), ("expired", "old")]


@pytest.mark.parametrize("is_async", [False, True])
async def test_before_save_has_the_last_word(is_async: bool) -> None:
    def plain(ctx: Context, session: Any) -> None:
        session["by"] = ctx.path

    async def coroutine(ctx: Context, session: Any) -> None:
        plain(ctx, session)

    hook = coroutine if is_async else plain
    async with Client(app_of(count, before_save=hook)) as client:
        await client.get("/a")
        assert (await client.get("/")).json() == {"views": 2, "by": "/a"}


async def test_encode_and_decode_may_be_ones_own() -> None:
    def encode(record: Mapping[str, Any]) -> str:
        return f"v{record['views']}"

    def decode(text: str) -> dict[str, Any]:
        return {"views": int(text[1:])}

    async with Client(app_of(count, encode=encode, decode=decode)) as client:
        await client.get("/")
        assert client.cookies["koa.sess"] == "v1"
        assert (await client.get("/")).json() == {"views": 2}


async def test_genid_makes_the_ids() -> None:
    app = app_of(count, store=MemoryStore(), genid=lambda ctx: f"id-of-{ctx.path[1:]}")
    async with Client(app) as client:
        await client.get("/a")
        assert client.cookies["koa.sess"] == "id-of-a"
        assert (await client.get("/")).json() == {"views": 2}


async def test_ids_are_long_and_never_the_same() -> None:
    async with Client(app_of(login, store=MemoryStore())) as client:
        ids: set[str] = set()
        for _ in range(50):
            client.cookies.clear()
            ids.add((await client.get("/visit")).json()["id"])
    assert len(ids) == 50
    assert {len(each) for each in ids} == {32}


@BOTH
async def test_without_auto_commit_it_is_saved_by_hand(store: Any) -> None:
    async def handler(ctx: Context) -> None:
        ctx.session["a"] = 1
        if ctx.path == "/commit":
            await ctx.session.manually_commit()
        if ctx.path == "/regenerate":
            await ctx.session.regenerate()

    async with Client(app_of(handler, store=store, auto_commit=False)) as client:
        lines = [
            cookie_lines(await client.get(path)) for path in ("/", "/commit", "/", "/regenerate")
        ]
    assert [len(each) for each in lines] == [0, 1, 0, 1]


@BOTH
async def test_without_auto_commit_who_logs_out_is_out(store: Any) -> None:
    store = None if store is None else MemoryStore()

    async def handler(ctx: Context) -> None:
        known = ctx.session
        if ctx.path == "/in":
            known["a"] = 1
            await known.manually_commit()
        else:
            ctx.session = None
            if ctx.path == "/by-hand":
                await known.manually_commit()

    async with Client(app_of(handler, store=store, auto_commit=False)) as client:
        for path in ("/out", "/by-hand"):
            await client.get("/in")
            assert len(client.cookies) == 2
            await client.get(path)
            assert dict(client.cookies) == {}
            assert store is None or len(store) == 0


@pytest.mark.parametrize("is_saved", [True, False])
async def test_without_auto_commit_what_begins_anew_is_saved_by_hand(is_saved: bool) -> None:
    store = MemoryStore()

    async def handler(ctx: Context) -> None:
        ctx.session = None
        ctx.session = {"b": 1}
        if ctx.path == "/" and is_saved:
            await ctx.session.manually_commit()

    async with Client(app_of(handler, store=store, auto_commit=False)) as client:
        await store.set("known", {"a": 1}, 60)
        client.cookies.update(signed("known"))
        await client.get("/")
        assert (len(store), len(client.cookies)) == ((1, 2) if is_saved else (0, 0))


# ---- hooks that look when it was saved ------------------------------------------------------


@BOTH
@pytest.mark.parametrize("path", ["/", "/fail"])
async def test_what_a_hook_changes_after_the_save_is_saved_too(store: Any, path: str) -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        def count_answers(ctx: Context) -> None:
            ctx.session["answers"] = ctx.session.get("answers", 0) + 1

        ctx.before_send(count_answers)
        await next()

    async def handler(ctx: Context) -> None:
        await count(ctx)
        if ctx.path == "/fail":
            ctx.throw(400)

    async with Client(app_of(upstream, handler, store=store, rolling=True)) as client:
        lines = cookie_lines(await client.get(path))
        assert len(lines) == 1
        assert (await client.get("/")).json() == {"views": 2, "answers": 1}


async def test_a_hook_that_only_reads_it_saves_nothing_again() -> None:
    store = CountingStore()

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.before_send(lambda ctx: ctx.set("X-User", ctx.session.get("user", "")))
        await next()

    app = app_of(upstream, count, store=store, rolling=True, before_save=lambda ctx, _: ctx.session)
    async with Client(app) as client:
        await client.get("/")
    assert store.calls == ["set"]


async def test_a_change_that_no_save_can_see_is_told() -> None:
    errors: list[BaseException] = []

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.before_send(lambda ctx: ctx.state.kept.append("late"))
        await next()

    def handler(ctx: Context) -> None:
        ctx.state.kept = ctx.session["list"] = []

    app = app_of(upstream, handler)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        assert (await client.get("/")).status == 404
    assert [str(each)[:23] for each in errors] == ["the session was changed"]


async def test_its_repr_shows_names_and_no_values() -> None:
    def handler(ctx: Context) -> None:
        ctx.session["token"] = "secret"
        ctx.body = repr(ctx.session)

    async with Client(app_of(handler)) as client:
        assert (await client.get("/")).text == "Session(token)"


async def test_an_empty_cookie_is_none() -> None:
    async with Client(app_of(count)) as client:
        assert (await client.get("/", cookies={"koa.sess": ""})).json() == {"views": 1}


async def test_without_an_end_there_is_nothing_to_renew() -> None:
    text = encode({"user": "tobi", "_session": True})
    async with Client(app_of(lambda ctx: ctx.session, renew=True)) as client:
        assert cookie_lines(await client.get("/", cookies=signed(text))) == []


# ---- the middleware in its chain ------------------------------------------------------------


async def test_without_it_ctx_has_no_session() -> None:
    seen: list[Any] = []

    async def before(ctx: Context, next: Next) -> None:
        seen.append(getattr(ctx, "session", "none"))
        await next()

    app: Ohia = Ohia(keys=["a secret"])
    app.use(before, session(), count)
    async with Client(app) as client:
        await client.get("/")
        await client.get("/")
    assert seen == ["none", "none"]


async def test_an_application_inside_another_has_a_session_of_its_own() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        ctx.session["outer"] = ctx.session.get("outer", 0) + 1
        await next()
        ctx.body = {**ctx.session, "inside": ctx.body}

    inner = app_of(count, keys=["another secret"], key="inner")
    outer: Ohia = Ohia(env="test", keys=["a secret"])
    outer.use(session(), upstream, mount("/inner", inner))
    async with Client(outer) as client:
        await client.get("/inner")
        assert (await client.get("/inner")).json() == {"outer": 2, "inside": {"views": 2}}
        signature = Keygrip(["another secret"]).sign(f"inner={client.cookies['inner']}")
        assert client.cookies["inner.sig"] == signature


async def test_applications_inside_one_another_never_see_each_others_session() -> None:
    seen: dict[str, Any] = {}

    def note(name: str) -> Callable[[Context], None]:
        return lambda ctx: seen.__setitem__(name, dict(ctx.session))

    async def inside(ctx: Context, next: Next) -> None:
        ctx.session["who"] = "inner"
        ctx.before_send(note("inner hook"))
        ctx.on_finished(lambda error, ctx: note("inner end")(ctx))
        await next()
        note("inner upstream")(ctx)

    async def upstream(ctx: Context, next: Next) -> None:
        ctx.session["who"] = "outer"
        ctx.before_send(note("outer hook"))
        await next()
        note("outer upstream")(ctx)

    async def behind(ctx: Context) -> None:
        note("outer downstream")(ctx)
        async with ctx.stream() as out:
            await out.write("x")

    inner = app_of(inside, keys=["another secret"], key="inner", store=MemoryStore())
    outer: Ohia = Ohia(env="test", keys=["a secret"])
    outer.use(session(), upstream, mount("/", inner), behind)
    async with Client(outer) as client:
        await client.get("/")
        assert sorted(client.cookies) == ["inner", "inner.sig", "koa.sess", "koa.sess.sig"]
    assert len(seen) == 6
    assert {name: kept["who"] for name, kept in seen.items()} == {
        name: name.partition(" ")[0] for name in seen
    }


async def test_a_hook_of_an_application_inside_saves_its_session_by_its_own_keys() -> None:
    async def look_late(ctx: Context, next: Next) -> None:
        ctx.before_send(lambda ctx: ctx.session.__setitem__("late", 1))
        await next()

    inner = app_of(look_late, keys=["another secret"])
    outer: Ohia = Ohia(env="test", keys=["a secret"])
    outer.use(mount("/", inner))
    async with Client(outer) as client:
        await client.get("/")
        cookies = dict(client.cookies)
    assert cookies == signed(cookies["koa.sess"], keys=["another secret"])


async def test_an_application_without_one_has_no_part_in_that_of_its_host() -> None:
    inner: Ohia = Ohia(env="test", keys=["a secret"])
    outer = app_of(mount("/", inner))

    @inner.use
    def handler(ctx: Context) -> None:
        ctx.body = hasattr(ctx, "session")

    inner.context = outer.context
    async with Client(outer) as client:
        assert (await client.get("/")).json() is False


async def test_of_two_in_one_application_the_innermost_answers() -> None:
    async def upstream(ctx: Context, next: Next) -> None:
        kept = ctx.session
        kept["who"] = "outer"
        await next()
        ctx.body = [kept["who"], ctx.session is kept, ctx.body]

    def handler(ctx: Context) -> None:
        ctx.session["who"] = "inner"
        ctx.body = dict(ctx.session)

    app = app_of(upstream, session(key="inner", store=MemoryStore()), handler)
    async with Client(app) as client:
        assert (await client.get("/")).json() == ["outer", True, {"who": "inner"}]
        assert sorted(client.cookies) == ["inner", "inner.sig", "koa.sess", "koa.sess.sig"]


async def test_what_is_called_session_already_stays() -> None:
    app = app_of(count)
    app.context.session = "mine"  # type: ignore[method-assign,assignment]
    async with Client(app) as client:
        with pytest.raises(RuntimeError, match="has a `session` already"):
            await client.get("/")


async def test_a_request_leaves_nothing_for_the_cycle_collector() -> None:
    alive: list[Any] = []

    async def handler(ctx: Context) -> None:
        alive.append(weakref.ref(ctx))
        await count(ctx)

    app = app_of(handler, store=MemoryStore())
    app.env = "production"  # elsewhere ctx.cookies warns of late writes, and holds its ctx for that
    async with Client(app) as client:
        await client.get("/")
        await client.get("/")
    assert [each() for each in alive] == [None, None]


async def test_a_session_that_outlives_its_request_says_so() -> None:
    kept: list[Any] = []
    app = app_of(lambda ctx: kept.append(ctx.session))
    app.env = "production"
    async with Client(app) as client:
        await client.get("/")
    with pytest.raises(RuntimeError, match="this request is over"):
        await kept[0].save()


# ---- sockets and streams --------------------------------------------------------------------


@BOTH
async def test_it_is_saved_before_the_101(store: Any) -> None:
    async def handler(ctx: Context) -> None:
        if ctx.upgradable:
            ctx.session["user"] = "tobi"
            await ctx.upgrade()
        else:
            ctx.body = ctx.session.to_dict()

    async with Client(app_of(handler, store=store)) as client:
        async with client.websocket("/") as socket:
            assert len(socket.headers.get_all("set-cookie")) == 2
            assert socket.headers["vary"] == "Cookie"
        assert (await client.get("/")).json() == {"user": "tobi"}


async def test_a_refused_handshake_has_its_cookie_too() -> None:  # S45
    def handler(ctx: Context) -> None:
        ctx.session["tries"] = 1
        ctx.throw(401, "Log in first")

    async with Client(app_of(handler)) as client:
        with pytest.raises(UpgradeRefused) as refused:
            async with client.websocket("/"):
                raise AssertionError
    assert refused.value.response.status == 401
    assert len(cookie_lines(refused.value.response)) == 1


async def test_upgraded_it_holds_nothing_and_can_still_be_saved_to_a_store() -> None:
    store = MemoryStore()

    async def handler(ctx: Context) -> None:
        ctx.session["user"] = "tobi"
        socket = await ctx.upgrade()
        async for message in socket:
            ctx.session["last"] = message
            await ctx.session.save()
            await socket.send("saved")

    async with Client(app_of(handler, store=store)) as client:
        async with client.websocket("/") as socket:
            await socket.send("hello")
            await socket.receive()
        record = await store.get(client.cookies["koa.sess"])
    assert record is not None
    assert record["last"] == "hello"


@pytest.mark.parametrize("way", ["save", "regenerate"])
@BOTH
async def test_a_late_session_that_no_browser_could_hear_of_is_an_error(
    store: Any, way: str
) -> None:
    errors: list[str] = []

    async def handler(ctx: Context) -> None:
        async with ctx.stream() as out:
            session = ctx.session
            session["late"] = 1
            try:
                await getattr(session, way)()
            except RuntimeError as error:
                errors.append(str(error))
            session.clear()
            await out.write("x")

    async with Client(app_of(handler, store=store)) as client:
        assert (await client.get("/")).text == "x"
    assert errors == ["the headers have left: the browser cannot be told of this session any more"]


@BOTH
@pytest.mark.parametrize("is_known", [True, False])
async def test_a_late_change_that_nobody_saves_is_an_error_event(
    store: Any, is_known: bool
) -> None:
    errors: list[BaseException] = []

    async def handler(ctx: Context) -> None:
        if not ctx.upgradable:
            await count(ctx)
            return
        await ctx.upgrade()
        ctx.session["late"] = 1

    app = app_of(handler, store=store)
    app.on("error", errors.append)
    async with Client(app, raise_errors=False) as client:
        if is_known:
            await client.get("/")
        async with client.websocket("/") as socket:
            await socket.wait_closed()
    [error] = errors
    assert str(error).startswith("the session was changed after the headers had left")


async def test_a_late_logout_is_carried_out_in_a_store_and_told_for_a_cookie() -> None:
    errors: list[BaseException] = []
    store = MemoryStore()

    async def handler(ctx: Context) -> None:
        if not ctx.upgradable:
            await count(ctx)
            return
        await ctx.upgrade()
        ctx.session = None

    for where in (store, None):
        app = app_of(handler, store=where)
        app.on("error", errors.append)
        async with Client(app, raise_errors=False) as client:
            await client.get("/")
            async with client.websocket("/") as socket:
                await socket.wait_closed()
    assert len(store) == 0
    [error] = errors
    assert str(error).startswith("the headers have left")


async def test_an_in_chain_stream_carries_the_cookie() -> None:
    async def handler(ctx: Context) -> None:
        ctx.session["a"] = 1
        async with ctx.stream() as out:
            await out.write("x")

    async with Client(app_of(handler)) as client:
        response = await client.get("/")
    assert len(cookie_lines(response)) == 1
