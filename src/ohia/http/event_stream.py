r"""The text of `text/event-stream` (HTML, 9.2.5): a field a line, a blank line behind each event.

A reader ends a line at CR LF, at LF and at CR. Text that is given here makes no line of its own,
so nobody's text forges an event.
"""

import re

__all__ = ["format_comment", "format_event"]

LINE_END = re.compile(r"\r\n|\n|\r")
FORBIDDEN = re.compile(r"[\r\n\0]")  # a reader ignores an id with NUL


def format_event(
    data: str | None = None,
    *,
    event: str | None = None,
    id: str | int | None = None,
    retry: int | None = None,
) -> str:
    r"""Return one event; `data` has a field for each of its lines, `retry` is in milliseconds.

    ValueError for CR, LF or NUL in `event` or `id`, and for a negative `retry`.

    >>> format_event("a\nb", event="tick", id=7)
    'event: tick\nid: 7\ndata: a\ndata: b\n\n'
    """
    lines: list[str] = []
    if event is not None:
        lines.append(f"event: {_checked('event', event)}")
    if id is not None:
        lines.append(f"id: {_checked('id', str(id))}")
    if retry is not None:
        if retry < 0:
            raise ValueError(f"retry is a time to wait, got {retry}")
        lines.append(f"retry: {retry}")
    if data is not None:
        lines.extend(f"data: {line}" for line in LINE_END.split(data))
    return "\n".join([*lines, "", ""])


def format_comment(text: str = "") -> str:
    r"""Return a comment, which readers skip: it keeps a connection alive.

    >>> format_comment("still\nhere")
    ': still\n: here\n\n'
    """
    lines = [f": {line}".rstrip(" ") for line in LINE_END.split(text)]
    return "\n".join([*lines, "", ""])


def _checked(name: str, value: str) -> str:
    if FORBIDDEN.search(value):
        raise ValueError(f"{name} of an event takes no CR, LF or NUL, got {value!r}")
    return value
