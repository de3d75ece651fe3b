"""`/favicon.ico`, which browsers ask for by themselves, out of memory."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from ohia import Context, Middleware, Next
from ohia.amounts import to_seconds
from ohia.http.etag import content_tag
from ohia.http.media_type import content_type

__all__ = ["favicon"]

YEAR = 365 * 24 * 60 * 60  # seconds; longer means nothing to a cache
ALLOWED = ("GET", "HEAD", "OPTIONS")


def favicon(
    path: str | os.PathLike[str] | None = None,
    *,
    max_age: float | timedelta = 24 * 60 * 60,
    type: str | None = None,
) -> Middleware:
    """Answer `/favicon.ico` with the file at `path`, read once, now; without one with 404.

    `max_age` (seconds or a timedelta, at most a year) is how long browsers keep it, `type` its
    media type, by default that of its extension. OSError if it cannot be read.
    """
    seconds = to_seconds("max_age", max_age)
    caching = f"public, max-age={int(min(max(0, seconds), YEAR))}"
    icon = None if path is None else Path(path).read_bytes()
    etag = "" if icon is None else content_tag(icon)
    media_type = type or content_type(Path(path or "").suffix or ".ico") or "image/x-icon"

    async def favicon(ctx: Context[Any], next: Next) -> None:
        if ctx.path != "/favicon.ico" or ctx.upgradable:
            await next()
        elif icon is None:
            return
        elif ctx.method in {"GET", "HEAD"}:
            ctx.set("Cache-Control", caching)
            ctx.etag = etag
            ctx.type = media_type
            ctx.body = icon
            if ctx.fresh:
                ctx.status = 304
        else:
            ctx.set("Allow", ", ".join(ALLOWED))
            ctx.status = 200 if ctx.method == "OPTIONS" else 405

    return favicon
