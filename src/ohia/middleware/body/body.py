"""body(): what a request carries, as `ctx.request.body` and `ctx.request.files`.

Options and behaviour are those of @koa/bodyparser 6, in snake_case, with files as well.
"""

import inspect
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from ohia import Context, HTTPError, Middleware, Next, Request
from ohia.amounts import check_whole
from ohia.extras import missing
from ohia.http.listed import listed
from ohia.middleware.body.form import Files
from ohia.middleware.body.inflate import Codings, known_codings
from ohia.middleware.body.kinds import TYPES, Settings, parse
from ohia.middleware.body.limits import MIB, FormLimits, FormOptions, limited
from ohia.middleware.body.parts import PushParser, unfolded
from ohia.middleware.body.reader import FormReader, Storage
from ohia.plain import plain

__all__ = ["body"]

NO_FILES = Files()
NO_CODINGS: Codings = {}


def body(
    *,
    enable_types: Collection[str] = ("json", "form", "multipart"),
    json_limit: int | None = MIB,
    text_limit: int | None = MIB,
    xml_limit: int | None = MIB,
    json_strict: bool = True,
    extend_types: Mapping[str, str | Sequence[str]] | None = None,
    detect_json: Callable[[Context[Any]], object] | None = None,
    on_error: Callable[[HTTPError, Context[Any]], object] | None = None,
    parsed_methods: Collection[str] = ("POST", "PUT", "PATCH"),
    inflate: bool = True,
    form_depth: int = 0,
    upload_dir: str | PathLike[str] | None = None,
    spool_size: int = 64 * 1024,
    **form_options: Unpack[FormOptions],
) -> Middleware:
    """Read bodies of the kinds in `enable_types` into `ctx.request.body`.

    The kinds are `json`, `form` and `multipart`, and `text` and `xml`, which are read as str.
    `ctx.request.raw_body` is the same as bytes (not of multipart), `ctx.request.files` are the
    files of a form. The body is `{}` for what is of no such kind, None for a method that is
    not among `parsed_methods`; then nothing is read, and `await ctx.request.form()` or
    `ctx.request.parts()` may do it.

    Sizes are in bytes, after inflating; None is `app.max_body` for what is read whole. With a
    `form_depth` brackets in the names of a form nest, so deep. Files above `spool_size` lie in
    `upload_dir` (the system's for temporary files) until the request is over. `extend_types`
    adds media types to kinds; where `detect_json(ctx)` is true it is JSON, whatever it says.
    `on_error(error, ctx)` answers for an error; downstream is not asked then.

    TypeError for a size that is no int, and an async `detect_json`; ValueError for an unknown
    kind, NotADirectoryError for an `upload_dir` that is no folder, ModuleNotFoundError where
    multipart has no library.
    """
    form_limits = limited("body", FormLimits(), form_options)
    whole = {"json": json_limit, "form": form_limits.form_limit, "text": text_limit}
    limits = {**whole, "xml": xml_limit}
    _check_sizes(limits, spool_size=spool_size, form_depth=form_depth)
    settings = Settings(
        methods=frozenset(each.upper() for each in listed(parsed_methods)),
        types=_types(enable_types, extend_types or {}),
        detect_json=None if detect_json is None else plain("detect_json", detect_json),
        limits=limits,
        json_strict=json_strict,
        form_depth=form_depth,
        codings=known_codings() if inflate else NO_CODINGS,
    )
    storage = Storage(_folder(upload_dir), spool_size)
    if "multipart" in enable_types:
        load_parser()

    async def body(ctx: Context[Any], next: Next) -> Any:  # noqa: ANN401 - what downstream returns
        request = ctx.request
        if not _is_parsed(request):
            reader = FormReader(ctx, form_limits, settings.codings, storage, load_parser)
            _prepare(request, reader)
            try:
                await parse(ctx, reader, settings)
            except HTTPError as error:
                if on_error is None:
                    raise
                return await _answer(on_error, error, ctx)
        return await next()

    return body


def _check_sizes(limits: Mapping[str, int | None], **sizes: int) -> None:
    for kind, limit in limits.items():
        if limit is not None:
            check_whole(f"{kind}_limit", limit)
    for option, size in sizes.items():
        check_whole(option, size)


def load_parser() -> PushParser:
    """Return the multipart package's parser, or raise what says how to get it."""
    try:
        library: Any = import_module("multipart")
        return unfolded(library.PushMultipartParser, library.ParserError)
    except (ImportError, AttributeError):  # another package has had this name, without this class
        raise missing("body()", "multipart", "forms") from None


def _types(
    kinds: Collection[str], extended: Mapping[str, str | Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Return the media types of each of `kinds`, `extended` by more."""
    for kind in (*kinds, *extended):
        if kind not in TYPES:
            raise ValueError(f"a kind of body is one of {', '.join(TYPES)}, got {kind!r}")
    return {
        kind: (*TYPES[kind], *_listed(extended.get(kind, ()))) for kind in TYPES if kind in kinds
    }


def _listed(types: str | Sequence[str]) -> Sequence[str]:
    return [types] if isinstance(types, str) else types


def _folder(upload_dir: str | PathLike[str] | None) -> Path:
    folder = Path(tempfile.gettempdir() if upload_dir is None else upload_dir)
    if not folder.is_dir():
        raise NotADirectoryError(f"upload_dir is a folder that exists, got {upload_dir!r}")
    return folder


def _is_parsed(request: Request) -> bool:
    """Say whether someone upstream has set a body, or a `body()` has found one to read."""
    known = vars(request)
    reader = getattr(known.get("form"), "__self__", None)
    if isinstance(reader, FormReader):
        return reader.is_parsed
    return known.get("body") is not None


def _prepare(request: Request, reader: FormReader) -> None:
    vars(request).update(
        body=None, raw_body=None, files=NO_FILES, form=reader.form, parts=reader.parts
    )


async def _answer(
    on_error: Callable[[HTTPError, Context[Any]], object], error: HTTPError, ctx: Context[Any]
) -> None:
    answer = on_error(error, ctx)
    if inspect.isawaitable(answer):
        await answer
