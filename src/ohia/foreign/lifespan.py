"""The server's side of ASGI's lifespan protocol."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from ohia.debug import Log, debug
from ohia.foreign.host import AsgiApp

__all__ = ["enter_lifespan"]

log: Log = debug("ohia:foreign")


@asynccontextmanager
async def enter_lifespan(app: AsgiApp, state: MutableMapping[str, Any]) -> AsyncGenerator[None]:
    """Start `app`, which may fill `state`, and stop it at the end.

    RuntimeError if it says that it cannot, or fails later on. One that knows no lifespan, which
    shows by an error before it answers, is left alone (ASGI, "Lifespan Protocol").
    """
    life = _Life(app, state)
    await life.start()
    try:
        yield
    finally:
        try:
            await life.stop()
        finally:
            state.clear()


class _Life:
    """One application's lifespan, all of it in one task."""

    def __init__(self, app: AsgiApp, state: MutableMapping[str, Any]) -> None:
        self._app = app
        self._state = state
        self._to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._asked = ""  # the event that has no answer yet

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        try:
            if not await self._ask("startup"):
                log("%s", f"no lifespan: {self._error!r}")
                self._error = None
        except BaseException:
            await self._end()
            raise

    async def stop(self) -> None:
        try:
            if self._task is not None and not self._task.done():
                await self._ask("shutdown")
            error, self._error = self._error, None
            if error is not None:
                raise RuntimeError("the ASGI application failed in its lifespan") from error
        finally:
            await self._end()

    async def _ask(self, event: str) -> bool:
        """Send `event`; say whether it was answered, and raise what failed."""
        self._asked = event
        self._to_app.put_nowait({"type": f"lifespan.{event}"})
        answer = await self._answers.get()
        if answer is None:
            return False
        if answer["type"] == f"lifespan.{event}.failed":
            message = answer.get("message") or "without saying why"
            raise RuntimeError(f"the ASGI application failed at {event}: {message}")
        return True

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self._state,
        }
        try:
            await self._app(scope, self._to_app.get, self._send)
        except Exception as error:  # noqa: BLE001 - it knows no lifespan, or has said that it failed
            self._error = error
        finally:
            self._answers.put_nowait(None)

    async def _send(self, message: dict[str, Any]) -> None:
        event, self._asked = self._asked, ""
        if message["type"] not in {f"lifespan.{event}.complete", f"lifespan.{event}.failed"}:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        self._answers.put_nowait(message)

    async def _end(self) -> None:
        if self._task is None:
            return
        await asyncio.sleep(0)  # most end by themselves after their last message
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._error is not None:
            log("%s", f"after its lifespan: {self._error!r}")
        self._error = None
