"""The parts of a multipart body, one after the other as they arrive (RFC 7578).

The grammar is the multipart package's push parser: bytes in, events out. `PartEvents` feeds it
and counts; a `Part` is what a user sees between two of its events.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any

from ohia.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from ohia.http.charset import text_codec
from ohia.http.file_name import safe_name
from ohia.http.headers import Headers
from ohia.http.media_type import charset
from ohia.middleware.body.limits import MIB, FormLimits, check

__all__ = ["Part", "PartEvents", "PushParser", "parts_of", "unfolded"]

BOUNDARY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,68}[\x21-\x7e])?")  # RFC 2046, 5.1.1
NOT_ENCODED = frozenset({"", "7bit", "8bit", "binary"})  # RFC 7578, 4.7

PushParser = Callable[..., Any]
"""The class of the multipart package, which names no types. Its `parse(data)` yields for each
part a segment, then its bytes, then None."""

END: Any = object()
"""The event after the last part."""


@cache
def unfolded(parser: Any, error: type[Exception]) -> PushParser:  # noqa: ANN401 - a class without types
    """Return the class `parser` so that it raises `error` for a folded line of a part's head.

    No browser folds one; and each line that goes on costs as much as all of its field before, so
    that a megabyte of them takes a second.
    """

    class Unfolded(parser):  # type: ignore[misc] # pyright: ignore[reportUntypedBaseClass]
        def _on_segment_headerline(self, line: bytes) -> None:
            if line[:1] in {b" ", b"\t"}:
                raise error("a folded line in the head of a part")
            super()._on_segment_headerline(line)  # pyright: ignore[reportUnknownMemberType]

    return Unfolded


class PartEvents:
    """What the parser makes of `pieces`, held to `limits`."""

    def __init__(
        self, pieces: AsyncIterator[bytes], boundary: str, limits: FormLimits, parser: PushParser
    ) -> None:
        if not BOUNDARY.fullmatch(boundary):
            raise BadRequest("Invalid multipart body: no boundary, or one that is none")
        self._pieces = pieces
        self._limits = limits
        self._parser = parser(
            boundary,
            max_header_count=limits.max_part_headers,
            max_header_size=limits.max_part_header_size,
        )
        self._events: Iterator[Any] = iter(())
        self._is_over = False
        self._size = self._fields = self._fields_size = self._files = 0

    async def next(self) -> Any:  # noqa: ANN401 - the parser's events, or END
        """Return the next event."""
        while True:
            for event in self._events:
                return event
            if self._is_over:
                return END
            await self._feed()

    async def _feed(self) -> None:
        piece = await anext(self._pieces, b"")
        self._is_over = not piece
        self._size += len(piece)
        check(self._size, self._limits.multipart_limit, "bytes of a multipart body")
        self._events = self._parse(piece)

    def _parse(self, piece: bytes) -> Iterator[Any]:
        """Yield the events of `piece`; an empty one is the end, which may come too early."""
        try:
            yield from self._parser.parse(piece)
        except ValueError as error:  # the package's errors are
            if getattr(error, "http_status", 400) == 413:
                raise PayloadTooLarge(f"Invalid multipart body: {error}") from error
            raise BadRequest(f"Invalid multipart body: {error}") from error

    def count_part(self, part: "Part") -> None:
        """Note one more part, or raise PayloadTooLarge."""
        if part.filename is None:
            self._fields += 1
            check(self._fields, self._limits.max_fields, "fields of a form")
        else:
            self._files += 1
            check(self._files, self._limits.max_files, "files of a form")

    def count_bytes(self, part: "Part", size: int) -> None:
        """Note that `part` has `size` bytes more, or raise PayloadTooLarge."""
        if part.filename is None:
            self._fields_size += size
            check(self._fields_size, self._limits.max_fields_size, "bytes of fields")
        else:
            check(part.size, self._limits.max_file_size, "bytes of a file")


class Part:
    """One part while it arrives: iterate over it for its bytes, or `read()` it.

    `name` is the form's field. `filename` is None for a text; for a file it is what the client
    calls it, made safe as a name on a disk, perhaps empty, and `given_filename` is the same
    untouched: data, never part of a path. `type` is what the client says it is, `size` the
    bytes that were read.
    """

    name: str
    filename: str | None
    given_filename: str | None
    type: str
    headers: Headers
    size: int

    def __init__(self, segment: Any, events: PartEvents) -> None:  # noqa: ANN401 - the parser's
        self.name = segment.name
        self.given_filename = segment.filename
        self.filename = None if segment.filename is None else safe_name(segment.filename)
        self.type = segment.content_type or ""
        self.headers = _headers(segment.headerlist)
        self.size = 0
        self._events = events
        self._is_over = self._is_skipped = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._is_skipped:
            raise RuntimeError(f"part {self.name!r} is gone: read it before the next one")
        piece = None if self._is_over else await self._events.next()
        if piece is None:
            self._is_over = True
            raise StopAsyncIteration
        self.size += len(piece)
        self._events.count_bytes(self, len(piece))
        return bytes(piece)

    async def read(self, limit: int | None = MIB) -> bytes:
        """Return what is left of it; more than `limit` bytes is PayloadTooLarge."""
        content = bytearray()
        async for piece in self:
            content += piece
            check(len(content), limit, "bytes of a part")
        return bytes(content)

    async def text(self, limit: int | None = MIB) -> str:
        """Return what is left of it as text, U+FFFD for what is none.

        It is UTF-8, or of the charset that the part names; one that is unknown is
        UnsupportedMediaType.
        """
        codec = text_codec(charset(self.headers.get("content-type", "")) or "utf-8")
        if codec is None:
            raise UnsupportedMediaType("Unsupported charset")
        return (await self.read(limit)).decode(codec, "replace")

    async def skip(self) -> None:
        """Read to the end what nobody wanted; it cannot be read any more."""
        if not self._is_over:
            async for _ in self:
                continue
            self._is_skipped = True

    def __repr__(self) -> str:
        return f"<Part {self.name!r} {self.filename!r}>"


async def parts_of(events: PartEvents) -> AsyncIterator[Part]:
    """Yield the parts; the rest of one is read when the next is asked for."""
    while (segment := await events.next()) is not END:
        part = Part(segment, events)
        _check_head(part)
        events.count_part(part)
        yield part
        await part.skip()


def _check_head(part: Part) -> None:
    if not part.name:
        raise BadRequest("Invalid multipart body: a part without a name")
    if part.headers.get("content-transfer-encoding", "").strip().lower() not in NOT_ENCODED:
        raise BadRequest("Invalid multipart body: Content-Transfer-Encoding is not supported")


def _headers(pairs: list[tuple[str, str]]) -> Headers:
    """Return the part's fields. They are UTF-8, so not every one could be sent as a header."""
    headers = Headers()
    for name, value in pairs:
        if name in headers:
            raise BadRequest(f"Invalid multipart body: {name} twice in one part")
        headers.put(name, value)
    return headers
