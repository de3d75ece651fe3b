"""The server behind `listen()`: bound first, then started, then drained.

A `Server` binds in `listen` and serves from `start` to `close`, in a loop that runs.
`ohia.server.run` gives it a process, or several.
"""

import asyncio
import atexit
import dataclasses
import os
import socket
import ssl
import weakref
from types import TracebackType
from typing import Any, Self

from ohia import late
from ohia.console import console
from ohia.exchange import Address, Handler
from ohia.server import bind
from ohia.server.connection import Connection
from ohia.server.descriptors import most_connections
from ohia.server.import_string import check_import_string, import_handler
from ohia.server.limits import Limits, make_limits
from ohia.server.listener import Listener
from ohia.server.service import Service
from ohia.server.syn_filter import turn_away

__all__ = ["Server"]

late.load()

LEAST_GRACE = 1.0  # seconds for the end of the lifespan, however short the grace is
HURRIED = 0.3  # the same, after a second signal
LAST_WORDS = 1.0  # seconds that it has after being cancelled


class Server:
    """An HTTP/1.1 and WebSocket server for one handler, `app.callback()` as a rule.

    Or for the one that an import string names, `"package.module:app"`: `listen` imports it, or
    with `workers` each of them does, a new interpreter that then has the code of its day.
    `listen` binds; then either `run()`, or within a loop `await start()` and `await close()`,
    or `async with server:`.
    """

    def __init__(self, handler: Handler | str) -> None:
        self._name: str | None = None
        if isinstance(handler, str):
            check_import_string(handler)
            self._name = handler
        else:
            self.handler: Handler = handler
        self.limits: Limits = Limits()
        self.workers: int = 1
        self.was_cut: bool = False
        self.access_log: bool | None = None
        self._bound: bind.Bound | None = None
        self._tls: ssl.SSLContext | None = None
        self._tls_files: tuple[bind.File, bind.File] | None = None
        self._listener: Listener | None = None
        self._service: Service | None = None
        self._closing: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._is_hurried = False
        self._closed = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None

    def listen(
        self,
        port: int | None = None,
        host: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        fd: int | None = None,
        sock: socket.socket | None = None,
        tls: bind.Tls | None = None,
        workers: int = 1,
        backlog: int = 2048,
        reuse_port: bool = False,
        access_log: bool | None = None,
        **limits: Any,  # noqa: ANN401 - checked by name and type
    ) -> Self:
        """Bind now; return this server.

        `port`: else the environment's PORT, else 3000; 0 takes a free one. `host`: else HOST,
        else 127.0.0.1. Or `path`, a unix socket; or `fd` or `sock`, an inherited one. `tls` is
        `(certfile, keyfile)` or an SSLContext. `workers` processes share the socket.
        `access_log` None is a line per request under `run` (see `ohia.server.access`). `limits`
        are those of `Limits`. An address that is taken raises OSError.
        """
        if self._bound is not None:
            raise RuntimeError(f"this server listens on {self.url} already")
        if workers < 1:
            raise ValueError(f"workers is 1 or more, got {workers!r}")
        self.limits = make_limits(limits)
        if workers == 1:
            self.load()
        else:
            _check_travel(self._name, tls)
        self.access_log = access_log
        self.workers = workers
        self._tls = None if tls is None else bind.make_tls(tls)
        self._tls_files = None if isinstance(tls, ssl.SSLContext) else tls
        if path is not None:
            self._bound = bind.bind_unix(path, backlog=backlog)
        elif sock is not None:
            self._bound = bind.listen(sock, backlog)
        elif fd is not None:
            self._bound = bind.inherit(fd, backlog=backlog)
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

    def load(self) -> None:
        """Import the application, and read the certificate, where only their names travelled."""
        if self._name is not None:
            self.handler = import_handler(self._name)
        if self._tls is None and self._tls_files is not None:
            self._tls = bind.make_tls(self._tls_files)

    def __getstate__(self) -> dict[str, object]:
        """Return what travels to a spawned worker: the socket, the application as its name."""
        names = ("_name", "limits", "workers", "access_log", "_bound", "_tls_files")
        return {each: getattr(self, each) for each in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Server.__init__(self, state["_name"])
        vars(self).update(state)
        self._listening().socket.settimeout(0)

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, then drain; a second signal stops at once."""
        from ohia.server.run import run  # noqa: PLC0415 - which builds on this class

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
        self.claim()
        try:
            await self.handler.startup()
        except BaseException:
            bound.close()
            raise
        if self._closed.is_set():
            await self.handler.shutdown()
            raise RuntimeError(f"the server on {self.url} was closed while it started")
        _serving.add(self)
        self.handler.draining = self._is_shared_by_one_that_drains()
        service = self._service = Service(
            self.handler, self._affordable(), asyncio.get_running_loop(), access_log=self.access_log
        )
        self._listener = Listener(service, bound, lambda: Connection(service), tls=self._tls)
        try:
            self._listener.start()
        except BaseException:
            await self.close()
            raise

    def _affordable(self) -> Limits:
        """Return the limits as far as the descriptors of this process go."""
        return dataclasses.replace(
            self.limits, max_connections=most_connections(self.limits.max_connections)
        )

    def reload(self) -> None:
        """Read certificate and key again; new handshakes use them, open connections live on.

        Only where `tls` was given as files. Files that are no good change nothing; that is told
        on stderr.
        """
        if self._tls_files is None:
            return
        try:
            self._tls = bind.make_tls(self._tls_files)
        except (OSError, ValueError) as error:
            _tell(f"ohia: the certificate of {self.url} stays as it was: {error}")
            return
        if self._listener is not None:
            self._listener.tls = self._tls
        _tell(f"ohia: the certificate of {self.url} has been read again")

    @property
    def has_tls_files(self) -> bool:
        """Whether there is something to reload."""
        return self._tls_files is not None

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - it drains
        """Stop accepting, let requests end for `timeout` seconds (default: `grace`), leave.

        Then what still runs is cancelled and cut. A second call waits for the first.
        """
        if self._service is None:
            self.release()
            self._closed.set()
            return
        if asyncio.get_running_loop() is not self._service.loop:
            raise RuntimeError("this server runs in another loop; stop() ends it from anywhere")
        if self._closing is None:
            grace = self.limits.grace if timeout is None else timeout
            self._closing = asyncio.create_task(self._drain(self._service, grace))
        await asyncio.shield(self._closing)

    @property
    def is_closing(self) -> bool:
        """Whether it drains, or has drained."""
        return self._closing is not None

    def stop(self) -> None:
        """Let it drain, from any thread; return at once."""
        service = self._service
        if service is not None:
            service.loop.call_soon_threadsafe(self._begin_to_stop)

    def _begin_to_stop(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self.close())

    def _is_shared_by_one_that_drains(self) -> bool:
        """Say whether another server of the same application is about to end."""
        return any(
            each.is_closing and each is not self and each.handler is self.handler
            for each in _serving
        )

    async def _drain(self, service: Service, grace: float | None) -> None:
        self.handler.draining = True
        try:
            if self._listener is not None:
                await self._listener.close()
            self.was_cut = not await service.drain(grace)
            if self.was_cut and not self._is_hurried:
                _tell(f"ohia: what still ran on {self.url} after {grace or 0:g} seconds was cut")
        finally:
            service.stop()
            self._listening().close()
            _serving.discard(self)
            if any(each.handler is self.handler for each in _serving):
                self.handler.draining = self._is_shared_by_one_that_drains()
            try:
                await self._leave(grace)
            finally:
                self._closed.set()

    async def _leave(self, grace: float | None) -> None:
        """Leave the lifespan; cancel it if that takes longer than `grace` seconds."""
        leaving = self._leaving = asyncio.create_task(self.handler.shutdown())
        limit = None if grace is None else max(grace, LEAST_GRACE)
        await asyncio.wait([leaving], timeout=HURRIED if self._is_hurried else limit)
        if not leaving.done():
            self.was_cut = True
            _tell(f"ohia: the lifespan of {self.url} did not end in time and is cancelled")
            leaving.cancel()
            await asyncio.wait([leaving], timeout=LAST_WORDS)
        if leaving.done() and not leaving.cancelled():
            leaving.result()

    @property
    def connections(self) -> int:
        """How many are open."""
        return 0 if self._service is None else len(self._service.connections)

    def claim(self) -> None:
        """Hear that somebody runs this server."""
        _idle.pop(id(self), None)

    def release(self) -> None:
        """Close the listening socket of a server that does not serve."""
        self.claim()
        if self._bound is not None:
            self._bound.close()

    def retire(self) -> None:
        """Leave to the workers what waits: the last of them that closes loses nobody."""
        bound = self._listening()
        if bound.shares_port:
            turn_away(bound.socket)
        bound.close()

    def hurry(self) -> None:
        """Let a drain that is under way, or that begins, end now."""
        self._is_hurried = True
        if self._service is not None:
            self._service.hurry()
        if self._leaving is not None:
            self._leaving.cancel()

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


def _check_travel(name: str | None, tls: bind.Tls | None) -> None:
    """Refuse what could not reach a worker."""
    if name is None and not hasattr(os, "fork"):
        raise RuntimeError(
            "this platform has no fork, so workers import the application: "
            'Server("package.module:app").listen(3000, workers=4)'
        )
    if name is not None and isinstance(tls, ssl.SSLContext):
        raise TypeError("workers that import the application need tls=(certfile, keyfile)")


def _tell(message: str) -> None:
    console.write(f"{message}\n")


# Those that serve: some may share an application.
_serving: weakref.WeakSet[Server] = weakref.WeakSet()

# Servers that were bound and that nobody has run yet.
_idle: dict[int, Server] = {}


@atexit.register
def _tell_idle() -> None:
    while _idle:
        _, server = _idle.popitem()
        _tell(f"ohia: nothing ran the server on {server.url}; end the file with app.run(3000)")
        server.release()
