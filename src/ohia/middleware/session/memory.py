"""A store in the memory of this process, for development and for a single worker."""

from collections import OrderedDict
from collections.abc import Mapping
from time import monotonic
from typing import Any

import msgspec

from ohia.amounts import to_seconds

__all__ = ["MemoryStore"]

ONE_DAY = 24 * 60 * 60


class MemoryStore:
    """Keeps at most `max_sessions`; then those that were used least recently go.

    `ttl` is the time in seconds of sessions that last until their browser is closed, which
    nobody hears of. What is kept is lost with the process, and other workers do not see it.
    """

    def __init__(self, *, max_sessions: int = 100_000, ttl: float = ONE_DAY) -> None:
        if max_sessions < 1:
            raise ValueError(f"max_sessions must be 1 or more, got {max_sessions}")
        self._max_sessions = max_sessions
        self._ttl = to_seconds("ttl", ttl)
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    async def get(self, key: str) -> dict[str, Any] | None:
        """Return a copy of the record at `key`, None if there is none or its time is over."""
        if not self._has(key):
            return None
        self._kept.move_to_end(key)
        return msgspec.json.decode(self._kept[key][1], type=dict[str, Any])

    async def set(self, key: str, record: Mapping[str, Any], ttl: float | None) -> None:
        """Keep a copy of `record` at `key` for `ttl` seconds."""
        self._keep(key, record, ttl)

    async def replace(self, key: str, record: Mapping[str, Any], ttl: float | None) -> bool:
        """Keep a copy of `record` at `key` if there is one already; say whether there was."""
        if not self._has(key):
            return False
        self._keep(key, record, ttl)
        return True

    async def destroy(self, key: str) -> None:
        """Forget what is at `key`, if anything is."""
        self._kept.pop(key, None)

    def _has(self, key: str) -> bool:
        if key in self._kept and self._kept[key][0] <= monotonic():
            del self._kept[key]
        return key in self._kept

    def _keep(self, key: str, record: Mapping[str, Any], ttl: float | None) -> None:
        expires = monotonic() + (self._ttl if ttl is None else ttl)
        self._kept[key] = (expires, msgspec.json.encode(record))
        self._kept.move_to_end(key)
        if len(self._kept) > self._max_sessions:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)
