"""A process for servers, or several: from the first line on stderr to the exit status."""

import asyncio
import functools
import signal
from collections.abc import Callable, Sequence

from ohia.console import console
from ohia.server.descriptors import raise_limit
from ohia.server.server import Server
from ohia.server.stopping import CUT, Stop, handling
from ohia.server.terminal import Terminal
from ohia.server.worker import Worker

try:
    import uvloop
except ImportError:  # it runs on CPython, and not on Windows
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop
else:
    new_event_loop = uvloop.new_event_loop

__all__ = ["run"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
LAST_WORDS = 15.0  # seconds beyond twice the grace, for cancelled tasks and for threads

OnSignal = Callable[[int], None]


def run(*servers: Server) -> None:
    """Serve `servers` in one process until SIGINT or SIGTERM, then drain them.

    With `workers` there are that many processes; the servers must agree on it. SIGHUP replaces
    them one by one. Status 3 says that they could not start.

    Returns when all has come to its end. Else SystemExit with the status `CUT` (4) if something
    still ran when the grace was over, or `SIGNALLED` (128) plus the number of a second signal,
    which stops at once: 130 for SIGINT, 143 for SIGTERM.

    SIGHUP reads certificates again, where `tls` was given as files; if the terminal has gone it
    stops. The process may open as many
    descriptors as its hard limit allows.
    """
    counts = {server.workers for server in servers}
    if len(counts) > 1:
        raise ValueError(f"servers that run together agree on workers, got {sorted(counts)}")
    if not servers:
        raise TypeError("run() takes one server or more")
    for server in servers:
        server.claim()
        if server.access_log is None:
            server.access_log = True
    raise_limit()
    count = counts.pop()
    status = _run_loop(servers) if count == 1 else _run_workers(servers, count)
    if status:
        raise SystemExit(status)


def _run_workers(servers: Sequence[Server], count: int) -> int:
    """Serve in `count` processes; return the exit status of them all."""
    from ohia.server.workers import Plan, supervise  # noqa: PLC0415 - multiprocessing is large

    def renew() -> None:
        for server in servers:
            server.reload()

    def stop() -> None:
        for server in servers:
            server.retire()

    timeouts = [server.limits.worker_timeout for server in servers]
    plan = Plan(
        work=functools.partial(_run_worker, tuple(servers)),
        count=count,
        spawn=not any(hasattr(server, "handler") for server in servers),
        patience=_patience(servers),
        timeout=min((each for each in timeouts if each), default=None),
        started=lambda: _tell_urls(servers),
        stopping=stop,
        renew=renew,
    )
    try:
        return supervise(plan)
    finally:
        for server in servers:
            server.release()


def _run_worker(servers: Sequence[Server], worker: Worker) -> int:
    for server in servers:
        server.load()
    return _run_loop(servers, worker)


def _run_loop(servers: Sequence[Server], worker: Worker | None = None) -> int:
    """Serve in a loop of our own; return the exit status, as `run` tells it."""

    def hurry() -> None:
        for server in servers:
            server.hurry()

    stop = Stop(hurry, _patience(servers))
    # A signal to the whole group reaches a worker too, and is the first one again.
    handlers = {signal.SIGTERM: stop.ask} if worker else _handlers(servers, stop)
    with handling(handlers) as is_ours:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                stop.loop = runner.get_loop()
                try:
                    runner.run(_serve(servers, stop, worker))
                finally:
                    if is_ours:
                        stop.closing()
        finally:
            stop.closed()
    return stop.status or (CUT if any(server.was_cut for server in servers) else 0)


def _handlers(servers: Sequence[Server], stop: Stop) -> dict[signal.Signals, OnSignal]:
    """Return what the signals to a process of ours do."""
    terminal = Terminal()

    def reload(number: int) -> None:
        if terminal.has_gone():
            stop.on_signal(number)
            return
        stop.call(functools.partial(_reload, servers))

    handlers: dict[signal.Signals, OnSignal] = dict.fromkeys(STOP_SIGNALS, stop.on_signal)
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = reload
    return handlers


def _reload(servers: Sequence[Server]) -> None:
    for server in servers:
        server.reload()
    if not any(server.has_tls_files for server in servers):
        console.write("ohia: SIGHUP changes nothing: no workers to replace, no certificates\n")


def _grace(servers: Sequence[Server]) -> float | None:
    """Return the longest grace; None if one of them has no end."""
    graces = [server.limits.grace for server in servers]
    return None if None in graces else max(each for each in graces if each is not None)


def _patience(servers: Sequence[Server]) -> float | None:
    """Return the seconds in which all must have ended: requests, then the lifespan."""
    grace = _grace(servers)
    return None if grace is None else 2 * grace + LAST_WORDS


async def _serve(servers: Sequence[Server], stop: Stop, worker: Worker | None) -> None:
    """Serve until a signal comes or every server was closed."""
    if worker is not None:
        hurry = functools.partial(stop.hurry, signal.SIGTERM)
        worker.attach(asyncio.get_running_loop(), drain=stop.ask, hurry=hurry)
    try:
        if await _started(stop.asked, servers):
            if worker is not None:
                worker.ready()
            if servers[0].workers == 1:
                _tell_urls(servers)  # from now on a signal drains, whoever reads the line
            await _until(stop.asked, servers)
    finally:
        await _close_all(servers)


async def _close_all(servers: Sequence[Server]) -> None:
    """Close each, whatever happens to the others; then raise what went wrong."""
    results = await asyncio.gather(*(server.close() for server in servers), return_exceptions=True)
    errors = [each for each in results if isinstance(each, BaseException)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup("several servers failed to close", errors)


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


def _tell_urls(servers: Sequence[Server]) -> None:
    for server in servers:
        console.write(f"ohia: listening on {server.url}\n")
