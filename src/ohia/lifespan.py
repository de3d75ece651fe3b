"""What an application sets up before its first request and takes down after its last."""

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

from ohia.console import console

__all__ = ["Lifespan", "LifespanFunction", "join_lifespans"]

LifespanFunction = Callable[[Any], AsyncIterator[Any] | AbstractAsyncContextManager[Any]]
"""Takes the application; an async generator function or one that gives a context manager."""


class Lifespan:
    """The functions given to `app.lifespan`, entered in order and left in reverse.

    Among them stand those that middleware carries, at the place where it was used.
    Counted: whoever starts first enters, whoever stops last leaves, so that several servers
    share one application. All of it runs in one task, as cancel scopes and task groups need.
    """

    def __init__(self, app: object) -> None:
        self._entries: list[LifespanFunction | _Held] = []
        self.state: dict[str, Any] = {}
        self._app = app
        self.is_running: bool = False
        """Whether somebody has entered it; asked for each request."""
        self._users = 0
        self._task: asyncio.Task[None] | None = None
        self._entered: asyncio.Future[None] | None = None
        self._stop: asyncio.Event | None = None

    def add(self, function: LifespanFunction) -> None:
        """Add `function`; RuntimeError while running, TypeError for what cannot be entered."""
        self._check(function)
        self._entries.append(function)

    def hold(self, middleware: object) -> None:
        """Add the `lifespan` of `middleware`, if it has such an attribute; once.

        It is read anew when the application starts, because a router gets its routes later.
        """
        if not hasattr(middleware, "lifespan"):
            return
        held = _Held(middleware)
        if held.function is not None:
            self._check(held.function)
        if not any(_is_held(entry, middleware) for entry in self._entries):
            self._entries.append(held)

    @property
    def functions(self) -> list[LifespanFunction]:
        """What is entered, in order."""
        found = (each.function if isinstance(each, _Held) else each for each in self._entries)
        return [function for function in found if function is not None]

    def _check(self, function: object) -> None:
        if self.is_running:
            raise RuntimeError("add lifespan functions before the application starts")
        if not callable(function):
            raise TypeError(f"a lifespan is a function of the app, got {function!r}")
        if inspect.iscoroutinefunction(function):
            raise TypeError("a lifespan is an async generator function: it needs a yield")

    async def startup(self) -> None:
        """Enter, unless that has been done. What fails to start is raised here, the rest left."""
        self._users += 1
        self.is_running = True
        if self._entered is None:
            loop = asyncio.get_running_loop()
            self._entered = loop.create_future()
            self._stop = asyncio.Event()
            self._task = loop.create_task(self._run(self._entered, self._stop))
        try:
            await asyncio.shield(self._entered)
        except BaseException:
            await self.shutdown()
            raise

    async def shutdown(self) -> None:
        """Leave, if this was the last one that entered. What fails is raised."""
        self._users -= 1
        self.is_running = self._users > 0
        if self._users > 0 or self._task is None or self._stop is None:
            return
        self._stop.set()
        if self._entered is not None and not self._entered.done():
            self._task.cancel()  # whoever starts has given up
        task, self._task, self._entered = self._task, None, None
        await task

    async def _run(self, entered: asyncio.Future[None], stop: asyncio.Event) -> None:
        try:
            async with _entered(self.functions, self._app) as state:
                self.state.update(state)
                entered.set_result(None)
                await stop.wait()
        except BaseException as error:
            if entered.done():
                if isinstance(error, Exception) and not stop.is_set():
                    console.write(f"ohia: a lifespan ended while the application ran: {error!r}\n")
                raise
            if isinstance(error, asyncio.CancelledError):
                entered.cancel()
            else:
                entered.set_exception(error)
        finally:
            self.state.clear()


class _Held:
    """Middleware that may carry a lifespan."""

    def __init__(self, middleware: object) -> None:
        self.middleware = middleware

    @property
    def function(self) -> LifespanFunction | None:
        return getattr(self.middleware, "lifespan", None)


def _is_held(entry: object, middleware: object) -> bool:
    return isinstance(entry, _Held) and entry.middleware is middleware


def join_lifespans(members: Iterable[object]) -> LifespanFunction | None:
    """Return one function for the lifespans that `members` carry, each once; None for none."""
    carriers = {id(each): each for each in members}.values()
    functions = [_Held(each).function for each in carriers]
    found = [function for function in functions if function is not None]
    return functools.partial(_entered, found) if found else None


@asynccontextmanager
async def _entered(
    functions: Iterable[LifespanFunction], app: object
) -> AsyncGenerator[Mapping[str, Any]]:
    """Enter `functions` in order, and give what they yielded; leave them in reverse."""
    state: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        for function in functions:
            yielded = await stack.enter_async_context(_manager(function, app))
            if isinstance(yielded, Mapping):
                state.update(cast("Mapping[str, Any]", yielded))
        yield state


def _manager(function: LifespanFunction, app: object) -> AbstractAsyncContextManager[Any]:
    made = function(app)
    if isinstance(made, AsyncGenerator):

        def generator() -> AsyncGenerator[Any]:
            return cast("AsyncGenerator[Any]", made)

        return asynccontextmanager(generator)()
    if isinstance(made, AbstractAsyncContextManager):
        return made
    raise TypeError(
        "a lifespan is an async generator function or gives an async context manager, "
        f"got {made!r} from {function!r}"
    )
