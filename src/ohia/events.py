"""Named events and their listeners.

Emitting is synchronous: plain listeners run at once, async ones become tasks that the emitter
holds until they end. A listener's own failure is reported to stderr and stops nothing.
"""

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, overload

from ohia.console import console

__all__ = ["Emitter"]

# What an event carries is between those who emit it and those who listen.
Listener = Callable[..., object]
ListenerT = TypeVar("ListenerT", bound=Listener)


@dataclass(slots=True, eq=False)
class _Entry:
    """One registration. `places` is how many arguments the listener takes, None for all."""

    listener: Listener
    places: int | None
    once: bool
    spent: bool = False


class Emitter:
    """Something that events can be listened for on."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[_Entry]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @overload
    def on(self, event: str, fn: ListenerT) -> ListenerT: ...
    @overload
    def on(self, event: str, fn: None = None) -> Callable[[ListenerT], ListenerT]: ...
    def on(self, event: str, fn: Listener | None = None) -> Listener:
        """Call `fn` at each `event`, with as many of its arguments as `fn` takes by position.

        Without `fn`, a decorator. Returns `fn`. TypeError for what cannot listen.
        """
        if fn is None:
            return partial(self._add, event, once=False)
        return self._add(event, fn, once=False)

    @overload
    def once(self, event: str, fn: ListenerT) -> ListenerT: ...
    @overload
    def once(self, event: str, fn: None = None) -> Callable[[ListenerT], ListenerT]: ...
    def once(self, event: str, fn: Listener | None = None) -> Listener:
        """Call `fn` at the next `event` alone; otherwise as `on`."""
        if fn is None:
            return partial(self._add, event, once=True)
        return self._add(event, fn, once=True)

    def off(self, event: str, fn: Listener) -> None:
        """Take back the newest `on` or `once` of `fn`; nothing happens where there is none.

        An emit that is under way still calls it.
        """
        entries = self._listeners.get(event, [])
        for entry in reversed(entries):
            if entry.listener == fn:
                self._remove(event, entry)
                return

    def emit(self, event: str, *args: Any) -> bool:  # noqa: ANN401 - see Listener
        """Call the listeners of `event` in order of registration; say whether there were any.

        Async listeners become tasks of the running loop. Where none runs, each is run to its end
        at once, like a plain one.
        """
        entries = self._listeners.get(event)
        if not entries:
            return False
        for entry in entries.copy():
            if entry.once:
                if entry.spent:
                    continue
                entry.spent = True
                self._remove(event, entry)
            self._call(event, entry, args)
        return True

    def listener_count(self, event: str) -> int:
        """Return how many registrations `event` has."""
        return len(self._listeners.get(event, ()))

    def hold(self, task: asyncio.Task[Any]) -> None:
        """Keep `task` from being lost until it ends; `settle` waits for it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it cancels
        """Return when all that is held has ended: async listeners, those begun meanwhile too.

        What has not ended after `timeout` seconds is cancelled.
        """
        loop, current = asyncio.get_running_loop(), asyncio.current_task()
        while tasks := [
            each for each in self._tasks if each is not current and each.get_loop() is loop
        ]:
            _, unfinished = await asyncio.wait(tasks, timeout=timeout)
            for each in unfinished:
                each.cancel()

    def _add(self, event: str, fn: ListenerT, *, once: bool) -> ListenerT:
        entry = _Entry(fn, _places(fn), once)
        self._listeners.setdefault(event, []).append(entry)
        return fn

    def _remove(self, event: str, entry: _Entry) -> None:
        entries = self._listeners.get(event, [])
        with suppress(ValueError):
            entries.remove(entry)
        if not entries:
            self._listeners.pop(event, None)

    def _call(self, event: str, entry: _Entry, args: tuple[Any, ...]) -> None:
        try:
            result = entry.listener(*args[: entry.places])
        except BaseException as error:  # noqa: BLE001 - a listener stops nothing
            _report(event, error)
            return
        if inspect.isawaitable(result):
            self._start(_attend(event, result))

    def _start(self, attending: Coroutine[Any, Any, None]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(attending)
            return
        self.hold(loop.create_task(attending))


async def _attend(event: str, result: Awaitable[object]) -> None:
    """Await an async listener. Only cancellation from outside leaves here."""
    try:
        await result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        _report(event, error)
    except BaseException as error:  # noqa: BLE001 - a listener stops nothing
        _report(event, error)


def _report(event: str, error: BaseException) -> None:
    """Write the failure of a listener to stderr."""
    with suppress(Exception):  # an error may refuse to be shown
        lines = traceback.format_exception(error)
        console.write(f"a listener for {event!r} failed:\n{''.join(lines)}")


def _places(fn: Listener) -> int | None:
    """Return how many arguments `fn` can take by position, None for any number.

    TypeError for what cannot listen.
    """
    if not callable(fn):
        raise TypeError(f"a listener must be a function, got {fn!r}")
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise TypeError(f"a listener must be a plain or an async function, got {fn!r}")
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):  # some built-ins do not tell
        return None
    kinds = [each.kind for each in parameters]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return None
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(kind in positional for kind in kinds)
