"""The store keeps to what `limits` promises of its own, and costs less."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import (
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    RateLimiter,
    SlidingWindowCounterRateLimiter,
)
from limits.storage import storage_from_string

from ohia.middleware.rate_limit.memory import FEWEST, MemoryStore

STRATEGIES = [
    FixedWindowRateLimiter,
    MovingWindowRateLimiter,
    SlidingWindowCounterRateLimiter,
]


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_it_counts_as_the_storage_of_limits_does(
    strategy: Callable[[MemoryStorage], RateLimiter],
) -> None:
    ours, theirs = strategy(MemoryStore()), strategy(MemoryStorage())
    for text in ("3/hour", "10/day"):
        for cost in (1, 1, 2, 1, 1, 7, 5, 20):
            item = parse(text)
            hits = [await each.hit(item, "a", cost=cost) for each in (ours, theirs)]
            stats = [(await each.get_window_stats(item, "a")).remaining for each in (ours, theirs)]
            assert hits[0] == hits[1]
            assert stats[0] == stats[1]


async def test_a_counter_starts_anew_when_it_has_expired() -> None:
    store = MemoryStore()
    assert [await store.incr("a", 60), await store.incr("a", 60)] == [1, 2]
    store.expirations["a"] = 0
    assert await store.incr("a", 60) == 1


async def test_a_counter_is_never_below_0() -> None:
    store = MemoryStore()
    await store.incr("a", 60, amount=3)
    assert [await store.decr("a", 2), await store.decr("a", 2)] == [1, 0]


async def test_no_hit_starts_a_task() -> None:
    before = asyncio.all_tasks()
    store = MemoryStore()
    await store.incr("a", 60)
    await store.acquire_entry("a", 5, 60)
    await store.acquire_sliding_window_entry("a", 5, 60)
    assert asyncio.all_tasks() == before


async def test_what_has_expired_is_forgotten() -> None:
    store = MemoryStore()
    for number in range(5 * FEWEST):
        await store.incr(f"counter {number}", -1)
        await store.acquire_entry(f"window {number}", 5, -1)
    assert len(store.storage) + len(store.events) <= FEWEST
    assert len(store.expirations) <= FEWEST


async def test_what_lives_is_kept_and_looked_at_seldom() -> None:
    """While keys come, each is looked at a few times in all, not at every hit."""
    looked_at = 0

    class Counted(dict[str, float]):
        def items(self) -> Any:
            nonlocal looked_at
            looked_at += len(self)
            return super().items()

    store = MemoryStore()
    store.expirations = Counted()
    for number in range(4 * FEWEST):
        await store.incr(f"{number}", 3600)
    assert len(store.storage) == 4 * FEWEST
    assert looked_at <= 8 * FEWEST


async def test_a_moving_window_keeps_no_more_than_its_limit() -> None:
    store = MemoryStore()
    for _ in range(100):
        await store.acquire_entry("a", 5, -1)
    assert len(store.events["a"]) == 5


def test_the_scheme_of_limits_is_not_taken_over() -> None:
    assert type(storage_from_string("async+memory://")) is MemoryStorage
