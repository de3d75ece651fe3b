"""`ctx.request.form()` and `ctx.request.parts()`: one request's form, read once."""

import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from ohia import Context, Request
from ohia.errors import UnsupportedMediaType
from ohia.http.charset import text_codec
from ohia.http.media_type import essence, parameters
from ohia.http.query import parse_query
from ohia.middleware.body.form import Form
from ohia.middleware.body.inflate import Codings, inflate
from ohia.middleware.body.limits import FormLimits, FormOptions, check, limited
from ohia.middleware.body.parts import Part, PartEvents, PushParser, parts_of
from ohia.middleware.body.upload import Upload, remove, store

__all__ = ["FormReader", "Storage", "check_charset"]

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Storage:
    """Where files go, and how many bytes of each stay in memory."""

    folder: Path
    spool_size: int


class FormReader:
    """The form of one request. It points to its ctx weakly, as the request that holds it does."""

    __slots__ = ("_codings", "_ctx", "_form", "_limits", "_load_parser", "_storage", "is_parsed")

    is_parsed: bool
    """Whether `body()` has found something to read."""

    def __init__(
        self,
        ctx: Context[Any],
        limits: FormLimits,
        codings: Codings,
        storage: Storage,
        load_parser: Callable[[], PushParser],
    ) -> None:
        self._ctx = weakref.ref(ctx)
        self._limits = limits
        self._codings = codings
        self._storage = storage
        self._load_parser = load_parser
        self._form: Form | None = None
        self.is_parsed = False

    async def form(self, **options: Unpack[FormOptions]) -> Form:
        """Return the request's form, the same one each time.

        `options` are limits instead of those of `body()`. A body that is no form is
        UnsupportedMediaType, a malformed one BadRequest, too large a one PayloadTooLarge; after
        `parts()` or a partial `stream()` it is RuntimeError.
        """
        if self._form is None:
            limits = limited("form", self._limits, options)
            kind = essence(self._request.get("content-type"))
            if kind == URLENCODED:
                self._form = await self._read_urlencoded(limits)
            elif kind == MULTIPART:
                self._form = await self._read_multipart(limits)
            else:
                raise UnsupportedMediaType("The body is no form")
        return self._form

    async def parts(self, **options: Unpack[FormOptions]) -> AsyncIterator[Part]:
        """Yield the parts of a multipart form while they arrive; nothing is kept.

        Errors and `options` as of `form()`.
        """
        _check_multipart(self._request)
        if self._form is not None:
            raise RuntimeError(
                "the form was already read: leave it to parts() by body(enable_types=...) "
                "without 'multipart', or by ctx.disable_body_parser"
            )
        async for part in self._parts(limited("parts", self._limits, options)):
            yield part

    @property
    def _request(self) -> Request:
        ctx = self._ctx()
        if ctx is None:
            raise RuntimeError("this request is over, and its context is gone")
        return ctx.request

    def _parts(self, limits: FormLimits) -> AsyncIterator[Part]:
        request = self._request
        check(request.length or 0, limits.multipart_limit, "bytes of a multipart body")
        inflate(request, self._codings)
        boundary = parameters(request.get("content-type")).get("boundary", "")
        return parts_of(PartEvents(request.stream(), boundary, limits, self._load_parser()))

    async def _read_multipart(self, limits: FormLimits) -> Form:
        fields: list[tuple[str, str]] = []
        uploads: list[Upload] = []
        self._request.ctx.on_finished(partial(_remove, uploads))
        async for part in self._parts(limits):
            if part.filename is None:
                fields.append((part.name, await part.text(limit=None)))
            else:
                await store(part, uploads, self._storage.folder, self._storage.spool_size)
        return Form(fields, [each for each in uploads if each.size or each.given_filename])

    async def _read_urlencoded(self, limits: FormLimits) -> Form:
        request = self._request
        check_charset(request)
        inflate(request, self._codings)
        body = await request.read(limits.form_limit)
        check(body.count(b"&") + 1, limits.max_fields, "fields of a form")
        text = body.decode(errors="replace")
        return Form(parse_query(f"?{text}").pairs())  # which takes one "?" away, never two


async def _remove(uploads: list[Upload], _error: object, _ctx: object) -> None:
    await remove(uploads)


def _check_multipart(request: Request) -> None:
    if essence(request.get("content-type")) != MULTIPART:
        raise UnsupportedMediaType("The body is no multipart form")


def check_charset(request: Request) -> None:
    """Raise UnsupportedMediaType unless the body is UTF-8, by what it says."""
    if text_codec(request.charset or "utf-8") not in {"utf-8", "ascii"}:
        raise UnsupportedMediaType("Unsupported charset")
