"""`await send(ctx, path, root=...)`: a file as the response (RFC 9110, 13 and 14)."""

import os
from pathlib import PurePath
from typing import Any, Unpack

from ohia import Context
from ohia.errors import NotFound
from ohia.files import FileOptions, Files
from ohia.http.path import quote_path, relative_path, split_path

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

    A str that begins with a slash is a path of a URL, as `ctx.path`, and is percent-decoded once;
    any other is decoded already, as the wildcard of a route is, and so is a PurePath. `index` and
    `options` are those of `ohia.files.Files`.

    NotFound where there is nothing to send, and for a str with slashes that may have been made
    of a path which guards read otherwise. Forbidden for a denied dotfile; PreconditionFailed
    and RangeNotSatisfiable as the request says.
    """
    if isinstance(path, str) and path != ctx.path:
        path = _url_path(path, ctx.path)
    return await Files(root, index=index, **options).send(ctx, path)


def _url_path(path: str, asked: str) -> str:
    """Return `path` encoded; NotFound if what it was made of, the path `asked` for, is unclear."""
    is_encoded = path.startswith("/")
    if "/" in path and _is_unclear(asked, encoded=is_encoded):
        raise NotFound
    try:
        return path if is_encoded else f"/{quote_path(path)}"
    except ValueError:
        raise NotFound from None


def _is_unclear(path: str, *, encoded: bool) -> bool:
    """Say whether a text made of `path` may lead elsewhere than `path` does.

    By a slash of either kind that came encoded, an empty segment, and where the text will be
    decoded once more by a percent sign.
    """
    relative = relative_path(split_path(path) or ["", ""])
    return relative is None or (encoded and "%" in relative)
