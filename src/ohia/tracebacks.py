"""Errors as text, for whoever wrote the middleware that they went through."""

import os
from traceback import FrameSummary, TracebackException

__all__ = ["format_error"]

PLUMBING = {
    os.path.join(os.path.dirname(__file__), name)  # noqa: PTH118, PTH120 - see ohia.late
    for name in ("application.py", "co.py", "compose.py", "inside.py")
}
"""Files whose frames stand between one middleware and the next, and tell nothing."""


def format_error(error: BaseException) -> str:
    """Return the traceback of `error` without the frames that only pass control on.

    The frame that raised stays, whosever it is.
    """
    written = TracebackException.from_exception(error)
    _thin_out(written)
    return "".join(written.format())


def _thin_out(written: TracebackException | None) -> None:
    """Leave such frames out, of what caused this error too, and of what a group holds."""
    if written is None:
        return
    *passed, last = written.stack or [None]
    written.stack[:] = [each for each in passed if each and not _is_plumbing(each)]
    if last is not None:
        written.stack.append(last)
    for each in (written.__cause__, written.__context__, *(written.exceptions or ())):
        _thin_out(each)


def _is_plumbing(frame: FrameSummary) -> bool:
    return frame.filename in PLUMBING
