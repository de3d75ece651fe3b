import asyncio
import sys
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from ohia.server.tasks import start_at_once, start_soon

AT_ONCE = pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin later before 3.12")

color: ContextVar[str] = ContextVar("color", default="none")


@AT_ONCE
async def test_what_never_waits_is_done_at_once() -> None:
    async def work() -> None:
        steps.append(asyncio.current_task())

    steps: list[object] = []
    task = start_at_once(asyncio.get_running_loop(), work(), copy_context())
    assert task.done()
    assert steps == [task]


async def test_what_waits_goes_on_as_any_task() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        steps.append(asyncio.current_task())

    steps: list[object] = []
    task = start_at_once(asyncio.get_running_loop(), work(), copy_context())
    assert not task.done()
    await task
    assert steps == [task]


@pytest.mark.parametrize("start", [start_at_once, start_soon])
async def test_what_it_sets_is_seen_in_its_context_alone(start: Any) -> None:
    async def work() -> None:
        color.set("red")

    context = copy_context()
    await start(asyncio.get_running_loop(), work(), context)
    assert context[color] == "red"
    assert color.get() == "none"


async def test_a_task_factory_is_asked() -> None:
    def make(
        loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None], **options: Any
    ) -> asyncio.Task[None]:
        task = asyncio.Task(work, loop=loop, **options)
        made.append(task)
        return task

    made: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_task_factory(make)  # type: ignore[arg-type]
    task = start_at_once(loop, asyncio.sleep(0), copy_context())
    loop.set_task_factory(None)
    await task
    assert made == [task]
