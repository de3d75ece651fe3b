"""An entity tag for a body that has none (RFC 9110, 8.8.3)."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

from ohia import Context, Middleware, Next
from ohia.http.etag import content_tag, state_tag

__all__ = ["etag"]


def etag(*, weak: bool = False) -> Middleware:
    """Set ETag on answers of 2xx: by the bytes of text, bytes and JSON, by the state of a file.

    That of a file, a path or an open one, is weak; `weak` makes all so. What comes in pieces
    gets none, nor does what has one. `conditional`, above this, answers by it.
    """

    async def etag(ctx: Context[Any], next: Next) -> None:
        await next()
        if ctx.header_sent or not 200 <= ctx.status < 300 or ctx.response.has("ETag"):
            return
        content = ctx.to_bytes()
        if content is not None:
            tag = content_tag(content)
            ctx.etag = f"W/{tag}" if weak else tag
        elif _may_be_file(ctx.body):
            state = await asyncio.to_thread(_state_of, ctx.body)
            if state is not None:
                ctx.etag = f"W/{state_tag(state.st_size, state.st_mtime_ns)}"

    return etag


def _may_be_file(body: object) -> bool:
    """Say whether a thread, for the disk may be slow, shall look at `body`."""
    return hasattr(body, "__fspath__") or hasattr(body, "fileno")


def _state_of(body: Any) -> os.stat_result | None:  # noqa: ANN401 - found by looking
    """Return what is known of a regular file, by its path or where it is open; else None."""
    try:
        is_path = hasattr(body, "__fspath__")
        state = Path(os.fsdecode(body)).stat() if is_path else os.fstat(body.fileno())
    except (AttributeError, OSError, ValueError):  # no file; UnsupportedOperation is both
        return None
    return state if stat.S_ISREG(state.st_mode) else None
