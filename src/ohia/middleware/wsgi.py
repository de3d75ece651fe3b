"""WSGI applications of others in the chain, run in threads by a2wsgi."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ohia import ClientDisconnect, Context, Middleware, Next
from ohia.extras import missing
from ohia.foreign import AsgiApp, carrying, serve
from ohia.types import Receive, Scope, Send

if TYPE_CHECKING:
    from a2wsgi import WSGIMiddleware

__all__ = ["wsgi"]

WsgiApp = Callable[[Any, Any], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""

WANTED = "ohia.wanted"  # where a scope says whether somebody still waits for the answer
CUT = "the client went before the end of its request"


def wsgi(application: WsgiApp, *, workers: int = 10, queue: int = 10) -> Middleware:
    """Answer every request by the WSGI application `application`.

    At most `workers` requests run at a time, each in a thread; others wait. At most `queue`
    pieces of a body wait for the client before their thread does.

    Raises ModuleNotFoundError without a2wsgi.
    """
    try:
        from a2wsgi import WSGIMiddleware  # noqa: PLC0415 - an extra
    except ImportError:
        raise missing("wsgi()", "a2wsgi", "wsgi") from None
    if not callable(application):
        raise TypeError(f"wsgi() takes a WSGI application, got {application!r}")
    if workers < 1 or queue < 1:
        raise ValueError("wsgi() needs at least one worker, and room for one piece")
    pool = _Pool(lambda: WSGIMiddleware(_careful(application), workers, queue))

    async def wsgi(ctx: Context[Any], next: Next) -> None:  # noqa: ARG001 - it answers
        await serve(ctx, pool, sockets=False)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await pool.close()

    wsgi.lifespan = lifespan  # type: ignore[attr-defined]
    return wsgi


class _Wanted:
    """Whether somebody still waits for the answer; read in its thread, else used on the loop.

    It becomes False for good by `end`, which also stops the read that is under way.
    """

    def __init__(self) -> None:
        self.is_set: bool = True
        self._reading: asyncio.Future[Any] | None = None

    def end(self) -> None:
        """Let whatever reads or gives a piece from now on meet ClientDisconnect."""
        self.is_set = False
        if self._reading is not None:
            self._reading.cancel()

    async def read(self, receive: Receive) -> Any:  # noqa: ANN401 - an ASGI message
        """Return what `receive` gives; ClientDisconnect if nobody waits, or before it is whole."""
        self.check()
        self._reading = asyncio.ensure_future(receive())
        try:
            message = await self._reading
        except asyncio.CancelledError:
            raise ClientDisconnect(CUT) from None
        finally:
            self._reading = None
        if message["type"] != "http.request":
            raise ClientDisconnect(CUT)
        return message

    def check(self) -> None:
        """Raise ClientDisconnect if nobody waits."""
        if not self.is_set:
            raise ClientDisconnect("nobody waits for this answer any more")


class _Pool:
    """An ASGI application over the threads of `make`, which are there while they are used.

    A thread cannot be stopped. When its request is cancelled, its client goes or its answer is
    refused, it meets ClientDisconnect where it reads or next gives a piece, and its pieces go
    nowhere until then. One that has not begun by then never does.
    """

    def __init__(self, make: "Callable[[], WSGIMiddleware]") -> None:
        self._make = make
        self._bridge: WSGIMiddleware | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._bridge is None:
            self._bridge = self._make()
        wanted = _Wanted()
        run = _run(self._bridge, {**scope, WANTED: wanted}, receive, send)
        task = asyncio.create_task(run)
        self._running.add(task)
        task.add_done_callback(self._forget)
        try:
            await asyncio.shield(task)
        finally:
            wanted.end()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has got it

    async def close(self) -> None:
        """Wait for the threads."""
        bridge, self._bridge = self._bridge, None
        if self._running:
            await asyncio.wait(self._running)
        if bridge is not None:
            await asyncio.to_thread(bridge.executor.shutdown)


async def _run(bridge: AsgiApp, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    wanted: _Wanted = scope[WANTED]
    refused: list[Exception] = []

    async def send_if_wanted(message: dict[str, Any]) -> None:
        """Send `message`; an error stops the thread, which would wait for room for ever."""
        if not wanted.is_set:
            return
        try:
            await send(message)
        except Exception as error:  # noqa: BLE001 - raised below
            wanted.end()
            refused.append(error)

    try:
        with carrying():
            await bridge(_without_forgeries(scope), partial(wanted.read, receive), send_if_wanted)
    except ClientDisconnect:
        if not refused:
            raise
    if refused:
        raise refused.pop()


def _without_forgeries(scope: dict[str, Any]) -> dict[str, Any]:
    """Drop fields that CGI's names confuse with others: `X_Real_IP`, and `Proxy`.

    `HTTP_PROXY` is where libraries look for their proxy (CVE-2016-5385).
    """
    fields = scope["headers"]
    scope["headers"] = [each for each in fields if b"_" not in each[0] and each[0] != b"proxy"]
    return scope


def _careful(application: WsgiApp) -> WsgiApp:
    """Return `application` so that it ends when nobody waits for its answer."""

    def careful(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - PEP 3333
        environ["wsgi.input_terminated"] = True  # bodies in chunks end by themselves
        environ["wsgi.errors"] = sys.stderr
        wanted: _Wanted = environ["asgi.scope"][WANTED]
        wanted.check()  # it may have waited long for its thread
        return _Pieces(application(environ, start_response), wanted)

    return careful


class _Pieces:
    """The pieces of a WSGI body, while somebody waits for them."""

    def __init__(self, pieces: Iterable[bytes], wanted: _Wanted) -> None:
        self._pieces = pieces
        self._wanted = wanted

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._wanted.check()
            yield piece

    def close(self) -> None:
        """Close the body as PEP 3333 asks for."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
