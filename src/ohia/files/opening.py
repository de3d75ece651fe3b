"""Opening files below a root, whatever happens to the folders in between.

Names are followed one by one from the root's descriptor, and symbolic links are not. Where one is
met, the real place of the file is looked up and, if that is below the root, followed just so. What
is swapped meanwhile is not found, rather than found outside.
"""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

__all__ = ["OpenFile", "is_file", "open_file"]

# What the system says of a name that leads to no file, or not without following a link.
ABSENT = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMLINK}
    | {errno.EINVAL, errno.EILSEQ, errno.ENXIO, errno.ENODEV}
)

# A pipe that nobody writes to must not block, a terminal not become ours.
READ = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
)
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
PASS = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)  # to go through a folder
CAN_WALK = os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file that is open for reading: whoever has it closes `file`."""

    file: BufferedReader
    path: str
    facts: os.stat_result


def open_file(root: str, names: Sequence[str], *, outside: bool) -> OpenFile:
    """Open the regular file that `names` lead to from the folder `root`.

    `outside` allows symbolic links to lead out of it. FileNotFoundError for what is not there,
    or no regular file; IsADirectoryError for a folder; other errors of the system as they are.
    """
    try:
        if outside:
            return _open(path_below(root, names), READ)
        return _open_inside(root, names)
    except IsADirectoryError:
        raise
    except OSError as error:
        if error.errno in ABSENT:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        raise
    except ValueError:  # no name that this system can write
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None


def is_file(root: str, names: Sequence[str]) -> bool:
    """Say whether `names` seem to lead to a regular file; only opening it tells."""
    try:
        return stat.S_ISREG(os.stat(path_below(root, names)).st_mode)  # noqa: PTH116 - a Path is slow
    except (OSError, ValueError):
        return False


def path_below(root: str, names: Sequence[str]) -> str:
    """Return where `names`, each of which is a name and nothing else, lead to from `root`."""
    return os.path.join(root, *names)  # noqa: PTH118 - a Path is slow


def _open_inside(root: str, names: Sequence[str]) -> OpenFile:
    if CAN_WALK:
        try:
            return _walk(root, names)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR}:
                raise
    top = os.path.realpath(root)
    place = os.path.realpath(path_below(root, names), strict=True)
    inside = place.removeprefix(top.rstrip(os.sep) + os.sep)
    if inside == place:
        raise _missing() if place != top else IsADirectoryError
    return _walk(top, Path(inside).parts) if CAN_WALK else _open(place, READ)


def _walk(root: str, names: Sequence[str]) -> OpenFile:
    """Open what `names` lead to, through no link but the root itself."""
    folder = os.open(root, PASS)
    try:
        for name in names[:-1]:
            inner = os.open(name, PASS | NO_LINK, dir_fd=folder)
            os.close(folder)
            folder = inner
        if not names:
            raise IsADirectoryError
        return _open(names[-1], READ | NO_LINK, path_below(root, names), folder)
    finally:
        os.close(folder)


def _open(name: str, flags: int, path: str | None = None, folder: int | None = None) -> OpenFile:
    """Open `name` if it is a regular file now, and still is when it is open.

    The first look keeps devices and pipes, which opening does something to, closed.
    """
    _check(os.stat(name, dir_fd=folder, follow_symlinks=not flags & NO_LINK))
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        facts = os.fstat(descriptor)
        _check(facts)
    except BaseException:
        os.close(descriptor)
        raise
    return OpenFile(os.fdopen(descriptor, "rb"), path or name, facts)


def _check(facts: os.stat_result) -> None:
    kind = stat.S_IFMT(facts.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError
    if kind == stat.S_IFLNK:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if kind != stat.S_IFREG:
        raise _missing()


def _missing() -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
