"""What would stop the event loop, on its way through a task."""

from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Carried", "carrying", "unpacking"]


class Carried(Exception):
    """Holds an `error` that asyncio lets stop its loop if a task ends by it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


@contextmanager
def carrying() -> Generator[None]:
    """Turn SystemExit and KeyboardInterrupt of application code into Carried."""
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as error:
        raise Carried(error) from None


@contextmanager
def unpacking() -> Generator[None]:
    """Turn Carried into what it holds."""
    try:
        yield
    except Carried as carried:
        raise carried.error from None
