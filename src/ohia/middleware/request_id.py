"""request_id: a name for each request, in its answer and in logs."""

import re
from collections.abc import Callable
from uuid import uuid4

from ohia import Context, Middleware, Next
from ohia.plain import plain

__all__ = ["request_id"]

HARMLESS = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")  # in headers, logs, URLs and queries


def request_id(
    *,
    header: str | None = "X-Request-Id",
    generate: Callable[[], str] = lambda: str(uuid4()),
    accept: Callable[[str], object] | bool = True,
) -> Middleware:
    """Set `ctx.request_id`, and `header` of the response, errors and the 101 included.

    It is the request's own `header` where `accept` says so: True takes up to 128 harmless
    characters, False none, a function what it likes of these. Else it is made by `generate`.
    With `header` None nothing is read or sent.
    """
    make = plain("generate", generate)
    is_good = plain("accept", accept) if callable(accept) else None

    def given(ctx: Context) -> str | None:
        if header is None or accept is False:
            return None
        value = ctx.get(header)
        if not HARMLESS.fullmatch(value):
            return None
        return value if is_good is None or is_good(value) else None

    async def request_id(ctx: Context, next: Next) -> None:
        ctx.request_id = given(ctx) or make()
        if header is not None:
            ctx.set(header, ctx.request_id, sticky=True)
        await next()

    return request_id
