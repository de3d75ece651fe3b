"""Named debug logs on stderr, switched on by DEBUG=ohia:*.

Patterns are separated by commas or spaces, `*` stands for anything, `-name` excludes. DEBUG is
read again whenever it has changed, so setting it after the import works too.
"""

import os
import re
import sys
import time
from binascii import crc32
from collections.abc import Callable
from contextlib import suppress

from ohia.console import console

__all__ = ["Debug", "Log", "debug"]

COLOURS = (6, 2, 3, 4, 5, 1)  # of the terminal, those of npm's debug: no black, no white
NO_COLOUR = {"", "0", "no", "off", "false", "disabled"}


class Debug:
    """All the logs of a process: `debug(namespace)` gives one, the same for the same name.

    `clock` tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._logs: dict[str, Log] = {}
        self._environment = ""
        self._chosen: re.Pattern[str] | None = None
        self._excluded: re.Pattern[str] | None = None

    def __call__(self, namespace: str) -> "Log":
        """Return the log of `namespace`: a function of a message and values for its `%s`."""
        self.read()
        if namespace not in self._logs:
            self._logs[namespace] = Log(namespace, self)
        return self._logs[namespace]

    def enable(self, patterns: str) -> None:
        """Switch on what `patterns` name and everything else off, until DEBUG changes."""
        self._environment = os.environ.get("DEBUG", "")
        self._choose(patterns)

    def disable(self) -> None:
        """Switch everything off, until DEBUG changes."""
        self.enable("")

    def read(self) -> None:
        """Follow the environment's DEBUG if it has changed."""
        patterns = os.environ.get("DEBUG", "")
        if patterns != self._environment:
            self._environment = patterns
            self._choose(patterns)

    def _choose(self, patterns: str) -> None:
        names = patterns.replace(",", " ").split()
        self._chosen = _any_of([each for each in names if not each.startswith("-")])
        self._excluded = _any_of([each[1:] for each in names if each.startswith("-")])
        for log in self._logs.values():
            log.switch()

    def is_on(self, namespace: str) -> bool:
        """Say whether the patterns name `namespace`; an exclusion wins.

        >>> logs = Debug()
        >>> logs.enable("ohia:* -ohia:router")
        >>> logs.is_on("ohia:application"), logs.is_on("ohia:router")
        (True, False)
        """
        if self._chosen is None or not self._chosen.fullmatch(namespace):
            return False
        return self._excluded is None or not self._excluded.fullmatch(namespace)


class Log:
    """The log of one namespace: `log("%s is here", name)`. It never raises."""

    def __init__(self, namespace: str, debug: Debug) -> None:
        self.namespace = namespace
        self._debug = debug
        self._on = debug.is_on(namespace)
        self._last: float | None = None

    @property
    def enabled(self) -> bool:
        """Whether lines are written now: ask before work that only a line needs."""
        self._debug.read()
        return self._on

    def switch(self) -> None:
        """Ask again whether the patterns name this log."""
        self._on = self._debug.is_on(self.namespace)

    def extend(self, name: str) -> "Log":
        """Return the log of `namespace:name`."""
        return self._debug(f"{self.namespace}:{name}")

    def __call__(self, message: object, *values: object) -> None:
        """Write one line, with the whole milliseconds since this namespace's previous one.

        `values` take the places of `%s`, `%d`, `%r` in `message`, only if the line is written.
        """
        if self.enabled:
            now = self._debug.clock()
            passed = 0 if self._last is None else int(1000 * (now - self._last))
            self._last = now
            _write(self.namespace, _one_line(_format(message, values)), f"+{passed}ms")


def _any_of(patterns: list[str]) -> re.Pattern[str] | None:
    """Return a pattern for all of `patterns`, in which `*` stands for anything."""
    if not patterns:
        return None
    expressions = (".*".join(map(re.escape, each.split("*"))) for each in patterns)
    return re.compile("|".join(expressions), re.DOTALL)


def _format(message: object, values: tuple[object, ...]) -> str:
    """Return `message` with `values` in it; next to it where they do not fit."""
    with suppress(Exception):
        return str(message) % values if values else str(message)
    with suppress(Exception):
        return " ".join(map(repr, (message, *values)))
    return "(a value that cannot be printed)"


def _one_line(text: str) -> str:
    r"""Return `text` with all that could break or colour a line escaped.

    >>> print(_one_line("a\nb"))
    a\nb
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _write(namespace: str, message: str, passed: str) -> None:
    namespace = _one_line(namespace)
    with suppress(Exception):  # stderr may be closed, or missing
        if _is_coloured():
            colour = COLOURS[crc32(namespace.encode()) % len(COLOURS)]
            namespace = f"\x1b[3{colour};1m{namespace}\x1b[0m"
            passed = f"\x1b[3{colour}m{passed}\x1b[0m"
        console.write(f"  {namespace} {message} {passed}\n")


def _is_coloured() -> bool:
    """Say whether to colour: as DEBUG_COLORS says, else on a terminal."""
    wish = os.environ.get("DEBUG_COLORS")
    return sys.stderr.isatty() if wish is None else wish.lower() not in NO_COLOUR


debug: Debug = Debug()
