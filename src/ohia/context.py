"""Context: one request and its response as one object.

It is the one object made per request, so it holds all state in slots; parts that most
requests never touch come to life on first use. Each application has a subclass of its own,
without slots, so that what is set on `app.context` appears on every ctx of that application.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

import weakref
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Unpack, cast, overload

from ohia.cookies import Cookies
from ohia.errors import http_error
from ohia.exchange import Disconnect, Exchange
from ohia.http.headers import Headers
from ohia.request import RequestSide
from ohia.respond import ErrorPage, run_before_send, run_detach, send_head
from ohia.response import UNSET, ResponseSide
from ohia.state import S, State
from ohia.stream import ResponseStream
from ohia.upgrade import (
    UpgradeOptions,
    accept_headers,
    check_handshake,
    check_origin,
    choose_subprotocol,
    socket_options,
)
from ohia.view import STATE
from ohia.websocket import WebSocket

if TYPE_CHECKING:
    from ohia.application import Ohia
    from ohia.middleware.session import Session
    from ohia.middleware.sse import OpenEvents
    from ohia.middleware.views import Render
    from ohia.request import Request
    from ohia.response import Response
    from ohia.side import SetBy, Side

__all__ = ["Context"]

Hook = Callable[..., object]
"""A function of ctx, plain or async."""


class Lacking:
    """A name that is there below some bundled middleware, and tells so where it is not."""

    def __init__(self, maker: str, besides: str = "") -> None:
        self._advice = f"is there below app.use({maker}){besides and f'; {besides}'}"

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, ctx: object, owner: type) -> NoReturn:
        raise AttributeError(f"ctx.{self._name} {self._advice}")


class Context(RequestSide, ResponseSide, Generic[S]):
    """One request and its response.

    Reading is about the request (`ctx.path`, `ctx.get(name)`, `ctx.headers`), writing about
    the response (`ctx.status = 201`, `ctx.set(name, value)`, `ctx.body = ...`); `ctx.length`,
    `ctx.type` and `ctx.body` are the response's.
    """

    __slots__ = (*STATE, "_cookies", "_request_view", "_response_view", "_state")

    error_page: ErrorPage | None = None
    """`fn(error, ctx)`, plain or async, called when an error has left the chain and nothing was
    sent: status and headers of the answer are set, it may set type and body."""

    compress: bool | None = None
    """Whether `compress()` shall: None by the type of the body, True, False."""
    csp_nonce: str = ""
    """The nonce of this answer's Content-Security-Policy, where `secure()` has made one."""
    remote_user: str = ""
    """Who came in by `basic_auth()`."""
    request_id: str = ""
    """What `request_id()` calls this request."""
    _returned: str = ""  # outside production: a value that a middleware returned in vain
    _told: BaseException | None = None  # what listeners of an application inside have heard of
    _set_by: "SetBy" = None  # whose its body is, if not of the outermost application
    _side: "Side | None" = None  # as whose it is shown, where one application is inside another
    route: str | None = None
    """The template of the route that a `Router` found, with the path of mounts before it."""
    params: dict[str, Any] = cast("dict[str, Any]", MappingProxyType({}))
    """The parameters that the path gave a `Router`; empty and read-only where there was none."""

    if not TYPE_CHECKING:
        session = Lacking("session()", "a mounted application has sessions of its own")
        csrf_token = Lacking("csrf()")
        render = Lacking("views()")
        sse = Lacking("sse()")

    if TYPE_CHECKING:
        _on_finished: list[Hook] | None
        _cookies: Cookies | None
        _request_view: Request | None
        _response_view: Response | None
        _state: Any  # an S to checkers, a State in truth

        # ---- What bundled middleware adds ----

        render: Render
        """`await ctx.render(name, **values)` sets the body to a template's text; see `views()`."""
        disable_body_parser: bool  # set upstream of body(), which then reads nothing by itself
        sse: OpenEvents

        @property
        def session(self) -> Session:
            """What is remembered of this browser; None once it was destroyed."""
            ...

        @session.setter
        def session(self, values: Mapping[str, Any] | None) -> None: ...
        @session.deleter
        def session(self) -> None: ...
        @property
        def csrf_token(self) -> str:
            """A token for a form of this browser's, each time another text; see `csrf()`."""
            ...

    def __init__(self, app: "Ohia[S]", exchange: Exchange) -> None:  # noqa: PLR0915 - a slot a line
        self.app = app
        self.method: str = exchange.method
        self._respond = True
        self._is_plain = True
        self._exchange = exchange
        self._request_headers = None
        self._url = None
        self._mount_path = None
        self._ip = None
        self._trusted_hop = None
        self._parsed_query = None
        self._parsed_url = None
        self._accept = None
        self._request_body = None
        self._response_headers = Headers()
        self._sticky = None
        self._status = 404
        self._has_status = False
        self._message = None
        self._body = UNSET
        self._payload = None
        self._body_is_null = False
        self._sources = None
        self._filters = None
        self._before_send = None
        self._on_detach = None
        self._on_finished = None
        self._flushed = False
        self._stream = None
        self._socket = None
        self._late_warned = False
        self._cookies = None
        self._request_view = None
        self._response_view = None
        self._state = None

    @property
    def request(self) -> "Request":
        """The request side as an object; the same one each time."""
        if self._request_view is None:
            self._request_view = self.app.request(self)
        return self._request_view

    @property
    def response(self) -> "Response":
        """The response side as an object; the same one each time."""
        if self._response_view is None:
            self._response_view = self.app.response(self)
        return self._response_view

    @property
    def state(self) -> S:
        """A namespace for middleware, filled with what the lifespan yielded."""
        if self._state is None:
            self._state = State(self.app.lifespan_state)
        return cast("S", self._state)

    @property
    def cookies(self) -> Cookies:
        """The request's cookies, and those to set; signed where the app has keys."""
        if self._cookies is None:
            self._cookies = Cookies(
                self.headers,
                self._response_headers,
                keys=self.app.keygrip,
                secure=self.secure,
                sticky=self._kept(),
                warn_late=None if self.app.env == "production" else _warner(weakref.ref(self)),
            )
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: Cookies) -> None:
        self._cookies = cookies

    @overload
    def throw(self, status: BaseException, /) -> NoReturn: ...
    @overload
    def throw(
        self,
        status: int = 500,
        message: str | None = None,
        **props: Any,  # noqa: ANN401
    ) -> NoReturn: ...
    def throw(
        self,
        status: int | BaseException = 500,
        message: str | None = None,
        **props: Any,
    ) -> NoReturn:
        """Raise the HTTPError of `status`, with `props` as its attributes; or a given error.

        Below 500 the message is shown to the client.
        """
        if isinstance(status, BaseException):
            raise status
        raise http_error(status, message, **props)

    @property
    def assert_(self) -> "Assert":
        """Call it, or one of its comparisons: what does not hold is thrown as an HTTPError."""
        return ASSERT

    @property
    def disconnected(self) -> Disconnect:
        """The client's going: `.is_set()`, `await .wait()`. It cancels nothing by itself."""
        return self._exchange.disconnected

    def before_send(self, hook: Hook) -> Hook:
        """Run `hook(ctx)` once, just before the head leaves, the last registered first.

        It may change status and headers, not the body. If it raises, the answer is a 500.
        """
        if self._response_headers.sent:
            self._warn_late("before_send()")
            return hook
        self._is_plain = False
        if self._before_send is None:
            self._before_send = []
        self._before_send.append(hook)
        return hook

    def on_detach(self, hook: Hook) -> Hook:
        """Run `hook(ctx)` when the request is upgraded or an in-chain stream begins."""
        self._on_detach = [*(self._on_detach or ()), hook]
        return hook

    def on_finished(self, hook: Hook) -> Hook:
        """Run `hook(err, ctx)` after the last byte, the socket's end or the client's going."""
        self._on_finished = [*(self._on_finished or ()), hook]
        return hook

    async def flush_headers(self) -> None:
        """Send status and headers now; a body may still be set."""
        if not self._response_headers.sent:
            self._flushed = True
            await send_head(self)

    def stream(self) -> ResponseStream:
        """Open the response for writing: `async with ctx.stream() as out`."""
        return ResponseStream(self)

    @property
    def upgradable(self) -> bool:
        """Whether the request is a WebSocket handshake."""
        return self._exchange.is_websocket

    @property
    def websocket(self) -> WebSocket | None:
        """The socket that this request was upgraded to, or None."""
        return self._socket

    async def upgrade(self, **options: Unpack[UpgradeOptions]) -> WebSocket:
        """Make this request a WebSocket; again: the same one.

        `subprotocols` are chosen from in their order; `origins` None admits pages of this
        host only, a list those in it too, `"*"` any; `headers` go on the 101 beside what was
        set on ctx. `max_message_size` (bytes, 1 MiB), `max_fragment_size` (bytes of a frame,
        None), `max_queue` (messages, 16), `compression` (True), `ping_interval`,
        `ping_timeout` (20 s) and `close_timeout` (10 s) are the socket's, as `listen()` sets
        them. Raises UpgradeRequired (426), BadRequest (400) or Forbidden (403) for a handshake
        that cannot be accepted, RuntimeError after the response began.
        """
        if self._socket is not None:
            return self._socket
        if self._response_headers.sent:
            raise RuntimeError("cannot upgrade: the response has begun")
        chosen: UpgradeOptions = {**self.app.upgrade_options, **options}
        exchange = self._exchange
        settings = socket_options(chosen, exchange.socket_options)
        check_handshake(exchange)
        check_origin(self.origin, self.host, chosen.get("origins"))
        offered = self.headers.get_all("sec-websocket-protocol")
        subprotocol = choose_subprotocol(offered, chosen.get("subprotocols", ()))
        status, self._status = self._status, 101
        try:
            await run_before_send(self)
            headers = accept_headers(self._response_headers, chosen.get("headers"))
            await run_detach(self)
        except BaseException:
            self._status = status  # an ordinary answer can still be given
            raise
        self._response_headers.sent = True
        socket = await exchange.upgrade(headers, subprotocol, settings)
        self._status, self._message = 101, None
        self._body, self._payload = UNSET, None
        self._is_plain = False
        self._socket = WebSocket(
            socket, json_default=self.app.json_default, on_error=_reporter(weakref.ref(self))
        )
        return self._socket

    def to_dict(self) -> dict[str, Any]:
        """Return request, response, app and original URL, for logs, without secrets."""
        return {
            "request": self.request.to_dict(),
            "response": self.response.to_dict(),
            "app": self.app.to_dict(),
            "original_url": self.original_url,
        }

    def __repr__(self) -> str:
        return f"<Context {self.method} {self.url} {self.status}>"


def _reporter(ctx: "weakref.ref[Context[Any]]") -> Callable[[BaseException], None]:
    """Return what reports a socket's error; it does not keep alive the ctx, which holds it."""

    def report(error: BaseException) -> None:
        alive = ctx()
        if alive is not None:
            alive.app.report(error, alive)

    return report


def _warner(ctx: "weakref.ref[Context[Any]]") -> Callable[[str], None]:
    """Return what warns of late cookies; it does not keep alive the ctx, which holds them."""

    def warn(what: str) -> None:
        alive = ctx()
        if alive is not None:
            alive._warn_late(what, stacklevel=4)

    return warn


class Assert:
    """`ctx.assert_(value, status, message, **props)` and its comparisons.

    What does not hold raises the HTTPError of `status` (default 500).
    """

    def __call__(
        self,
        value: object,
        status: int = 500,
        message: str | None = None,
        **props: Any,  # noqa: ANN401 - as HTTPError takes them
    ) -> None:
        """Throw unless `value` is true."""
        if not value:
            raise http_error(status, message, **props)

    ok = __call__

    def fail(self, status: int = 500, message: str | None = None, **props: Any) -> NoReturn:  # noqa: ANN401
        """Throw."""
        raise http_error(status, message, **props)

    def equal(self, first: object, second: object, *args: Any, **props: Any) -> None:  # noqa: ANN401
        """Throw unless `first == second`."""
        self(first == second, *args, **props)

    def not_equal(self, first: object, second: object, *args: Any, **props: Any) -> None:  # noqa: ANN401
        """Throw if `first == second`."""
        self(first != second, *args, **props)

    deep_equal = equal  # in Python == looks inside
    not_deep_equal = not_equal

    def strict_equal(self, first: object, second: object, *args: Any, **props: Any) -> None:  # noqa: ANN401
        """Throw unless both are equal and of one type."""
        self(type(first) is type(second) and first == second, *args, **props)

    def not_strict_equal(self, first: object, second: object, *args: Any, **props: Any) -> None:  # noqa: ANN401
        """Throw if both are equal and of one type."""
        self(type(first) is not type(second) or first != second, *args, **props)


ASSERT = Assert()
