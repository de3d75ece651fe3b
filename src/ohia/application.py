"""Ohia: settings, the list of middleware, and the life of a request."""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import asyncio
import contextlib
import inspect
import os
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ohia.compose import Composed
from ohia.compose import compose as compose_middleware
from ohia.console import console
from ohia.context import Context
from ohia.debug import Log, debug
from ohia.errors import ClientDisconnect, HTTPError, WebSocketClosed
from ohia.events import Emitter
from ohia.exchange import Exchange, Handler
from ohia.inside import Inside
from ohia.json import JsonDefault
from ohia.keygrip import Keygrip, Keys
from ohia.lifespan import Lifespan, LifespanFunction
from ohia.request import Request
from ohia.respond import respond, respond_with_error
from ohia.response import UNSET, Response
from ohia.side import close_body
from ohia.signature import check_middleware, middleware_name
from ohia.state import S
from ohia.tracebacks import format_error
from ohia.types import Receive, Scope, Send
from ohia.upgrade import UpgradeOptions
from ohia.websocket import cut_reason

if TYPE_CHECKING:
    from ohia.http.forwarded import Proxy
    from ohia.server.server import Server

__all__ = ["Ohia"]

Middleware = TypeVar("Middleware", bound=Callable[..., Any])
LifespanT = TypeVar("LifespanT", bound=LifespanFunction)
Chain = Callable[..., Awaitable[Any]]
Compose = Callable[..., Chain]

LISTENER_GRACE = 5  # seconds that async listeners have to end when the application stops

log: Log = debug("ohia:application")


class Ohia(Emitter, Generic[S]):
    """An application: an onion of middleware around one context.

    Settings are plain attributes, read when a request needs them.

    `env`: argument, else OHIA_ENV, else "development". `keys`: list of secrets, newest first,
    or any object with `sign` and `index`. `proxy`: False; True (trust every hop); a number of
    hops; a list of networks. `max_body`: bytes that `request.read()` takes. `json_spaces`: 0
    or None is compact. `output_errors`: None means all but `env == "test"`.
    """

    def __init__(  # noqa: PLR0915 - a setting a line
        self,
        *,
        name: str | None = None,
        env: str | None = None,
        keys: Sequence[str | bytes] | Keys | None = None,
        proxy: "Proxy" = False,
        proxy_ip_header: str = "X-Forwarded-For",
        max_ips_count: int = 0,
        subdomain_offset: int = 2,
        json_spaces: int | None = 2,
        json_default: JsonDefault | None = None,
        max_body: int | None = 1024 * 1024,
        output_errors: bool | None = None,
        compose: Compose = compose_middleware,
    ) -> None:
        super().__init__()
        self.name = name
        self.env: str = env or os.environ.get("OHIA_ENV") or "development"
        self.keys = keys
        self.proxy = proxy
        self.proxy_ip_header = proxy_ip_header
        self.max_ips_count = max_ips_count
        self.subdomain_offset = subdomain_offset
        self.json_spaces = json_spaces
        self.json_default = json_default
        self.max_body = max_body
        self.output_errors = output_errors
        self.compose = compose
        self.upgrade_options: UpgradeOptions = {}
        self.middleware: list[Callable[..., Any]] = []
        self._draining = False
        self._drain_waiters: set[asyncio.Future[None]] = set()
        self.context: type[Context[S]] = type("Context", (Context,), {})
        self.request: type[Request] = type("Request", (Request,), {})
        self.response: type[Response] = type("Response", (Response,), {})
        self._lifespan = Lifespan(self)
        self._warned_of_lifespan = False
        self._inside: set[Ohia[Any]] = set()
        self._composed_of: list[Callable[..., Any]] | None = None
        self._composed: Chain | None = None
        self._current: ContextVar[Sequence[Context[S]]] = ContextVar("ohia_context", default=())

    @property
    def keys(self) -> Sequence[str | bytes] | Keys | None:
        """The secrets that sign cookies, as they were set."""
        return self._keys

    @keys.setter
    def keys(self, keys: Sequence[str | bytes] | Keys | None) -> None:
        self._keys = keys
        self._keygrip = _keygrip(keys)

    @property
    def proxy(self) -> "Proxy":
        """Whom to trust about the client: False, True, a number of hops or networks."""
        return self._proxy

    @proxy.setter
    def proxy(self, proxy: "Proxy") -> None:
        if not isinstance(proxy, int):
            from ohia.http.forwarded import compile_proxy  # noqa: PLC0415 - see ohia.late

            compile_proxy(proxy)  # a bad network is told now
        self._proxy = proxy

    @property
    def keygrip(self) -> Keys | None:
        """What signs and verifies, made of `keys`."""
        return self._keygrip

    @property
    def draining(self) -> bool:
        """Whether a stop signal has come: what runs long should come to its end."""
        return self._draining

    @draining.setter
    def draining(self, draining: bool) -> None:
        self._draining = draining
        for app in self._inside:
            app.draining = draining
        for waiter in self._drain_waiters if draining else ():
            if not waiter.done():
                waiter.set_result(None)

    async def wait_draining(self) -> None:
        """Return when `draining` has become True."""
        if self._draining:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._drain_waiters.add(waiter)
        try:
            await waiter
        finally:
            self._drain_waiters.discard(waiter)

    def use(self, *middleware: Middleware) -> Middleware:
        """Add middleware, in order; return the first, so that it works as a decorator.

        What could never run raises TypeError, with the reason and the right spelling. A
        `lifespan` that middleware carries is added as by `lifespan()`.
        """
        if not middleware:
            raise TypeError("use() takes at least one middleware")
        for each in middleware:
            check_middleware(each)
        for each in middleware:
            self._lifespan.hold(each)
            log("use %s", middleware_name(each))
            self.middleware.append(each)
        return middleware[0]

    @property
    def current_context(self) -> Context[S] | None:
        """The ctx of the running request; None outside."""
        current = self._current.get()
        return current[0] if current else None

    def as_middleware(self) -> Inside:
        """Return this application as one middleware of another, by `mount()` and its kin.

        Isolated: inside, ctx has this application's class, settings, keys and "error"
        listeners; what its chain leaves undone goes on downstream of it. Its lifespan runs
        with the other's.
        """
        return Inside(self)

    def callback(self) -> "Ohia[S]":
        """Return the ASGI 3 application: this object. It also serves `Server`."""
        self._chain()  # what cannot be composed is told now
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection: http, websocket or lifespan."""
        if scope["type"] == "lifespan":
            from ohia.adapters import asgi  # noqa: PLC0415 - see ohia.late

            await asgi.serve_lifespan(self, scope, receive, send)
        elif scope["type"] in {"http", "websocket"}:
            await _asgi_server()(self, scope, receive, send)
        else:
            raise ValueError(f"ohia serves http, websocket and lifespan, not {scope['type']!r}")

    def listen(self, port: int | None = None, host: str | None = None, **options: Any) -> "Server":  # noqa: ANN401
        """Bind, and return the server that will serve this application.

        Sugar for `Server(app.callback()).listen(...)`, which see. It does not serve by itself:
        `run()`, `await start()` or `async with` do.
        """
        from ohia.server.server import Server  # noqa: PLC0415 - see ohia.late

        log("listen")
        return Server(self.callback()).listen(port, host, **options)

    def run(self, port: int | None = None, host: str | None = None, **options: Any) -> None:  # noqa: ANN401
        """Listen, and serve until SIGINT or SIGTERM."""
        self.listen(port, host, **options).run()

    def lifespan(self, function: LifespanT) -> LifespanT:
        """Add a function of the app that runs around its life: code, `yield`, code.

        Entered before the first request, once per process, unwound in reverse order. A yielded
        mapping is copied into each `ctx.state`. Works as a decorator.
        """
        self._lifespan.add(function)
        return function

    @contextlib.asynccontextmanager
    async def lifespan_context(self) -> AsyncGenerator[None]:
        """Enter the lifespan by hand, in a host that forwards none."""
        await self.startup()
        try:
            yield
        finally:
            await self.shutdown()

    @property
    def lifespan_state(self) -> Mapping[str, Any]:
        """What the lifespan yielded."""
        return self._lifespan.state

    async def startup(self) -> None:
        """Enter the lifespan; counted."""
        await self._lifespan.startup()

    async def shutdown(self) -> None:
        """Wait for what listeners still do, and leave the lifespan; counted."""
        try:
            loop = asyncio.get_running_loop()
            end = loop.time() + LISTENER_GRACE
            for app in self._with_inside():
                await app.settle(timeout=max(0, end - loop.time()))
        finally:  # a server whose grace is over cancels this
            await self._lifespan.shutdown()

    async def handle(self, exchange: Exchange) -> None:  # noqa: PLR0915 - each call less is paid less
        """Answer one exchange: run the chain, send what ctx holds, tell of errors."""
        ctx = self.context(self, exchange)
        current = [ctx]  # emptied in the end: what is scheduled meanwhile keeps this, not ctx
        outer = self._current.set(current)
        error: BaseException | None = None
        try:
            if not self._lifespan.is_running and not self._warned_of_lifespan:
                self._warn_of_lifespan()
            await self._chain()(ctx)
            if ctx._is_plain or (ctx._socket is None and ctx._stream is None and ctx._respond):
                waiting = respond(ctx)
                if waiting is not None:
                    await waiting
            else:
                await self._finish_long(ctx)
        except BaseException as raised:  # noqa: BLE001 - whatever the chain raises is answered
            error = raised
            await self._fail(ctx, raised)
        finally:
            try:
                if ctx._sources is not None or ctx._on_finished is not None:
                    await self._finish(ctx, error)
            finally:
                self._current.reset(outer)
                current.clear()
                exchange.close()
                # Both make cycles: the error's traceback holds this frame, the stream its ctx.
                error = ctx._stream = None

    def _chain(self) -> Chain:
        """Return the composed middleware, composed anew if the list has changed."""
        if self._composed is None or self._composed_of != self.middleware:
            self._composed_of = self.middleware.copy()
            options = {"checked": self.env != "production"}
            composed = self.compose(
                self._composed_of, **(options if self.compose is compose_middleware else {})
            )
            self._composed = composed.first if isinstance(composed, Composed) else composed
            if self.env != "production":
                self._composed = _told_of_values(self._composed)
        return self._composed

    async def _finish_long(self, ctx: Context[S]) -> None:
        """End a socket or an in-chain stream, unless it is its opener's (`ctx.respond`)."""
        if ctx._socket is not None:
            if ctx._respond:
                await ctx._socket.close()
            await ctx._socket.wait_closed()
        elif ctx._stream is None:
            raise RuntimeError("ctx.respond is False, but no stream or socket was opened")
        elif not ctx._respond:
            await ctx._stream.wait_ended()
        elif not ctx._stream.is_ended:
            raise RuntimeError("the chain ended while its stream was open; use `async with`")

    async def _fail(self, ctx: Context[S], error: BaseException) -> None:
        """Tell of an error that left the chain, and answer it if that can still be done."""
        exchange = ctx._exchange
        if _is_cancelled_by_server(error):
            exchange.abort()
            raise error
        if _is_going(ctx, error):
            if ctx._socket is not None and self.draining:
                await ctx._socket.close()  # the peer has yet to answer our 1001
            exchange.abort()
            return
        header_sent = ctx._response_headers.sent
        with contextlib.suppress(Exception):  # an error may refuse attributes
            error.header_sent = header_sent  # type: ignore[attr-defined]
        self.report(error, ctx)
        if ctx._socket is not None:
            await ctx._socket.close(*_close_code(error))
            await ctx._socket.wait_closed()
        elif header_sent:
            exchange.abort()
        else:
            await self._answer_error(ctx, error)

    async def _answer_error(self, ctx: Context[S], error: BaseException) -> None:
        try:
            await respond_with_error(ctx, error, ctx.error_page)
        except ClientDisconnect:
            ctx._exchange.abort()
        except BaseException as second:
            if _is_cancelled_by_server(second):
                raise
            self.report(second, ctx)
            if ctx._response_headers.sent:
                ctx._exchange.abort()
            else:
                ctx._before_send = None
                await respond_with_error(ctx, second)

    def report(self, error: BaseException, ctx: Context[S]) -> None:
        """Emit "error" with `error` and `ctx`; without a listener call `on_error`.

        Inside another application that one is told if no listener is here, and so on.
        """
        ctx._exchange.failed(error)
        if ctx._side is not None and ctx._side.outer is not None:
            ctx._side.report(error, ctx)
        elif ctx._told is error:
            ctx._told = None  # its traceback leads back to ctx
        elif not self.emit("error", error, ctx):
            self.on_error(error, ctx)

    def _with_inside(self) -> "dict[Ohia[Any], None]":
        """Return the applications inside of this one, those inside of them too, and this one."""
        found: dict[Ohia[Any], None] = {}
        for app in self._inside:
            found |= app._with_inside()
        found[self] = None
        return found

    def _begin_inside(self, host: "Ohia[Any]") -> None:
        """Hear that a request of `host` comes in."""
        if self not in host._inside:
            host._inside.add(self)
            if host.draining:  # another host may be, too
                self.draining = True
        if not self._lifespan.is_running and not self._warned_of_lifespan:
            self._warn_of_lifespan()

    def _tell_inside(self, error: BaseException, ctx: Context[Any]) -> None:
        """Emit "error" for what leaves this chain inside another; once: that one is silent then."""
        if _is_cancelled_by_server(error) or _is_going(ctx, error):
            return
        with contextlib.suppress(Exception):  # an error may refuse attributes
            error.header_sent = ctx._response_headers.sent  # type: ignore[attr-defined]
        if ctx._told is not error and self.emit("error", error, ctx):
            ctx._told = error
            ctx.on_finished(_forget_told)

    def on_error(self, error: BaseException, ctx: Context[S] | None = None) -> None:  # noqa: ARG002 - for overriding
        """Print `error` to stderr; but no 404, no exposed error, nothing if so set."""
        output = self.env != "test" if self.output_errors is None else self.output_errors
        if not output or _is_ordinary(error):
            return
        text = format_error(error).rstrip("\n")
        indented = "\n".join(f"  {line}" for line in text.split("\n"))
        console.write(f"\n{indented}\n\n")

    async def _finish(self, ctx: Context[S], error: BaseException | None) -> None:
        """Close what was a body, and run the hooks of `ctx.on_finished`: each, whatever fails."""
        cancelled = None
        while ctx._sources:
            source = ctx._sources.pop()
            cancelled = await self._attempt(ctx, close_body, ctx, source) or cancelled
        while ctx._on_finished:  # a hook may register another
            hooks, ctx._on_finished = ctx._on_finished, None
            for hook in hooks:
                cancelled = await self._attempt(ctx, hook, error, ctx) or cancelled
        if cancelled is not None:
            raise cancelled

    async def _attempt(
        self,
        ctx: Context[S],
        function: Callable[..., object],
        *args: Any,  # noqa: ANN401 - what the function takes
    ) -> BaseException | None:
        """Call `function`, report its failure; return it only if the server cancelled us."""
        try:
            result = function(*args)
            if inspect.isawaitable(result):
                await result
        except BaseException as error:  # noqa: BLE001 - any source or hook may fail
            if _is_cancelled_by_server(error):
                return error
            self.report(error, ctx)
        return None

    def _warn_of_lifespan(self) -> None:
        self._warned_of_lifespan = True
        if self._lifespan.functions:
            warnings.warn(
                "a request came before the lifespan was entered; where the host forwards no "
                "lifespan, wrap it in `async with app.lifespan_context():`",
                RuntimeWarning,
                stacklevel=2,
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings that Koa shows; never the keys."""
        return {
            "subdomain_offset": self.subdomain_offset,
            "proxy": self.proxy,
            "env": self.env,
        }

    def __repr__(self) -> str:
        return f"<Ohia {self.name or ''}{' ' if self.name else ''}{self.env}>"


def _told_of_values(chain: Chain) -> Chain:
    """Return `chain` with a warning where a middleware returned what it should have assigned."""

    async def told(ctx: Context[Any], *next: Any) -> Any:  # noqa: ANN401 - see Chain
        result = await chain(ctx, *next)
        is_open = ctx._socket is not None or ctx._stream is not None or not ctx._respond
        if ctx._returned and ctx._body is UNSET and not (ctx._has_status or is_open or next):
            warnings.warn(ctx._returned, RuntimeWarning, stacklevel=2)
        return result

    return told


@cache
def _asgi_server() -> Callable[[Handler, Scope, Receive, Send], Awaitable[None]]:
    from ohia.adapters.asgi import serve  # noqa: PLC0415 - see ohia.late

    return serve


def _keygrip(keys: Sequence[str | bytes] | Keys | None) -> Keys | None:
    if isinstance(keys, str | bytes):
        raise TypeError("keys is a list of secrets, not one alone: [secret]")
    if isinstance(keys, Sequence):
        return Keygrip(keys)
    if keys is not None and not (hasattr(keys, "sign") and hasattr(keys, "index")):
        raise TypeError(f"keys is a list, or has sign() and index(), got {type(keys).__name__}")
    return keys


def _is_cancelled_by_server(error: BaseException) -> bool:
    """Tell a cancelled task from a CancelledError that middleware raised by itself."""
    if isinstance(error, GeneratorExit):
        # The task itself is being thrown away when no loop runs it any more.
        return asyncio._get_running_loop() is None
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _is_going(ctx: Context[Any], error: BaseException) -> bool:
    """Say whether `error` only tells that the peer has gone, which is no error."""
    if isinstance(error, ClientDisconnect):
        return not ctx._exchange.can_send
    if not isinstance(error, WebSocketClosed) or ctx._socket is None:
        return False
    return ctx._socket.closed or ctx.app.draining


def _forget_told(_: BaseException | None, ctx: Context[Any]) -> None:
    """Let go of an error that may have been caught outside: its traceback leads back to ctx."""
    ctx._told = None


def _close_code(error: BaseException) -> tuple[int, str]:
    if isinstance(error, HTTPError) and error.status < 500:
        return 1008, cut_reason(error.message)
    return 1011, ""


def _is_ordinary(error: BaseException) -> bool:
    """Say whether `error` is an answer more than a fault: 404, or meant for the client."""
    try:
        expose: object = getattr(error, "expose", None)
        status: object = getattr(error, "status", None)
    except Exception:  # noqa: BLE001 - an odd error may refuse to be asked
        return False
    return expose is True or (isinstance(expose, bool) and status == 404)
