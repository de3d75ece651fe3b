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


async def test_destroying_what_is_not_there_is_nothing() -> None:
    store = MemoryStore()
    await store.destroy("a")
    assert await store.get("a") is None


def test_room_for_none_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        MemoryStore(max_sessions=0)
