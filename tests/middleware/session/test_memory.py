"""The store in memory."""

import pytest

from ohia.middleware.session import MemoryStore


async def test_it_keeps_copies() -> None:
    store = MemoryStore()
    record = {"list": [1]}
    await store.set("a", record, 60)
    record["list"].append(2)
    first = await store.get("a")
    assert first == {"list": [1]}
    first["list"].append(3)
    assert await store.get("a") == {"list": [1]}


@pytest.mark.parametrize("ttl", [0, -1])
async def test_what_is_over_is_gone(ttl: float) -> None:
    store = MemoryStore()
    await store.set("a", {}, ttl)
    assert await store.get("a") is None
    assert len(store) == 0


async def test_without_a_time_it_keeps_for_its_own() -> None:
    store = MemoryStore(ttl=0)
    await store.set("a", {}, None)
    assert await store.get("a") is None


async def test_it_forgets_what_was_used_least_recently() -> None:
    store = MemoryStore(max_sessions=2)
    for key in "ab":
        await store.set(key, {}, 60)
    await store.get("a")
    await store.set("c", {}, 60)
    assert [await store.get(key) for key in "abc"] == [{}, None, {}]


async def test_only_what_is_there_is_replaced() -> None:
    store = MemoryStore(max_sessions=2)
    await store.set("over", {}, 0)
    for key in ("over", "never"):
        assert await store.replace(key, {"a": 1}, 60) is False
        assert await store.get(key) is None
    await store.set("a", {}, 60)
    record = {"a": [1]}
    assert await store.replace("a", record, 60) is True
    record["a"].append(2)
    assert await store.get("a") == {"a": [1]}


async def test_destroying_what_is_not_there_is_nothing() -> None:
    store = MemoryStore()
    await store.destroy("a")
    assert await store.get("a") is None


def test_room_for_none_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        MemoryStore(max_sessions=0)
