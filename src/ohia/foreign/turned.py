"""A coroutine that runs in other surroundings than whatever runs while it waits."""

from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Generic, TypeVar

__all__ = ["Turned"]

Result = TypeVar("Result")


class Turned(Generic[Result]):
    """Awaits `work`, each step of it inside `surroundings()`.

    Between two steps other tasks run, and they find everything as it was.
    """

    def __init__(
        self,
        surroundings: Callable[[], AbstractContextManager[None]],
        work: Coroutine[Any, Any, Result],
    ) -> None:
        self._surroundings = surroundings
        self._work = work

    def __await__(self) -> Generator[Any, Any, Result]:
        """Run `work` to its end."""
        step: Callable[[], Any] = partial(self._work.send, None)
        try:
            while True:
                with self._surroundings():
                    try:
                        waiting = step()
                    except StopIteration as end:
                        result: Result = end.value
                        return result
                try:
                    step = partial(self._work.send, (yield waiting))
                except BaseException as error:  # noqa: BLE001 - it is for `work`
                    step = partial(self._work.throw, error)
        finally:
            del step  # an error in it leads back to here
