"""Lines for whoever develops: those of koa-logger, in and out."""

from collections.abc import Callable

from ohia.http.status import EMPTY
from ohia.middleware.logger.entry import Entry, escape

__all__ = ["dev_format"]

Paint = Callable[[str, str], str]
"""Takes the name of a style and a text."""

# The codes that switch a terminal's style on and off (ECMA-48, 8.3.117).
STYLES = {
    "bold": (1, 22),
    "red": (31, 39),
    "green": (32, 39),
    "yellow": (33, 39),
    "cyan": (36, 39),
    "gray": (90, 39),
}
BY_CLASS = {1: "green", 2: "green", 3: "cyan", 4: "yellow", 5: "red"}
GOOD_CLOSE = frozenset({1000, 1001, 1005})
MARKS = {"ok": ("gray", "-->"), "cut": ("yellow", "-x-"), "error": ("red", "xxx")}
UNITS = ((1024**3, "gb"), (1024**2, "mb"), (1024, "kb"))


def dev_format(*, colors: bool) -> Callable[[Entry], str]:
    """Return what writes a line for an entry."""
    paint = _painted if colors else _plain

    def line(entry: Entry) -> str:
        ctx = entry.ctx
        style, mark = ("gray", "<--") if entry.event == "request" else MARKS[entry.outcome]
        words = [
            paint(style, mark),
            paint("bold", escape(ctx.method)),
            paint("gray", escape(ctx.original_url)),
        ]
        if entry.event != "request":
            words.extend(_result(entry, paint))
        return "  " + " ".join(words)

    return line


def _result(entry: Entry, paint: Paint) -> list[str]:
    status = entry.status
    result = [
        paint(_status_style(status), "-" if status is None else str(status)),
        paint("gray", passed(entry.seconds)),
    ]
    if entry.event == "response" and status not in EMPTY:
        result.append(paint("gray", readable_size(entry.size)))
    return result


def passed(seconds: float) -> str:
    """Return a time to read: milliseconds below ten seconds.

    >>> passed(0.0123), passed(9.9), passed(12.4)
    ('12ms', '9,900ms', '12s')
    """
    return f"{seconds * 1000:,.0f}ms" if seconds < 10 else f"{seconds:,.0f}s"


def readable_size(size: int) -> str:
    """Return a number of bytes to read, as npm's bytes does.

    >>> readable_size(0), readable_size(5), readable_size(1500), readable_size(2048)
    ('-', '5b', '1.46kb', '2kb')
    """
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:.2f}".rstrip("0").rstrip(".") + name
    return f"{size}b" if size else "-"


def _status_style(status: int | None) -> str:
    if status is None or (status >= 1000 and status not in GOOD_CLOSE):
        return "yellow"
    return BY_CLASS.get(status // 100, "green")


def _painted(style: str, text: str) -> str:
    begin, end = STYLES[style]
    return f"\x1b[{begin}m{text}\x1b[{end}m"


def _plain(style: str, text: str) -> str:  # noqa: ARG001 - see Paint
    return text
