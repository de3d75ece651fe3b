"""The middleware: whose request it is, how it stands with the limits, what the answer says."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ohia import Context, Middleware, Next
from ohia.errors import Forbidden, http_error
from ohia.middleware.rate_limit.client import client_id
from ohia.middleware.rate_limit.counter import Counter, Strategy, header_writer

if TYPE_CHECKING:
    from limits.aio.storage import Storage

__all__ = ["rate_limit"]

Ask = Callable[[Context], object]
"""A function of ctx, plain or async."""

Cost = int | Callable[[Context], int | Awaitable[int]]


def rate_limit(
    limit: str = "2500/hour",
    *,
    id: Ask = client_id,
    allow: Ask | None = None,
    deny: Ask | None = None,
    storage: "str | Storage | None" = None,
    strategy: Strategy = "fixed-window",
    cost: Cost = 1,
    status: int = 429,
    message: str | None = None,
    headers: Sequence[str] = ("RateLimit", "X-RateLimit"),
    namespace: str = "",
    when_lost: Literal["allow", "refuse"] = "allow",
) -> Middleware:
    """Refuse with 429 whoever asks more often than `limit`: `"100/minute; 2000/day"`.

    `id(ctx)` says whose request it is, None or False that it is not counted; `allow` which
    are not, `deny` which are refused with 403. `storage` is one of `limits.aio.storage` or
    its URI, this process's memory if None. `when_lost` decides where the storage fails: to
    let everybody pass, which is told once, or to answer 503.
    """
    refuse = when_lost == "refuse"
    counter = Counter(limit, storage, strategy, namespace=namespace, refuse=refuse)
    writers = [header_writer(family, counter.policy) for family in headers]
    _check(status, cost, when_lost)
    _check_functions({"id": id, "allow": allow, "deny": deny})

    async def count(ctx: Context, key: str) -> None:
        now = await counter.hit(ctx, key, await _price(cost, ctx))
        if now is None:
            return
        for each in writers:
            ctx.set(each(now), sticky=True)
        if not now.is_within:
            told = message or f"Rate limit exceeded, retry in {now.wait} s"
            raise http_error(status, told, headers={"Retry-After": str(max(1, now.wait))})

    async def rate_limit(ctx: Context, next: Next) -> None:
        if await _ask(deny, ctx):
            raise Forbidden
        key = None if await _ask(allow, ctx) else await _ask(id, ctx)
        if key is not None and key is not False:
            await count(ctx, str(key))
        await next()

    return rate_limit


async def _price(cost: Cost, ctx: Context) -> int:
    return _checked_cost(await _ask(cost, ctx) if callable(cost) else cost)


def _check(status: int, cost: Cost, when_lost: str) -> None:
    """Raise ValueError for options that cannot be meant."""
    http_error(status)
    if when_lost not in {"allow", "refuse"}:
        raise ValueError(f'when_lost is "allow" or "refuse", got {when_lost!r}')
    if not callable(cost):
        _checked_cost(cost)


def _check_functions(functions: Mapping[str, object]) -> None:
    """Raise TypeError for what cannot be asked: without an `id` nothing would be counted."""
    for option, function in functions.items():
        if not callable(function) and (option == "id" or function is not None):
            raise TypeError(f"{option} is a function of ctx, got {function!r}")


def _checked_cost(cost: object) -> int:
    if not isinstance(cost, int) or cost < 0:
        raise ValueError(f"a cost is a whole number from 0 on, got {cost!r}")
    return cost


async def _ask(function: Ask | None, ctx: Context) -> object:
    result = function and function(ctx)
    return await result if inspect.isawaitable(result) else result
