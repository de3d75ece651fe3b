"""Sessions in a cookie: what koa-session writes `session()` reads, and the other way round."""

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ohia import Context, Keygrip, Ohia
from ohia.middleware.session import MemoryStore, session
from ohia.middleware.session.wire import decode
from ohia.testing import Client

from .cases import examples, request, some
from .sides import Sides

Jar = dict[str, str]

YES_NO = (True, False)
# Saved by hand koa-session saves a second time, and what was to last for the browser's session
# then lasts for a day.
SAVED_TWICE = (["save"], ["regenerate"])

titles = some("a", "b", "user", "é", "1", "x y", "A.b")
values = st.recursive(
    some(None, *YES_NO, 0, -1, 1.5, 2**53, "", "tobi", "é €", "😀", '"\\\n', "</script>"),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(titles, inner, max_size=3)
    ),
    max_leaves=5,
)
changes = st.one_of(
    st.tuples(st.just("set"), titles, values),
    st.tuples(st.just("set"), titles, values),
    st.tuples(st.just("delete"), titles),
    st.tuples(st.just("replace"), st.dictionaries(titles, values, max_size=2)),
    st.tuples(st.just("lasts"), some(60_000, 1500, 7 * 86_400_000)),
)
endings = some(
    [], [], [["save"]], [["regenerate"]], [["destroy"]], [["destroy"], ["replace", {"c": 3}]]
)
programs = st.tuples(st.lists(changes, max_size=3), endings).map(
    lambda drawn: [*map(list, drawn[0]), *drawn[1]]
)
options = st.fixed_dictionaries(
    {"maxAge": some(86_400_000, 3_600_000, "session")},
    optional={
        "rolling": st.booleans(),
        "renew": st.booleans(),
        "key": some("koa.sess", "sid", "__Host-sid"),
    },
)
rounds = st.lists(
    st.tuples(programs, st.booleans(), some([], ["new"], ["newer", "new"])), min_size=1, max_size=4
)


def change(ctx: Context, step: list[Any]) -> Any:
    """Do to `ctx.session` what a step of a case says; return what may have to be awaited."""
    name, *rest = step
    if name == "set":
        ctx.session[rest[0]] = rest[1]
    elif name == "delete":
        ctx.session.pop(rest[0], None)
    elif name in {"replace", "destroy"}:
        ctx.session = rest[0] if rest else None
    elif name == "lasts":
        ctx.session.max_age = rest[0] / 1000
    else:
        return getattr(ctx.session, name)()
    return None


class Records(MemoryStore):
    """A store whose records can be seen, and given to the other side."""

    def __init__(self, records: dict[str, Any]) -> None:
        super().__init__()
        self.records = records

    async def get(self, key: str) -> dict[str, Any] | None:
        return deepcopy(self.records.get(key))

    async def set(self, key: str, record: Mapping[str, Any], ttl: float | None) -> None:
        self.records[key] = record

    async def replace(self, key: str, record: Mapping[str, Any], ttl: float | None) -> bool:
        is_there = key in self.records
        if is_there:
            self.records[key] = record
        return is_there

    async def destroy(self, key: str) -> None:
        self.records.pop(key, None)


async def ask_ohia(
    case: dict[str, Any], jar: Jar, store: Records | None = None
) -> tuple[Any, list[str]]:
    app: Ohia = Ohia(env="test", keys=Keygrip(case["keys"], case["algorithm"]))
    chosen = dict(case["options"], store=store)
    max_age = chosen.pop("maxAge")
    app.use(session(max_age=None if max_age == "session" else max_age / 1000, **chosen))

    @app.use
    async def handler(ctx: Context) -> None:
        before, is_new = ctx.session.to_dict(), ctx.session.is_new
        for step in case["steps"]:
            waiting = change(ctx, step)
            if waiting is not None:
                await waiting
        left: Any = ctx.session  # None once it was destroyed, which its type does not say
        after = None if left is None else left.to_dict()
        ctx.body = {"before": before, "isNew": is_new, "after": after}

    async with Client(app) as client:
        response = await client.get("/", cookies=jar)
    return response.json(), response.headers.get_all("Set-Cookie")


def ask_koa(sides: Sides, case: dict[str, Any], jar: Jar) -> tuple[Any, list[str]]:
    sent = "; ".join(f"{name}={value}" for name, value in jar.items())
    asked = request([("Cookie", sent or None)])
    answer = sides.driver.ask("session", request=asked, **case)
    body = json.loads(bytes.fromhex(answer["body"]))
    return body, [value for name, value in answer["headers"] if name == "set-cookie"]


def kept(jar: Jar, lines: list[str]) -> Jar:
    """Return `jar` as it is after `lines` of Set-Cookie."""
    jar = dict(jar)
    for line in lines:
        name, _, value = line.partition(";")[0].partition("=")
        if "expires=Thu, 01 Jan 1970" in line:
            jar.pop(name, None)
        else:
            jar[name] = value
    return jar


def remembered(jar: Jar, key: str) -> dict[str, Any]:
    """Return what the session cookie of `jar` holds, but for the moment at which it ends."""
    record = decode(jar[key]) if f"{key}.sig" in jar else {}  # Koa deletes a wrong signature alone
    record.pop("_expire", None)
    is_empty = all(name.startswith("_") for name in record)
    return {} if is_empty else record


@examples(300)
@given(rounds, options, some("sha1", "sha256"))
def test_each_reads_what_the_other_has_written(
    sides: Sides, requests: list[Any], chosen: dict[str, Any], algorithm: str
) -> None:
    jar: Jar = {}
    max_age = chosen["maxAge"]
    key = chosen.get("key", "koa.sess")
    for drawn, goes_on_with_koa, newer in requests:
        steps = [each for each in drawn if max_age != "session" or each not in SAVED_TWICE]
        case = {"steps": steps, "options": chosen, "algorithm": algorithm, "keys": [*newer, "old"]}
        koa_body, koa_lines = ask_koa(sides, case, jar)
        ohia_body, ohia_lines = sides.runner.run(ask_ohia(case, jar))
        koa_jar, ohia_jar = kept(jar, koa_lines), kept(jar, ohia_lines)
        koa = {"body": koa_body, "kept": remembered(koa_jar, key)}
        ohia = {"body": ohia_body, "kept": remembered(ohia_jar, key)}
        sides.answers("sessions", {**case, "jar": jar}, koa, ohia)
        jar = koa_jar if goes_on_with_koa else ohia_jar


@examples(60)
@given(st.lists(st.lists(changes, max_size=3), min_size=1, max_size=3), st.booleans())
def test_each_goes_on_with_the_others_records_in_a_store(
    sides: Sides, requests: list[Any], koa_begins: bool
) -> None:
    jar: Jar = {}
    records: dict[str, Any] = {}
    known: dict[str, Any] = {}
    for turn, drawn in enumerate(requests):
        steps = [*map(list, drawn), ["set", "turn", turn]]
        case = {"steps": steps, "options": {"maxAge": 60_000}, "algorithm": "sha1", "keys": ["k"]}
        if (turn % 2 == 0) is koa_begins:
            body, lines = ask_koa(sides, {**case, "records": records}, jar)
            records = body["records"]
        else:
            store = Records(records)
            body, lines = sides.runner.run(ask_ohia(case, jar, store))
        left, found = {"session": known}, {"session": body["before"]}
        sides.answers("sessions in a store", case, left, found)
        known = body["after"]
        jar = kept(jar, lines)
        assert list(records) == [jar["koa.sess"]]
