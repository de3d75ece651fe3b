import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import limits.storage
import pytest
from limits.aio.storage import MemoryStorage

from ohia import Context, HTTPError, Next, Ohia
from ohia.middleware.rate_limit import client_id, rate_limit
from ohia.middleware.rate_limit.memory import MemoryStore
from ohia.testing import Client, UpgradeRefused


async def hello(ctx: Context) -> None:
    ctx.body = "hello"


def app_of(*middleware: Any, **options: Any) -> Ohia:
    app = Ohia(env="test", **options)
    app.use(*middleware)
    return app


async def statuses(client: Client, count: int, **options: Any) -> list[int]:
    return [(await client.get("/", **options)).status for _ in range(count)]


async def test_beyond_the_limit_the_answer_is_429_with_the_time_to_wait() -> None:
    async with Client(app_of(rate_limit("2/hour"), hello)) as client:
        assert await statuses(client, 2) == [200, 200]
        response = await client.get("/")
    wait = int(response.headers["retry-after"])
    assert response.status == 429
    assert 0 < wait <= 3600
    assert response.text == f"Rate limit exceeded, retry in {wait} s"


async def test_each_answer_tells_how_its_client_stands() -> None:
    async with Client(app_of(rate_limit("2/hour"), hello)) as client:
        answers = [(await client.get("/")).headers for _ in range(3)]
    for headers, remaining in zip(answers, ["1", "0", "0"], strict=True):
        assert headers["ratelimit-limit"] == headers["x-ratelimit-limit"] == "2"
        assert headers["ratelimit-remaining"] == headers["x-ratelimit-remaining"] == remaining
        assert headers["ratelimit-policy"] == "2;w=3600"
        assert 0 < int(headers["ratelimit-reset"]) <= 3600
        assert 0 <= int(headers["x-ratelimit-reset"]) - time.time() <= 3601
    assert "retry-after" not in answers[0]


@pytest.mark.parametrize(
    ("families", "names"),
    [
        (["RateLimit"], {"ratelimit-limit"}),
        (["X-RateLimit"], {"x-ratelimit-limit"}),
        ([], set[str]()),
    ],
)
async def test_the_headers_can_be_chosen(families: list[str], names: set[str]) -> None:
    async with Client(app_of(rate_limit(headers=families), hello)) as client:
        headers = (await client.get("/")).headers
    assert {name for name in headers if name.lower().endswith("-limit")} == {
        name for name in headers if name.lower() in names
    }
    assert all(name in headers for name in names)


async def test_the_headers_survive_an_error() -> None:
    async def fail(ctx: Context) -> None:
        raise HTTPError(409)

    async with Client(app_of(rate_limit("2/hour"), fail)) as client:
        response = await client.get("/")
    assert (response.status, response.headers["ratelimit-remaining"]) == (409, "1")


async def test_of_several_limits_the_nearest_is_told_and_each_holds() -> None:
    async with Client(app_of(rate_limit("2/minute; 3/hour"), hello)) as client:
        response = await client.get("/")
        assert response.headers["ratelimit-policy"] == "2;w=60, 3;w=3600"
        assert response.headers["ratelimit-limit"] == "2"
        assert await statuses(client, 2) == [200, 429]


@pytest.mark.parametrize("strategy", ["fixed-window", "moving-window", "sliding-window-counter"])
@pytest.mark.parametrize("storage", [None, "memory://", "async+memory://", MemoryStorage()])
async def test_any_strategy_and_storage(strategy: Any, storage: Any) -> None:
    limiter = rate_limit("2/hour", strategy=strategy, storage=storage, namespace=strategy)
    async with Client(app_of(limiter, hello)) as client:
        assert await statuses(client, 3) == [200, 200, 429]


async def test_a_new_window_lets_pass_again() -> None:
    store = MemoryStore()
    async with Client(app_of(rate_limit("1/hour", storage=store), hello)) as client:
        assert await statuses(client, 2) == [200, 429]
        for key in store.expirations:
            store.expirations[key] = 0
        assert await statuses(client, 2) == [200, 429]


async def test_clients_are_counted_by_address() -> None:
    app = app_of(rate_limit("1/hour"), hello)
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1"):
        async with Client(app, client=(address, 50000)) as client:
            assert await statuses(client, 2) == [200, 429]


@pytest.mark.parametrize(
    ("first", "second"),
    [("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8::1", "2001:db8::ffff:1")],
)
async def test_spellings_and_neighbours_of_one_client_are_counted_together(
    first: str, second: str
) -> None:
    app = app_of(rate_limit("1/hour"), hello)
    async with Client(app, client=(first, 50000)) as client:
        assert await statuses(client, 1) == [200]
    async with Client(app, client=(second, 50000)) as client:
        assert await statuses(client, 1) == [429]


FORGERIES = [
    {"X-Forwarded-For": "192.0.2.9"},
    {"Forwarded": "for=192.0.2.9"},
    {"X-Real-IP": "192.0.2.9"},
    {"X-Client-IP": "192.0.2.9"},
]


@pytest.mark.parametrize("forged", FORGERIES)
async def test_headers_do_not_make_another_client(forged: dict[str, str]) -> None:
    async with Client(app_of(rate_limit("1/hour"), hello)) as client:
        assert await statuses(client, 1) == [200]
        assert await statuses(client, 1, headers=forged) == [429]


async def test_behind_a_proxy_only_what_it_added_counts() -> None:
    async with Client(app_of(rate_limit("1/hour"), hello, proxy=1)) as client:
        for number in range(3):
            headers = {"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.1"}
            expected = [200] if number == 0 else [429]
            assert await statuses(client, 1, headers=headers) == expected


async def test_who_a_client_is_may_be_said_by_the_application() -> None:
    async def user(ctx: Context) -> str | None:
        return ctx.get("X-User") or None

    async with Client(app_of(rate_limit("1/hour", id=user), hello)) as client:
        assert await statuses(client, 2, headers={"X-User": "a"}) == [200, 429]
        assert await statuses(client, 2, headers={"X-User": "b"}) == [200, 429]
        assert await statuses(client, 2) == [200, 200]


async def test_some_are_let_through_and_some_refused() -> None:
    limiter = rate_limit(
        "1/hour",
        allow=lambda ctx: ctx.path == "/health",
        deny=lambda ctx: ctx.get("User-Agent") == "bot",
    )
    async with Client(app_of(limiter, hello)) as client:
        answers = [await client.get("/health") for _ in range(2)]
        assert [each.status for each in answers] == [200, 200]
        assert "ratelimit-limit" not in answers[0].headers
        assert await statuses(client, 1, headers={"User-Agent": "bot"}) == [403]
        assert await statuses(client, 2) == [200, 429]


async def test_a_request_may_cost_more() -> None:
    def cost(ctx: Context) -> int:
        return 3 if ctx.path == "/search" else 1

    async with Client(app_of(rate_limit("4/hour", cost=cost), hello)) as client:
        assert (await client.get("/search")).headers["ratelimit-remaining"] == "1"
        assert await statuses(client, 2) == [200, 429]


async def test_status_and_message_may_be_others() -> None:
    seen: list[HTTPError] = []

    async def upstream(ctx: Context, next: Next) -> None:
        try:
            await next()
        except HTTPError as error:
            seen.append(error)

    limiter = rate_limit("1/hour", cost=2, status=420, message="Calm down")
    async with Client(app_of(upstream, limiter, hello)) as client:
        await client.get("/")
    assert [(error.status, error.message) for error in seen] == [(420, "Calm down")]


async def test_two_limits_may_share_a_storage() -> None:
    store = MemoryStore()
    for namespace in ("a", "b"):
        limiter = rate_limit("1/hour", storage=store, namespace=namespace)
        async with Client(app_of(limiter, hello)) as client:
            assert await statuses(client, 2) == [200, 429]


class LostStore(MemoryStore):
    """A storage whose server can be switched off."""

    is_lost = True

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if self.is_lost:
            raise ConnectionError("secret://storage")
        return await super().incr(key, expiry, amount)


async def test_a_lost_storage_lets_all_pass_and_is_told_once_each_time() -> None:
    store, seen = LostStore(), list[str]()
    app = app_of(rate_limit("1/hour", storage=store), hello)
    app.on("error", lambda error: None if isinstance(error, HTTPError) else seen.append(str(error)))
    async with Client(app) as client:
        response = await client.get("/")
        assert (response.status, "ratelimit-limit" in response.headers) == (200, False)
        assert await statuses(client, 2) == [200, 200]
        assert seen == ["secret://storage"]
        store.is_lost = False
        assert await statuses(client, 2) == [200, 429]
        store.is_lost = True
        assert await statuses(client, 1) == [200]
    assert seen == ["secret://storage"] * 2


async def test_a_lost_storage_is_printed_where_nobody_listens(
    capfd: pytest.CaptureFixture[str],
) -> None:
    app = app_of(rate_limit(storage=LostStore()), hello, output_errors=True)
    async with Client(app) as client:
        await client.get("/")
    assert "secret://storage" in capfd.readouterr().err


async def test_a_lost_storage_may_refuse_all_instead() -> None:
    app = app_of(rate_limit(storage=LostStore(), when_lost="refuse"), hello)
    async with Client(app, raise_errors=False) as client:
        response = await client.get("/")
    assert (response.status, response.text) == (503, "Service Unavailable")


async def test_an_upgraded_request_is_counted_once_and_holds_nothing() -> None:
    async def echo(ctx: Context) -> None:
        socket = await ctx.upgrade()
        async for message in socket:
            await socket.send(message)

    app = app_of(rate_limit("2/hour"), echo)
    async with Client(app) as client:
        async with client.websocket("/") as first, client.websocket("/") as second:
            assert first.headers["ratelimit-remaining"] == "1"
            assert second.headers["ratelimit-remaining"] == "0"
            await first.send("hi")
            assert await first.receive() == "hi"
        with pytest.raises(UpgradeRefused) as refused:
            await client.websocket("/").__aenter__()
    assert refused.value.response.status == 429
    assert int(refused.value.response.headers["retry-after"]) > 0


async def test_an_in_chain_stream_and_an_iterator_pass_with_the_headers() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"piece"

    async def write(ctx: Context) -> None:
        if ctx.path == "/body":
            ctx.body = pieces()
            return
        async with ctx.stream() as out:
            await out.write("piece")

    async with Client(app_of(rate_limit("9/hour"), write)) as client:
        for path, remaining in (("/stream", "8"), ("/body", "7")):
            response = await client.get(path)
            assert response.text == "piece"
            assert response.headers["ratelimit-remaining"] == remaining


async def test_without_an_address_all_are_one_client() -> None:
    seen: list[str] = []

    async def middleware(ctx: Context) -> None:
        seen.append(client_id(ctx))

    async with Client(app_of(middleware), client=None) as client:
        await client.get("/")
    assert seen == [""]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"limit": "many"}, ValueError),
        ({"limit": ""}, ValueError),
        ({"strategy": "none"}, ValueError),
        ({"headers": ["Limit"]}, ValueError),
        ({"status": 200}, ValueError),
        ({"storage": limits.storage.MemoryStorage()}, TypeError),
        ({"storage": 1}, TypeError),
        ({"id": None}, TypeError),
        ({"id": "ip"}, TypeError),
        ({"allow": ["127.0.0.1"]}, TypeError),
        ({"deny": "127.0.0.1"}, TypeError),
    ],
)
def test_wrong_options_are_told_at_once(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        rate_limit(**options)


def test_a_missing_library_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == "limits"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "ohia\[ratelimit\]"'):
        rate_limit()


@pytest.mark.parametrize("strategy", ["fixed-window", "moving-window", "sliding-window-counter"])
async def test_what_costs_nothing_is_not_counted_and_leaves_the_others_limited(
    strategy: Any,
) -> None:
    async def cost(ctx: Context) -> int:
        return 0 if ctx.path == "/free" else 1

    app = app_of(
        rate_limit("1/hour", strategy=strategy, id=lambda ctx: ctx.get("X-Id"), cost=cost), hello
    )
    async with Client(app) as client:
        for number in range(1100):  # more than are kept without a look at what has expired
            await client.get("/free", headers={"X-Id": str(number)})
        assert await statuses(client, 2, headers={"X-Id": "same"}) == [200, 429]


@pytest.mark.parametrize("cost", [-1, "1", None, 1.5])
async def test_a_cost_that_is_none_is_an_error_and_no_lost_storage(cost: Any) -> None:
    with pytest.raises(ValueError, match="a cost is a whole number"):
        rate_limit(cost=cost)
    async with Client(app_of(rate_limit(cost=lambda _: cost), hello)) as client:
        with pytest.raises(ValueError, match="a cost is a whole number"):
            await client.get("/")


def test_a_word_that_is_no_choice_for_a_lost_storage_is_refused() -> None:
    with pytest.raises(ValueError, match="when_lost is"):
        rate_limit(when_lost="refused")  # type: ignore[arg-type]
