"""Limits and their storage as one thing: how somebody stands after one more request."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from ohia import Context
from ohia.errors import ServiceUnavailable
from ohia.extras import missing

if TYPE_CHECKING:
    from limits.aio.storage import Storage
    from limits.aio.strategies import RateLimiter

__all__ = ["Counter", "Standing", "Strategy", "header_writer"]

Strategy = Literal["fixed-window", "moving-window", "sliding-window-counter"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands with the limit that is nearest: `reset` in seconds since 1970."""

    is_within: bool
    limit: int
    remaining: int
    reset: float

    @property
    def wait(self) -> int:
        """Seconds until there is more."""
        return max(0, math.ceil(self.reset - time.time()))


class Counter:
    """The limits of one `rate_limit()`; `policy` tells them as its header does."""

    def __init__(
        self,
        limit: str,
        storage: "str | Storage | None",
        strategy: Strategy,
        *,
        namespace: str,
        refuse: bool,
    ) -> None:
        try:
            from limits import parse_many  # noqa: PLC0415 - an extra
        except ImportError:
            raise missing("rate_limit()", "limits", "ratelimit") from None
        self._items = parse_many(limit)
        self._limiter = _limiter(storage, strategy)
        self._namespace = namespace
        self._refuse = refuse
        self._is_lost = False
        self.policy: str = ", ".join(f"{item.amount};w={item.get_expiry()}" for item in self._items)

    async def hit(self, ctx: Context, key: str, cost: int) -> Standing | None:
        """Count a request of `key`; None where the storage is lost and all may pass."""
        try:
            standing = await self._hit(key, cost)
        except Exception as error:  # each storage has errors of its own
            if self._refuse:
                raise ServiceUnavailable("The storage of the rate limit is lost") from error
            if not self._is_lost:
                _tell(error, ctx)
            self._is_lost = True
            return None
        self._is_lost = False
        return standing

    async def _hit(self, key: str, cost: int) -> Standing:
        """Count against each limit, up to the first that is not met."""
        seen: list[Standing] = []
        for item in self._items:
            is_within = await self._limiter.hit(item, self._namespace, key, cost=cost)
            stats = await self._limiter.get_window_stats(item, self._namespace, key)
            seen.append(Standing(is_within, item.amount, max(0, stats.remaining), stats.reset_time))
            if not is_within:
                break
        return min(seen, key=lambda each: (each.is_within, each.remaining))


def header_writer(family: str, policy: str) -> Callable[[Standing], Mapping[str, int | str]]:
    """Return what makes the headers of `family`: "RateLimit" or "X-RateLimit", else ValueError."""
    if family == "RateLimit":  # draft-ietf-httpapi-ratelimit-headers-07; seconds left
        return lambda now: {
            "RateLimit-Limit": now.limit,
            "RateLimit-Remaining": now.remaining,
            "RateLimit-Reset": now.wait,
            "RateLimit-Policy": policy,
        }
    if family == "X-RateLimit":  # koa-ratelimit 6; seconds since 1970
        return lambda now: {
            "X-RateLimit-Limit": now.limit,
            "X-RateLimit-Remaining": now.remaining,
            "X-RateLimit-Reset": math.ceil(now.reset),
        }
    raise ValueError(f'headers are of "RateLimit" or "X-RateLimit", got {family!r}')


def _limiter(storage: "str | Storage | None", strategy: Strategy) -> "RateLimiter":
    from limits.aio import storage as storages  # noqa: PLC0415 - an extra
    from limits.aio.strategies import STRATEGIES  # noqa: PLC0415 - an extra
    from limits.storage import storage_from_string  # noqa: PLC0415 - an extra

    from ohia.middleware.rate_limit.memory import MemoryStore  # noqa: PLC0415 - an extra

    found: object = MemoryStore() if storage is None else storage
    if isinstance(storage, str):
        found = storage_from_string(f"async+{storage.removeprefix('async+')}")
    if not isinstance(found, storages.Storage):
        raise TypeError(f"storage is one of limits.aio.storage or a URI, got {storage!r}")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy is one of {', '.join(STRATEGIES)}, got {strategy!r}")
    kind = cast("Callable[[Storage], RateLimiter]", STRATEGIES[strategy])
    return kind(found)


def _tell(error: Exception, ctx: Context) -> None:
    if not ctx.app.emit("error", error, ctx):
        ctx.app.on_error(error, ctx)
