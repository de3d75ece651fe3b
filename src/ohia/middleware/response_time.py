"""response_time: how long an answer took, as one of its headers."""

from time import perf_counter

from ohia import Context, Middleware, Next

__all__ = ["response_time"]


def response_time(*, header: str = "X-Response-Time", digits: int = 1) -> Middleware:
    """Set `header` to the milliseconds until the head left: `12.3ms`, with `digits` decimals.

    That is the time spent downstream, and in what is upstream of it on the way back; of a stream
    or a socket the time until it was opened. Errors have it too.
    """

    async def response_time(ctx: Context, next: Next) -> None:
        start = perf_counter()

        def tell(ctx: Context) -> None:
            ctx.set(header, f"{1000 * (perf_counter() - start):.{digits}f}ms")

        ctx.before_send(tell)
        await next()

    return response_time
