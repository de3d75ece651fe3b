"""timeout: a bound on how long the chain below may take to answer."""

import asyncio
import contextlib
from datetime import timedelta
from functools import partial

from ohia import Context, Middleware, Next
from ohia.amounts import to_seconds
from ohia.errors import http_error

__all__ = ["timeout"]


def timeout(
    seconds: float | timedelta,
    *,
    status: int = 503,
    message: str | None = None,
    cleanup: float | timedelta | None = 5,
) -> Middleware:
    """Cancel what is downstream after `seconds`, and answer `status`.

    The HTTPError is raised once downstream has ended. What it does while it is cancelled
    (`finally`, `except CancelledError`) may take `cleanup` seconds more, then it is cancelled
    again; None waits for ever. A downstream that swallows the cancellation and ends as usual
    is answered as usual, as with `asyncio.timeout`.

    The clock stops for good when the request is upgraded or an in-chain stream begins, and at
    the end of the chain: a body sent after it takes its time.
    """
    limit = _positive(seconds)
    grace = None if cleanup is None else limit + _positive(cleanup)
    http_error(status)  # what is no status of an error is told now
    text = f"No answer within {limit:g} s" if message is None else message

    async def timeout(ctx: Context, next: Next) -> None:
        if ctx.header_sent:  # a socket or a stream already
            await next()
            return
        first, last = asyncio.timeout(limit), asyncio.timeout(grace)
        ctx.on_detach(partial(_disarm, (first, last)))
        try:
            async with last, first:
                await next()
        except TimeoutError as error:
            if not first.expired():  # somebody else's
                raise
            raise http_error(status, text) from error

    return timeout


def _disarm(clocks: tuple[asyncio.Timeout, ...], _: Context) -> None:
    for each in clocks:
        with contextlib.suppress(RuntimeError):  # it has run out, or the chain has left it
            each.reschedule(None)


def _positive(time: float | timedelta) -> float:
    seconds = to_seconds("a time", time)
    if not seconds > 0:
        raise ValueError(f"a time is more than 0 seconds, got {time!r}")
    return seconds
