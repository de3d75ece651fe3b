"""What an application sets up before its first request and takes down after its last."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

__all__ = ["Lifespan", "LifespanFunction"]

LifespanFunction = Callable[[Any], AsyncIterator[Any] | AbstractAsyncContextManager[Any]]
"""Takes the application; an async generator function or one that gives a context manager."""


class Lifespan:
    """The functions given to `app.lifespan`, entered in order and left in reverse.

    Counted: whoever starts first enters, whoever stops last leaves, so that several servers
    share one application. All of it runs in one task, as cancel scopes and task groups need.
    """

    def __init__(self, app: object) -> None:
        self.functions: list[LifespanFunction] = []
        self.state: dict[str, Any] = {}
        self._app = app
        self._users = 0
        self._task: asyncio.Task[None] | None = None
        self._entered: asyncio.Future[None] | None = None
        self._stop: asyncio.Event | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has been entered."""
        return self._users > 0

    def add(self, function: LifespanFunction) -> None:
        """Add `function`; RuntimeError while running, TypeError for what cannot be entered."""
        if self.is_running:
            raise RuntimeError("add lifespan functions before the application starts")
        if not callable(function):
            raise TypeError(f"a lifespan is a function of the app, got {function!r}")
        if inspect.iscoroutinefunction(function):
            raise TypeError("a lifespan is an async generator function: it needs a yield")
        self.functions.append(function)

    async def startup(self) -> None:
        """Enter, unless that has been done. What fails to start is raised here, the rest left."""
        self._users += 1
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
        if self._users > 0 or self._task is None or self._stop is None:
            return
        self._stop.set()
        if self._entered is not None and not self._entered.done():
            self._task.cancel()  # whoever starts has given up
        task, self._task, self._entered = self._task, None, None
        await task

    async def _run(self, entered: asyncio.Future[None], stop: asyncio.Event) -> None:
        try:
            async with AsyncExitStack() as stack:
                for function in self.functions:
                    yielded = await stack.enter_async_context(_manager(function, self._app))
                    if isinstance(yielded, Mapping):
                        self.state.update(cast("Mapping[str, Any]", yielded))
                entered.set_result(None)
                await stop.wait()
        except BaseException as error:
            if entered.done():
                raise
            if isinstance(error, asyncio.CancelledError):
                entered.cancel()
            else:
                entered.set_exception(error)
        finally:
            self.state.clear()


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
