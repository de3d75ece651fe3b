"""Files of a folder for the paths of requests, and the way on for what is none."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ohia import Context, Middleware, Next
from ohia.errors import MethodNotAllowed, NotFound
from ohia.files import FileOptions, Files

__all__ = ["static"]


def static(
    root: str | os.PathLike[str],
    *,
    index: str | None = "index.html",
    defer: bool = False,
    fallthrough: bool = True,
    fallback: str | None = None,
    **options: Unpack[FileOptions],
) -> Middleware:
    """Answer GET and HEAD with the files below the folder `root`; let the rest go downstream.

    With `defer` downstream comes first. Without `fallthrough` nothing goes downstream: 404 or
    405. `fallback` is the file for pages that nobody else answers, of an application that routes
    in the browser. `index` and `options` are those of `ohia.files.Files`. NotADirectoryError if
    there is no such folder.
    """
    if not Path(root).is_dir():
        raise NotADirectoryError(
            f"static() serves a folder, got {os.fspath(root)!r}: there is none"
        )
    if defer and not fallthrough:
        raise ValueError("static() goes downstream with defer, and not without fallthrough")
    site = Site(Files(root, index=index, **options), defer, fallthrough, fallback)

    async def static(ctx: Context[Any], next: Next) -> None:
        if ctx.method in {"GET", "HEAD"}:
            await site.answer(ctx, next)
        elif fallthrough:
            await next()
        else:
            raise MethodNotAllowed(headers={"Allow": "GET, HEAD"})

    return static


@dataclass(frozen=True, slots=True)
class Site:
    """Files, and what happens where there is none."""

    files: Files
    defer: bool
    fallthrough: bool
    fallback: str | None

    async def answer(self, ctx: Context[Any], next: Next) -> None:
        """Answer a GET or HEAD, alone or with what is downstream."""
        if not self.defer and await self._serve(ctx):
            return
        if self.fallthrough:
            await next()
        if ctx.header_sent or ctx.body is not None or ctx.status != 404:
            return
        if self.defer and await self._serve(ctx):
            return
        if self.fallback is not None:
            ctx.vary("Accept", sticky=True)
        if self.fallback is not None and "text/html" in ctx.accepts():
            await self.files.send(ctx, self.fallback)
        elif not self.fallthrough:
            raise NotFound

    async def _serve(self, ctx: Context[Any]) -> bool:
        """Send the file at the path that was asked for; say whether there is one."""
        if ctx.upgradable:
            return False
        try:
            await self.files.send(ctx, ctx.path)
        except NotFound:
            return False
        return True
