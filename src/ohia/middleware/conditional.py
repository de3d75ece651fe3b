"""304 where the client's copy is fresh, 412 where it asked for another state (RFC 9110, 13)."""

from typing import Any

from ohia import Context, Middleware, Next
from ohia.errors import PreconditionFailed
from ohia.http.fresh import precondition_fails

__all__ = ["conditional"]

CONDITIONS = ("if-none-match", "if-modified-since", "if-match", "if-unmodified-since")


def conditional() -> Middleware:
    """Compare ETag and Last-Modified, once downstream has set them, with the request's conditions.

    Only for GET and HEAD, and a status of 2xx: where a condition shall keep a request from
    changing something, whoever changes it has to look. An in-chain stream is judged when it
    begins. Raises PreconditionFailed.
    """

    async def conditional(ctx: Context[Any], next: Next) -> None:
        headers = ctx.headers
        if ctx.upgradable or not any(name in headers for name in CONDITIONS):
            await next()
            return
        ctx.on_detach(_judge)
        await next()
        _judge(ctx)

    return conditional


def _judge(ctx: Context[Any]) -> None:
    if ctx.header_sent or ctx.method not in {"GET", "HEAD"}:
        return
    is_good = 200 <= ctx.status < 300
    if is_good and precondition_fails(ctx.headers, ctx.response.headers):
        raise PreconditionFailed
    if is_good and ctx.fresh:
        ctx.status = 304
