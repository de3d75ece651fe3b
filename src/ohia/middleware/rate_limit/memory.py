"""The default store: that of `limits`, without its task for each hit.

That task looks at every key there is, and keeps its request's context alive until the next one.
Here nothing awaits, so nothing can come between, and old keys are swept when the number of keys
has doubled: what a hit costs does not grow with them.
"""

import time

from limits.aio.storage import MemoryStorage
from limits.aio.storage.memory import Entry

__all__ = ["MemoryStore"]

FEWEST = 1024  # keys that are never swept for


class MemoryStore(MemoryStorage):
    """Counters and moving windows of one process; times in seconds."""

    STORAGE_SCHEME: list[str] = []  # noqa: RUF012 - as the base has it; memory:// stays what it is

    def __init__(self) -> None:
        super().__init__()
        self._sweep_at = FEWEST

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count `amount` more, and return the sum; a new counter lives for `expiry`."""
        self._sweep()
        count = await self.get(key) + amount
        if key not in self.expirations:
            self.expirations[key] = time.time() + expiry
        self.storage[key] = count
        return count

    async def decr(self, key: str, amount: int = 1) -> int:
        """Count `amount` less, and return the rest, at least 0."""
        self.storage[key] = max(0, await self.get(key) - amount)
        return self.storage[key]

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Note `amount` hits, unless there would be more than `limit` within `expiry`."""
        if amount > limit:
            return False
        if not amount:
            return True
        self._sweep()
        hits = self.events.setdefault(key, [])  # the newest first
        full = len(hits) > limit - amount
        if full and hits[limit - amount].atime >= time.time() - expiry:
            return False
        hits[:0] = [Entry(expiry)] * amount
        del hits[limit:]
        return True

    def _sweep(self) -> None:
        """Forget what has expired, if there are twice the keys that were left last time."""
        if len(self.expirations) + len(self.events) < self._sweep_at:
            return
        now = time.time()
        for key in [key for key, end in self.expirations.items() if end <= now]:
            del self.expirations[key], self.storage[key]
        for key in [key for key, hits in self.events.items() if hits[0].expiry <= now]:
            del self.events[key]
        self._sweep_at = max(FEWEST, 2 * (len(self.expirations) + len(self.events)))
