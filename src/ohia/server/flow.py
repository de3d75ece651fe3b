"""Back-pressure: what waits until the network has taken enough."""

import asyncio
from collections.abc import Generator

__all__ = ["Drained", "FlowControl"]


class FlowControl(asyncio.Protocol):
    """A protocol that knows whether its transport wants a pause."""

    __slots__ = ("_waiters", "is_lost", "is_paused")

    is_paused: bool
    is_lost: bool

    def __init__(self) -> None:
        self.is_paused = False
        self.is_lost = False
        self._waiters: list[asyncio.Future[None]] = []

    def pause_writing(self) -> None:
        """Note that the transport holds more than it should."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """Wake whoever waits."""
        self.is_paused = False
        self.wake()

    def wake(self) -> None:
        """Let every waiter look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def lost_error(self) -> Exception:
        """Return what a waiter gets once the connection is lost."""
        raise NotImplementedError

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can be written."""
        return self.is_lost

    async def drained(self) -> None:
        """Return when the transport takes more; raise `lost_error()` once it has ended."""
        while self.is_paused and not self.has_ended:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self.has_ended:
            raise self.lost_error()


class Drained:
    """An awaitable that may be dropped: nothing begins before it is awaited."""

    __slots__ = ("_flow",)

    def __init__(self, flow: FlowControl) -> None:
        self._flow = flow

    def __await__(self) -> Generator[None, None, None]:
        return self._flow.drained().__await__()
