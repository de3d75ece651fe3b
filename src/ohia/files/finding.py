"""Which file answers a path: its index, its extensions, its compressed siblings.

All of it runs in a thread: each step may wait for a disk.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ohia.file_body import PIECE, FileBody
from ohia.files.opening import OpenFile, is_file, open_file
from ohia.http.accept import preferred_encoding

__all__ = ["SUFFIXES", "Asked", "Finder", "Found"]

SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""What the file's name gets for a content coding, in the order in which they are preferred."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants: the file that `names` lead to, or with `is_folder` the index there."""

    names: Sequence[str]
    is_folder: bool
    accept_encoding: str
    reads: bool
    """Whether its first bytes are sure to be sent."""


@dataclass(frozen=True, slots=True)
class Found:
    """An open file: `path` and `facts` are those of the file that is sent.

    `name` is what its type goes by, `head` its first bytes if they were wanted; `varies` says
    that another client gets another coding.
    """

    path: str
    name: str
    facts: os.stat_result
    body: FileBody
    head: bytes | None
    coding: str | None
    varies: bool
    is_folder: bool
    """Whether this is the index of a folder that was asked for without a slash."""

    def close(self) -> None:
        """Close the file."""
        self.body.close()


@dataclass(frozen=True, slots=True)
class Finder:
    """Where files are looked for, and how."""

    root: str
    index: str | None
    extensions: Sequence[str]
    codings: Sequence[str]
    outside: bool

    def find(self, asked: Asked) -> Found:
        """Open the file for `asked`; FileNotFoundError if there is none."""
        names, file, is_folder = self._open(asked)
        try:
            siblings = self._siblings(names)
            coding, file = self._best(names, file, siblings, asked.accept_encoding)
            body = FileBody(file.file)
            reads = asked.reads and not is_folder
            head = body.read_at(0, min(PIECE, file.facts.st_size)) if reads else None
        except BaseException:
            file.file.close()
            raise
        return Found(
            file.path, names[-1], file.facts, body, head, coding, bool(siblings), is_folder
        )

    def _open(self, asked: Asked) -> tuple[Sequence[str], OpenFile, bool]:
        """Return the names of the file, the file, and whether a folder was asked for as a file."""
        if asked.is_folder:
            return *self._open_index(asked.names), False
        for names in self._with_extensions(asked.names):
            if (file := self._try(names)) is not None:
                return names, file, False
        try:
            return asked.names, open_file(self.root, asked.names, outside=self.outside), False
        except IsADirectoryError:
            return *self._open_index(asked.names), True

    def _open_index(self, names: Sequence[str]) -> tuple[Sequence[str], OpenFile]:
        if self.index is not None:
            names = [*names, self.index]
            file = self._try(names)
            if file is not None:
                return names, file
        raise FileNotFoundError

    def _try(self, names: Sequence[str]) -> OpenFile | None:
        try:
            return open_file(self.root, names, outside=self.outside)
        except (FileNotFoundError, IsADirectoryError):
            return None

    def _with_extensions(self, names: Sequence[str]) -> list[Sequence[str]]:
        """Return the names to try first: those with an extension, for a name that has none."""
        if not names or "." in names[-1]:
            return []
        return [[*names[:-1], names[-1] + extension] for extension in self.extensions]

    def _siblings(self, names: Sequence[str]) -> list[str]:
        """Return the codings in which the file seems to be there."""
        return [each for each in self.codings if is_file(self.root, _sibling(names, each))]

    def _best(
        self, names: Sequence[str], file: OpenFile, siblings: Sequence[str], field: str
    ) -> tuple[str | None, OpenFile]:
        """Return the coding that Accept-Encoding `field` likes best, and no less than none at all.

        With it comes its file, and `file` is closed; None with `file` if there is none.
        """
        left = list(siblings)
        while (coding := preferred_encoding(field, [*left, "identity"])) in left:
            sibling = self._try(_sibling(names, coding))
            if sibling is not None:
                file.file.close()
                return coding, sibling
            left.remove(coding)
        return None, file


def _sibling(names: Sequence[str], coding: str) -> list[str]:
    return [*names[:-1], names[-1] + SUFFIXES[coding]]
