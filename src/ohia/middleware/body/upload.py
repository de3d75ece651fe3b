"""A file that came with a form: in memory while it is small, then in a temporary file.

Its place on the disk has a random name; what the client called it is never used for one. Disks
are slow at times, so they are written and read in threads.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from ohia.http.headers import Headers
from ohia.middleware.body.parts import Part

__all__ = ["Upload", "remove", "store"]

Value = TypeVar("Value")

BATCH = 256 * 1024  # bytes handed to a thread at once; handing over costs as much as 64 KiB
OWNER_ONLY = 0o600
NEW = os.O_CREAT | os.O_EXCL  # never a file, or a link, that someone else has put there
APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class Upload:
    """A file from a form, until the request is over.

    `name` is the form's field. `filename` is what the client calls the file, made safe as a name
    on a disk, perhaps empty; `given_filename` is the same untouched: data, never part of a path.
    `type` is what the client says it is, and `size` its bytes. `path` is where it lies, None
    while it is in memory.
    """

    name: str
    filename: str
    given_filename: str
    type: str
    headers: Headers
    size: int
    path: Path | None

    def __init__(self, part: Part) -> None:
        self.name = part.name
        self.filename = part.filename or ""
        self.given_filename = part.given_filename or ""
        self.type = part.type
        self.headers = part.headers
        self.size = 0
        self.path = None
        self._is_temporary = False
        self._memory = bytearray()

    async def read(self) -> bytes:
        """Return the whole file."""
        if self.path is None:
            return bytes(self._memory)
        return await in_thread(self.path.read_bytes)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the file in pieces."""
        if self.path is None:
            if self._memory:
                yield bytes(self._memory)
            return
        start = 0
        while piece := await in_thread(partial(self._read_from, start)):
            yield piece
            start += len(piece)

    async def save(self, path: "str | os.PathLike[str]") -> Path:
        """Keep the file at `path`, for its owner to read, and return it; it replaces what is there.

        A temporary file is moved if `path` is on the same disk. IsADirectoryError for a folder.
        """
        target = Path(path)
        await in_thread(lambda: self._save(target))
        self.path, self._is_temporary, self._memory = target, False, bytearray()
        return target

    def _save(self, target: Path) -> None:
        if target.is_dir():
            raise IsADirectoryError(f"the path of a file is needed, got the folder {target}")
        if self.path is None:
            _append(target, self._memory, os.O_CREAT | os.O_TRUNC)
        elif self._is_temporary:
            shutil.move(self.path, target)
        elif self.path != target:
            shutil.copyfile(self.path, target)

    def _read_from(self, start: int) -> bytes:
        with cast("Path", self.path).open("rb") as file:
            file.seek(start)
            return file.read(BATCH)

    async def write(self, piece: bytes, folder: Path, spool_size: int) -> None:
        """Add `piece`; above `spool_size` bytes of memory go on in a new file in `folder`."""
        self.size += len(piece)
        self._memory += piece
        if len(self._memory) > (spool_size if self.path is None else BATCH):
            await self._spill(folder)

    async def finish(self, folder: Path) -> None:
        """Write what is left, if the file is on the disk."""
        if self.path is not None and self._memory:
            await self._spill(folder)

    async def _spill(self, folder: Path) -> None:
        flags = 0
        if self.path is None:
            flags = NEW
            self.path = folder / f"ohia-{secrets.token_hex(16)}"
            self._is_temporary = True
        path, memory = self.path, self._memory
        self._memory = bytearray()
        await in_thread(lambda: _append(path, memory, flags))

    @property
    def temporary_path(self) -> Path | None:
        """Where it lies, if that is to be removed when the request is over."""
        return self.path if self._is_temporary else None

    def __repr__(self) -> str:
        return f"<Upload {self.name!r} {self.filename!r} {self.size} bytes>"


async def store(part: Part, uploads: list[Upload], folder: Path, spool_size: int) -> Upload:
    """Read `part` to its end into an upload, which is in `uploads` from the beginning."""
    upload = Upload(part)
    uploads.append(upload)
    async for piece in part:
        await upload.write(piece, folder, spool_size)
    await upload.finish(folder)
    return upload


async def remove(uploads: list[Upload]) -> None:
    """Remove the temporary files of `uploads`."""
    paths = [path for upload in uploads if (path := upload.temporary_path) is not None]
    if paths:
        await in_thread(lambda: _unlink(paths))


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _append(path: Path, content: bytearray, flags: int) -> None:
    with open(os.open(path, APPEND | flags, OWNER_ONLY), "ab") as file:  # noqa: PTH123 - of a descriptor
        file.write(content)


async def in_thread(function: Callable[[], Value]) -> Value:
    """Return what `function` returns in a thread; a cancellation waits for its end.

    So no file is written behind the back of whoever cleans up.
    """
    job = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        job.exception()  # of a job that nobody asks any more: looked at is enough
        raise
