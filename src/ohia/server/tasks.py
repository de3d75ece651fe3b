"""Tasks for requests: most end at their first step, so it is worth to take that at once."""

import asyncio
import sys
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

__all__ = ["start_at_once", "start_soon"]

Work = Coroutine[Any, Any, None]


def start_soon(loop: asyncio.AbstractEventLoop, work: Work, context: Context) -> asyncio.Task[None]:
    """Return a task of `work` that begins in the loop's next turn."""
    return loop.create_task(work, context=context)


if sys.version_info >= (3, 12):

    def start_at_once(
        loop: asyncio.AbstractEventLoop, work: Work, context: Context
    ) -> asyncio.Task[None]:
        """Return a task of `work` that has taken its first step, and may be done.

        With a task factory, which may give tasks of another kind, and before Python 3.12 it
        begins in the loop's next turn.
        """
        if loop.get_task_factory() is not None:
            return start_soon(loop, work, context)
        return asyncio.Task(work, loop=loop, context=context, eager_start=True)

else:
    start_at_once = start_soon
