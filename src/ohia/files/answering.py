"""An open file as a response: its headers, the request's conditions, the parts asked for."""

import os
import time
from pathlib import PurePath
from secrets import token_hex
from typing import Any

from ohia import Context
from ohia.errors import PreconditionFailed, RangeNotSatisfiable
from ohia.files.finding import Found
from ohia.http.date import format_date
from ohia.http.etag import state_tag
from ohia.http.fresh import precondition_fails
from ohia.http.media_type import content_type
from ohia.http.ranges import content_range, if_range_holds, multipart, parse_ranges

__all__ = ["CONDITIONS", "answer"]

CONDITIONS = (*("if-match", "if-unmodified-since", "if-none-match", "if-modified-since", "range"),)
"""Fields of a request by which less than the whole file may be sent."""

BINARY = "application/octet-stream"
UNSETTLED = 2  # seconds in which a file may change once more without another time
MAX_PARTS = 10  # of one response


def answer(ctx: Context[Any], found: Found, cache_control: str) -> None:
    """Make `found` the response, or those parts of it that were asked for.

    What the response has already is kept: a type, Cache-Control, ETag, Last-Modified, a status;
    with one of its own the file is sent whole. PreconditionFailed and RangeNotSatisfiable as
    the request's conditions say; the file is closed with the response.
    """
    size = found.facts.st_size
    if found.head is not None and len(found.head) == size:
        found.close()
        _set_fields(ctx, found, cache_control)
        ctx.body = found.head
        return
    found.body.take([found.head or b"", range(len(found.head or b""), size)])
    _set_fields(ctx, found, cache_control)
    ctx.body = found.body
    ctx.length = size
    if ctx.status == 200 and ctx.method in {"GET", "HEAD"}:
        _apply_conditions(ctx, found)


def _set_fields(ctx: Context[Any], found: Found, cache_control: str) -> None:
    if found.varies:
        ctx.vary("Accept-Encoding")
    if found.coding is not None:
        ctx.set("Content-Encoding", found.coding)
    fields = {
        "Content-Type": _type_of(found.name),
        "ETag": _tag_of(found),
        "Last-Modified": format_date(_modified(found.facts)),
        "Cache-Control": cache_control,
        "Accept-Ranges": "bytes",
    }
    for name, value in fields.items():
        if not ctx.response.has(name):
            ctx.set(name, value)


def _type_of(name: str) -> str:
    extension = PurePath(name).suffix  # "html" alone is a name, not an extension
    return (content_type(extension) if extension else None) or BINARY


def _modified(facts: os.stat_result) -> float:
    """Return when it was modified, in seconds, but not in the future (RFC 9110, 8.8.2.1)."""
    return max(0, min(facts.st_mtime, time.time()))


def _tag_of(found: Found) -> str:
    """Return a strong tag; a weak one for a file that may change without showing it."""
    facts = found.facts
    tag = state_tag(facts.st_size, facts.st_mtime_ns, found.coding or "")
    return tag if time.time() - facts.st_mtime > UNSETTLED else f"W/{tag}"


def _apply_conditions(ctx: Context[Any], found: Found) -> None:
    """Answer 304, 412, 416 or 206 where the request's conditions say so (RFC 9110, 13.2.2)."""
    if precondition_fails(ctx.headers, ctx.response.headers):
        raise PreconditionFailed
    if ctx.fresh:
        ctx.status = 304
    elif ctx.method == "GET" and _may_be_partial(ctx):
        _send_parts(ctx, found)


def _may_be_partial(ctx: Context[Any]) -> bool:
    """Say whether parts are asked for, of just this state of the file."""
    if not ctx.get("Range"):
        return False
    condition = ctx.get("If-Range")
    etag = ctx.response.get("ETag")
    is_settled = not etag.startswith("W/")
    last_modified = ctx.response.get("Last-Modified") if is_settled else ""
    return not condition or if_range_holds(condition, etag, last_modified)


def _send_parts(ctx: Context[Any], found: Found) -> None:
    size = found.facts.st_size
    parts = parse_ranges(ctx.get("Range"), size)
    if parts is None or len(parts) > MAX_PARTS:
        return
    if not parts:
        raise RangeNotSatisfiable(headers={"Content-Range": content_range(None, size)})
    if len(parts) == 1:
        ctx.set("Content-Range", content_range(parts[0], size))
        found.body.take(parts)
    else:
        boundary = token_hex(12)
        found.body.take(multipart(parts, size, ctx.response.get("Content-Type"), boundary))
        ctx.set("Content-Type", f"multipart/byteranges; boundary={boundary}")
    ctx.status = 206
    ctx.length = found.body.length
