"""The server behind `listen()`: bound first, then run until a signal, then drained.

A `Server` binds in `listen`, serves from `start` to `close`, and `run` does both in a loop of
its own. Whatever serves several at once (`ohia.run`) is a list of them in one loop.
"""

import asyncio
import atexit
import contextlib
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Self

from ohia.exchange import Address, Handler
from ohia.server import bind
from ohia.server.connection import Connection
from ohia.server.limits import Limits, make_limits
from ohia.server.service import Service
from ohia.server.workers import supervise

try:
    import uvloop
except ImportError:  # it runs on CPython, and not on Windows
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    new_event_loop = uvloop.new_event_loop

__all__ = ["Server", "run"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Tls = tuple[str | os.PathLike[str], str | os.PathLike[str]] | ssl.SSLContext


class Server:
    """An HTTP/1.1 and WebSocket server for one handler, `app.callback()` as a rule.

    `listen` binds; then either `run()`, or within a loop `await start()` and `await close()`,
    or `async with server:`.
    """

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.limits: Limits = Limits()
        self.workers: int = 1
        self._backlog = 2048
        self._bound: bind.Bound | None = None
        self._tls: ssl.SSLContext | None = None
        self._listener: asyncio.AbstractServer | None = None
        self._service: Service | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    def listen(
        self,
        port: int | None = None,
        host: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        fd: int | None = None,
        sock: socket.socket | None = None,
        tls: Tls | None = None,
        workers: int = 1,
        backlog: int = 2048,
        reuse_port: bool = False,
        **limits: Any,  # noqa: ANN401 - checked by name and type
    ) -> Self:
        """Bind now; return this server.

        `port`: else the environment's PORT, else 3000; 0 takes a free one. `host`: else HOST,
        else 127.0.0.1. Or `path`, a unix socket; or `fd` or `sock`, an inherited one. `tls` is
        `(certfile, keyfile)` or an SSLContext. `workers` processes share the socket. `limits`
        are those of `Limits`. An address that is taken raises OSError.
        """
        if self._bound is not None:
            raise RuntimeError(f"this server listens on {self.url} already")
        if workers < 1:
            raise ValueError(f"workers is 1 or more, got {workers!r}")
        self.limits = make_limits(limits)
        self.workers = workers
        self._backlog = backlog
        self._tls = None if tls is None else bind.make_tls(tls)
        if path is not None:
            self._bound = bind.bind_unix(path, backlog=backlog)
        elif sock is not None:
            self._bound = bind.listen(sock, backlog)
        elif fd is not None:
            self._bound = bind.listen(socket.socket(fileno=fd), backlog)
        else:
            self._bound = bind.bind(
                bind.chosen_host(host),
                bind.chosen_port(port),
                backlog=backlog,
                reuse_port=reuse_port,
            )
        _idle[id(self)] = self
        return self

    @property
    def address(self) -> Address:
        """Host and port; the path and None for a unix socket."""
        return self._listening().address

    @property
    def port(self) -> int | None:
        """The port; None for a unix socket."""
        return self.address[1]

    @property
    def url(self) -> str:
        """Where clients reach this server: `http://127.0.0.1:3000`."""
        return self._listening().url("http" if self._tls is None else "https")

    def _listening(self) -> bind.Bound:
        if self._bound is None:
            raise RuntimeError("this server does not listen; call listen() first")
        return self._bound

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, then drain; a second signal stops at once."""
        run(self)

    async def start(self) -> Self:
        """Serve in the running loop; one process, so `workers` above 1 is RuntimeError."""
        if self.workers > 1:
            raise RuntimeError(f"workers={self.workers} needs run(); a loop is one process")
        await self.serve()
        return self

    async def serve(self) -> None:
        """Enter the lifespan and accept; what fails to start is closed again."""
        bound = self._listening()
        if self._service is not None:
            raise RuntimeError(f"the server on {self.url} has been started already")
        _idle.pop(id(self), None)
        try:
            await self.handler.startup()
        except BaseException:
            bound.close()
            raise
        self.handler.draining = False
        loop = asyncio.get_running_loop()
        service = self._service = Service(self.handler, self.limits, loop)
        handshake = None if self._tls is None else self.limits.head_timeout or None
        create = loop.create_server if self.port is not None else loop.create_unix_server
        self._listener = await create(
            lambda: Connection(service),
            sock=bound.socket,
            backlog=self._backlog,
            ssl=self._tls,
            ssl_handshake_timeout=handshake,
        )

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it drains
        """Stop accepting, let requests end for `timeout` seconds (default: `grace`), leave.

        Then what still runs is cancelled and cut. A second call waits for the first.
        """
        if self._service is None:
            self.release()
            self._closed.set()
            return
        if self._closing is None:
            grace = self.limits.grace if timeout is None else timeout
            self._closing = asyncio.create_task(self._drain(self._service, grace))
        await asyncio.shield(self._closing)

    async def _drain(self, service: Service, grace: float | None) -> None:
        self.handler.draining = True
        if self._listener is not None:
            self._listener.close()
        try:
            await service.drain(grace)
        finally:
            service.stop()
            self._listening().close()
            await self.handler.shutdown()
            self._closed.set()

    @property
    def connections(self) -> int:
        """How many are open."""
        return 0 if self._service is None else len(self._service.connections)

    def release(self) -> None:
        """Close the listening socket of a server that does not serve."""
        _idle.pop(id(self), None)
        if self._bound is not None:
            self._bound.close()

    def hurry(self) -> None:
        """Let a drain that is under way end now."""
        if self._service is not None:
            self._service.hurry()

    async def wait_closed(self) -> None:
        """Return when the server has been closed."""
        await self._closed.wait()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Server {'not listening' if self._bound is None else self.url}>"


def run(*servers: Server) -> None:
    """Serve `servers` in one process until SIGINT or SIGTERM, then drain them.

    With `workers` there are that many processes; the servers must agree on it.
    """
    counts = {server.workers for server in servers}
    if len(counts) > 1:
        raise ValueError(f"servers that run together agree on workers, got {sorted(counts)}")
    if not servers:
        raise TypeError("run() takes one server or more")
    for server in servers:
        _idle.pop(id(server), None)
    count = counts.pop()
    if count == 1:
        _run_loop(servers, STOP_SIGNALS)
        return
    _tell_urls(servers)
    try:
        supervise(count, lambda: _run_loop(servers, (signal.SIGTERM,)))
    finally:
        for server in servers:
            server.release()


def _run_loop(servers: Sequence[Server], signals: Sequence[signal.Signals]) -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(servers, signals))


async def _serve(servers: Sequence[Server], signals: Sequence[signal.Signals]) -> None:
    """Serve until a signal comes or every server was closed."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            for server in servers:
                server.hurry()
        stop.set()

    with _handling(signals, on_signal):
        try:
            if await _started(stop, servers):
                if servers[0].workers == 1:
                    _tell_urls(servers)  # from now on a signal drains, whoever reads the line
                await _until(stop, servers)
        finally:
            await asyncio.gather(*(server.close() for server in servers))


async def _started(stop: asyncio.Event, servers: Sequence[Server]) -> bool:
    """Start `servers`; say whether that was done before a signal came, which ends it."""

    async def start() -> None:
        for server in servers:
            await server.serve()

    starting, stopping = asyncio.create_task(start()), asyncio.create_task(stop.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait([starting])
    if starting.cancelled():
        return False
    await starting
    return True


async def _until(stop: asyncio.Event, servers: Sequence[Server]) -> None:
    waits = [asyncio.create_task(_all_closed(servers)), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


async def _all_closed(servers: Sequence[Server]) -> bool:
    for server in servers:
        await server.wait_closed()
    return True


@contextlib.contextmanager
def _handling(signals: Sequence[signal.Signals], callback: Callable[[], None]) -> Generator[None]:
    """Call `callback` for each of `signals`; off the main thread they are somebody else's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    for each in signals:
        loop.add_signal_handler(each, callback)
    try:
        yield
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


def _tell_urls(servers: Sequence[Server]) -> None:
    for server in servers:
        _tell(f"ohia: listening on {server.url}")


def _tell(message: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr may be closed
        print(message, file=sys.stderr, flush=True)  # noqa: T201 - stdout belongs to the app


# Servers that were bound and that nobody has run yet.
_idle: dict[int, Server] = {}


@atexit.register
def _tell_idle() -> None:
    while _idle:
        _, server = _idle.popitem()
        _tell(f"ohia: nothing ran the server on {server.url}; end the file with app.run(3000)")
        server.release()
