"""`await send(ctx, path, root=...)`: a file as the response (RFC 9110, 13 and 14)."""

import os
from pathlib import PurePath
from typing import Any, Unpack

from ohia import Context
from ohia.files import FileOptions, Files

__all__ = ["send"]


async def send(
    ctx: Context[Any],
    path: str | PurePath,
    *,
    root: str | os.PathLike[str],
    index: str | None = None,
    **options: Unpack[FileOptions],
) -> str:
    """Answer `ctx` with the file at `path` below the folder `root`, and return where that is.

    A str is read as a path of a URL, percent-decoded once; a PurePath is taken as it is.
    `index` and `options` are those of `ohia.files.Files`. NotFound where there is nothing to
    send, Forbidden for a denied dotfile; PreconditionFailed and RangeNotSatisfiable as the
    request says.
    """
    return await Files(root, index=index, **options).send(ctx, path)
