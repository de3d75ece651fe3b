"""pretty_json: JSON indented for readers, always or where the query asks for it."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from typing import Any

from ohia import Context, Middleware, Next
from ohia.json import JsonDefault, encode_json

__all__ = ["pretty_json"]

TEXT = (str, bytes, bytearray, memoryview)


def pretty_json(*, pretty: bool = True, param: str | None = None, spaces: int = 2) -> Middleware:
    """Write JSON bodies indented by `spaces` if `pretty` or if the query has `param`, or compact.

    It overrules `app.json_spaces`. An iterator under a JSON type (`ctx.type = "json"`) becomes an
    array of what it gives, sent item by item, unless it gives str or bytes.
    """

    async def pretty_json(ctx: Context, next: Next) -> None:
        await next()
        if not _is_json(ctx):
            return
        is_pretty = pretty or (param is not None and param in ctx.query)
        indent, default = spaces if is_pretty else 0, ctx.app.json_default
        if _is_many(ctx.body):
            ctx.body = _array(ctx.body, indent, default)
        else:
            ctx.body = encode_json(ctx.body, indent, default)

    return pretty_json


def _is_json(ctx: Context) -> bool:
    """Say whether the body is a value to be written as JSON: neither text, file nor nothing."""
    body = ctx.body
    if ctx.header_sent or body is None or isinstance(body, TEXT):
        return False
    is_file = hasattr(body, "__fspath__") or hasattr(body, "read")
    return not is_file and ctx.response.type.lower().endswith(("/json", "+json"))


def _is_many(body: object) -> bool:
    return isinstance(body, AsyncIterable | Iterator)


async def _array(
    items: AsyncIterable[Any] | Iterator[Any], spaces: int, default: JsonDefault | None
) -> AsyncGenerator[Any]:
    """Yield a JSON array of `items` piece by piece; text among them as it is."""
    line = b"\n" + b" " * spaces if spaces else b""
    count = 0
    has_text = False
    async for item in _async(items):
        if isinstance(item, TEXT):
            has_text = True
            yield item
            continue
        count += 1
        data = encode_json(item, spaces, default).replace(b"\n", line or b"\n")
        yield (b"," if count > 1 else b"[") + line + data
    if not has_text:
        yield (b"[" if count == 0 else line[:1]) + b"]"


async def _async(items: AsyncIterable[Any] | Iterator[Any]) -> AsyncIterator[Any]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
