"""Each kind of body, read whole into what `ctx.request.body` is to be."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ohia import Context, Request
from ohia.errors import BadRequest, UnsupportedMediaType
from ohia.http.charset import text_codec
from ohia.http.media_type import matches
from ohia.middleware.body.inflate import Codings, inflate
from ohia.middleware.body.reader import FormReader, check_charset

__all__ = ["TYPES", "Settings", "parse"]

# In the order in which they are tried.
TYPES: Mapping[str, tuple[str, ...]] = {
    "json": ("application/json", "+json", "application/csp-report"),
    "form": ("application/x-www-form-urlencoded",),
    "text": ("text/plain",),
    "xml": ("text/xml", "application/xml"),
    "multipart": ("multipart/form-data",),
}
NOTHING: dict[str, Any] = {}
"""To be copied: the body of a request that has none to be read."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `body()` was told of what is read by itself, and how."""

    methods: Collection[str]
    types: Mapping[str, Sequence[str]]
    detect_json: Callable[[Context[Any]], object] | None
    limits: Mapping[str, int | None]
    json_strict: bool
    form_depth: int
    codings: Codings


async def parse(ctx: Context[Any], reader: FormReader, settings: Settings) -> None:
    """Read the body into `ctx.request`, if its method and type are among the settings.

    Not for a handshake, nor where `ctx.disable_body_parser` is set.
    """
    if ctx.method not in settings.methods or ctx.upgradable:
        return
    if getattr(ctx, "disable_body_parser", False):
        return
    request = ctx.request
    kind = _kind(ctx, settings)
    if kind is None:
        request.body = NOTHING.copy()
        return
    request.body = await PARSERS[kind](kind, request, reader, settings)
    reader.is_parsed = True


def _kind(ctx: Context[Any], settings: Settings) -> str | None:
    if settings.detect_json is not None and settings.detect_json(ctx):
        return "json"
    field = ctx.headers.get("content-type")
    kinds = settings.types.items()
    return next((kind for kind, accepted in kinds if matches(field, accepted)), None)


async def _json(kind: str, request: Request, _reader: FormReader, settings: Settings) -> Any:  # noqa: ANN401 - JSON may be anything
    check_charset(request)
    inflate(request, settings.codings)
    limit = settings.limits[kind]
    request.raw_body = await request.read(limit)
    if not request.raw_body and not _is_announced(request):
        return NOTHING.copy()
    value: Any = await request.json(limit=limit)
    if settings.json_strict and type(value) not in (dict, list):
        raise BadRequest("Invalid JSON: an object or an array is needed")
    return value


def _is_announced(request: Request) -> bool:
    """Say whether the head of `request` promises a body (RFC 9112, 6)."""
    return "transfer-encoding" in request.headers or bool(request.length)


async def _text(kind: str, request: Request, _reader: FormReader, settings: Settings) -> str:
    if text_codec(request.charset or "utf-8") is None:
        raise UnsupportedMediaType("Unsupported charset")
    inflate(request, settings.codings)
    limit = settings.limits[kind]
    request.raw_body = await request.read(limit)
    return await request.text(limit=limit)


async def _form(kind: str, request: Request, reader: FormReader, settings: Settings) -> object:
    form = await reader.form()
    request.files = form.files
    if kind == "form":
        request.raw_body = await request.read(settings.limits[kind])
    return form.nested(settings.form_depth) if settings.form_depth else form


PARSERS: Mapping[str, Callable[[str, Request, FormReader, Settings], Awaitable[Any]]] = {
    "json": _json,
    "form": _form,
    "text": _text,
    "xml": _text,
    "multipart": _form,
}
