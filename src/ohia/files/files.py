"""Files: one folder with its options, whose files become responses."""

import asyncio
import inspect
import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from math import inf
from pathlib import Path, PurePath
from threading import Lock
from typing import Any, Literal, TypedDict

from ohia import Context
from ohia.amounts import to_seconds
from ohia.errors import Forbidden, NotFound
from ohia.files.answering import CONDITIONS, answer
from ohia.files.finding import SUFFIXES, Asked, Finder, Found
from ohia.http.file_name import is_plain_name
from ohia.http.path import quote_segment, split_path

__all__ = ["FileOptions", "Files"]

SetHeaders = Callable[[Context[Any], str, os.stat_result], object]
Dotfiles = Literal["ignore", "deny", "allow"]
Coding = Literal["br", "zstd", "gzip"]

YEAR = 365 * 24 * 60 * 60  # seconds; for ever, to a cache (RFC 9111, 1.2.2)


class FileOptions(TypedDict, total=False):
    """The keywords of `Files` but for `index`."""

    max_age: float | timedelta
    immutable: bool | str | re.Pattern[str]
    dotfiles: Dotfiles
    well_known: bool
    extensions: Sequence[str]
    precompressed: Sequence[Coding]
    outside_links: bool
    redirect: bool
    set_headers: SetHeaders | None


class Files:
    """The files below `root`, to be sent.

    `index` answers for a folder, None: nothing does. `max_age` (seconds or a timedelta) and
    `immutable` go into Cache-Control; a pattern in `immutable` is searched for in paths, and what
    it finds is fresh for a year. `dotfiles` are ignored (404), denied (403) or allowed, but
    `well_known` opens `/.well-known/`. `extensions` are tried for a name without one.
    `precompressed` are the codings whose siblings (`.br`, `.zst`, `.gz`) are sent to whom accepts
    them. `outside_links` lets symbolic links lead out of `root`. `redirect` sends who asks for a
    folder without a slash to the one with it; else its index answers at both.
    `set_headers(ctx, path, facts)`, plain or async, comes before all other headers.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        index: str | None = None,
        max_age: float | timedelta = 0,
        immutable: bool | str | re.Pattern[str] = False,
        dotfiles: Dotfiles = "ignore",
        well_known: bool = True,
        extensions: Sequence[str] = (),
        precompressed: Sequence[Coding] = ("br", "zstd", "gzip"),
        outside_links: bool = False,
        redirect: bool = True,
        set_headers: SetHeaders | None = None,
    ) -> None:
        self.root: str = str(Path(root).absolute())
        self._cache_control = _cache_control(max_age, is_immutable=immutable is True)
        self._immutable = None if isinstance(immutable, bool) else re.compile(immutable)
        self._dotfiles = _one_of("dotfiles", dotfiles, ("ignore", "deny", "allow"))
        self._well_known = well_known
        self._redirect = redirect
        self._set_headers = set_headers
        self._finder = Finder(
            root=self.root,
            index=index or None,
            extensions=_dotted(extensions),
            codings=[_one_of("precompressed", each, tuple(SUFFIXES)) for each in precompressed],
            outside=outside_links,
        )

    async def send(self, ctx: Context[Any], path: str | PurePath) -> str:
        """Answer `ctx` with the file at `path`, and return where that is.

        A str is percent-encoded, as `ctx.path`; a PurePath is taken as it is. NotFound where
        there is nothing to send, and for a WebSocket handshake; Forbidden for a denied dotfile;
        PreconditionFailed and RangeNotSatisfiable as the request's conditions say.
        """
        asked = None if ctx.upgradable else self._asked(ctx, path)
        if asked is None:
            raise NotFound
        try:
            found = await _Errand(self._finder, asked).run()
        except FileNotFoundError:
            raise NotFound from None
        try:
            await self._answer(ctx, found, asked.names, is_own=path == ctx.path)
        except BaseException:
            found.close()
            raise
        return found.path

    def _asked(self, ctx: Context[Any], path: str | PurePath) -> Asked | None:
        """Return what is wanted of the disk; None for what is not to be looked for there."""
        names = _names(path)
        if names is None:
            return None
        is_folder = not names or names[-1] == ""
        names = names[:-1] if names and is_folder else names
        if not all(map(is_plain_name, names)) or not self._may_see(names):
            return None
        reads = ctx.method == "GET" and not any(each in ctx.headers for each in CONDITIONS)
        return Asked(names, is_folder, ctx.get("Accept-Encoding"), reads)

    def _may_see(self, names: Sequence[str]) -> bool:
        """Say whether none of `names` is hidden; Forbidden for one that is denied."""
        is_well_known = self._well_known and names[:1] == [".well-known"]
        is_hidden = any(name.startswith(".") for name in names[is_well_known:])
        if is_hidden and self._dotfiles == "deny":
            raise Forbidden
        return not is_hidden or self._dotfiles == "allow"

    async def _answer(
        self, ctx: Context[Any], found: Found, names: Sequence[str], *, is_own: bool
    ) -> None:
        folder = _folder_without_slash(ctx, found, names) if is_own and self._redirect else None
        if folder is not None:
            found.close()
            # Relative, so that it stays on this host and right behind any prefix.
            ctx.redirect(f"./{quote_segment(folder)}/{ctx.search}", status=301)
            return
        if self._set_headers is not None:
            result = self._set_headers(ctx, found.path, found.facts)
            if inspect.isawaitable(result):
                await result
        answer(ctx, found, self._caching(names))

    def _caching(self, names: Sequence[str]) -> str:
        """Return Cache-Control for the file at `names`."""
        if self._immutable is not None and self._immutable.search("/" + "/".join(names)):
            return _cache_control(YEAR, is_immutable=True)
        return self._cache_control


def _names(path: str | PurePath) -> list[str] | None:
    """Return the decoded names of `path`, the last is "" for a folder; None if it has none."""
    if isinstance(path, PurePath):
        return None if path.anchor else list(path.parts)
    return split_path(path if path.startswith("/") else f"/{path}")


def _folder_without_slash(ctx: Context[Any], found: Found, names: Sequence[str]) -> str | None:
    """Return the last name of a folder that the client asked for without its slash, or None.

    Below a mount the folder may be the mount's own.
    """
    if found.is_folder:
        return names[-1]
    if names or not ctx.mount_path or ctx.original_url.partition("?")[0] != ctx.mount_path:
        return None
    mounted = split_path(ctx.mount_path)
    return mounted[-1] if mounted and is_plain_name(mounted[-1]) else None


def _cache_control(max_age: float | timedelta, *, is_immutable: bool) -> str:
    seconds = to_seconds("max_age", max_age)
    if not 0 <= seconds < inf:
        raise ValueError(f"max_age is a number of seconds from 0 on, got {max_age!r}")
    return f"max-age={int(seconds)}{', immutable' if is_immutable else ''}"


def _one_of(option: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{option} takes {', '.join(known)}, got {value!r}")
    return value


def _dotted(extensions: Sequence[str]) -> list[str]:
    if isinstance(extensions, str):
        raise TypeError(f"extensions is a list, got the text {extensions!r}")
    return [each if each.startswith(".") else f".{each}" for each in extensions]


class _Errand:
    """A search in a thread; what it finds for a task that was cancelled meanwhile is closed."""

    def __init__(self, finder: Finder, asked: Asked) -> None:
        self._finder = finder
        self._asked = asked
        self._lock = Lock()
        self._found: Found | None = None
        self._is_abandoned = False

    async def run(self) -> Found:
        """Return what is found."""
        try:
            return await asyncio.to_thread(self._find)
        except asyncio.CancelledError:
            self._abandon()
            raise

    def _find(self) -> Found:
        found = self._finder.find(self._asked)
        with self._lock:
            self._found = found
            if self._is_abandoned:
                found.close()
        return found

    def _abandon(self) -> None:
        with self._lock:
            self._is_abandoned = True
            if self._found is not None:
                self._found.close()
