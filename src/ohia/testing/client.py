"""Requests and WebSockets to an application, in memory, in the test's own loop.

Each request runs in a task of its own, as under a server, and has ended, listeners and all, when
the call returns. What went wrong in the application is raised in the test, so that a 500 shows
its reason: errors that left the chain (`raise_errors`), but not those that are an answer to the
client, as `ctx.throw(404)` is; and always a broken rule of `ohia.exchange`.
"""

import asyncio
import codecs
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar, Unpack, overload

from ohia.adapters.memory import (
    ContractViolation,
    Head,
    MemoryExchange,
    MemorySocket,
    ResponseCut,
)
from ohia.errors import WebSocketClosed
from ohia.exchange import Address, Handler, SocketOptions
from ohia.http.headers import Headers
from ohia.json import decode_json
from ohia.testing.cookie_jar import CookieJar, parse_set_cookie
from ohia.testing.multipart import Files
from ohia.testing.request import (
    NOTHING,
    Content,
    Query,
    RequestAddress,
    RequestHeaders,
    RequestOptions,
    render_body,
    split_url,
)
from ohia.websocket import WebSocket

__all__ = ["Client", "Response", "Socket", "StreamedResponse", "UpgradeRefused"]

Value = TypeVar("Value")

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # the sample of RFC 6455, 1.2
    "Sec-WebSocket-Version": "13",
}


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response, as the client sees it.

    `cookies` are those it sets, without those it deletes.
    """

    status: int
    message: str
    headers: Headers
    content: bytes
    cookies: dict[str, str]

    @property
    def text(self) -> str:
        """The content as text: UTF-8, unless Content-Type names another charset."""
        return self.content.decode(_charset(self.headers), "replace")

    @overload
    def json(self) -> Any: ...  # noqa: ANN401 - JSON may be anything
    @overload
    def json(self, type: type[Value]) -> Value: ...
    def json(self, type: type[Any] | None = None) -> object:
        """Return the content's value; with a `type`, checked and converted to it."""
        return decode_json(self.content, Any if type is None else type)


class UpgradeRefused(Exception):
    """The application did not upgrade: `response` is what it answered."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status} {response.message}: {response.text}")
        self.response = response


class StreamedResponse:
    """A response whose body is still coming: iterate over it for its pieces, as sent."""

    status: int
    message: str
    headers: Headers
    cookies: dict[str, str]

    def __init__(self, exchange: MemoryExchange, head: Head, cookies: dict[str, str]) -> None:
        self._exchange = exchange
        self.status = head.status
        self.message = head.reason
        self.headers = head.headers
        self.cookies = cookies

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._exchange.next_piece()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def read(self) -> Response:
        """Return the whole response, with what is left of its body."""
        content = b"".join([piece async for piece in self])
        return Response(self.status, self.message, self.headers, content, self.cookies)


class Socket(WebSocket):
    """The client's end of a WebSocket: a `WebSocket`, and the `headers` of the 101."""

    headers: Headers

    def __init__(self, socket: MemorySocket, headers: Headers) -> None:
        super().__init__(socket)
        self._end = socket
        self.headers = headers

    def hang_up(self) -> None:
        """Vanish without a Close frame, as a client that lost its network: code 1006."""
        self._end.lose()


class Client:
    """A client of `app` that needs no server: `async with Client(app) as client`.

    Entering starts the application's lifespan, leaving ends it. Cookies are kept in `cookies`,
    redirects are not followed. `headers` go along with each request. An absolute URL chooses
    host and scheme; else those of `base_url` are used. With `raise_errors=False` errors are
    answered as any client would see them.
    """

    cookies: CookieJar

    def __init__(
        self,
        app: Handler,
        *,
        raise_errors: bool = True,
        base_url: str = "http://testserver",
        client: Address | None = ("127.0.0.1", 50000),
        headers: RequestHeaders | None = None,
    ) -> None:
        self._app = app
        self._raise_errors = raise_errors
        self._base = split_url(base_url, None)
        self._address = client
        self._headers = dict(headers or {})
        self._tasks: set[asyncio.Task[None]] = set()
        self.cookies = CookieJar()

    async def __aenter__(self) -> Self:
        await self._app.startup()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._app.shutdown()

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a GET."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a POST."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PUT."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a PATCH."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a DELETE."""
        return await self.request("DELETE", url, **options)

    async def head(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a HEAD."""
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send an OPTIONS."""
        return await self.request("OPTIONS", url, **options)

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a request and return the whole response; ResponseCut if there is none."""
        async with self.stream(method, url, **options) as response:
            return await response.read()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: RequestHeaders | None = None,
        query: Query = (),
        json: Any = NOTHING,  # noqa: ANN401 - whatever msgspec can encode
        form: Query | None = None,
        files: Files | None = None,
        content: Content | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a request and give its response as soon as the head is there.

        Leaving the block hangs up if there is more, and waits for the application's end; what
        went wrong in it is raised there.
        """
        address = split_url(url, self._base, query)
        fields, body = render_body(method, json, form, files, content)
        self._add_fields(fields, address, headers, cookies)
        exchange = self._exchange(method, address, fields, body)
        async with self._served(exchange):
            head = await exchange.wait_head()
            yield StreamedResponse(exchange, head, self._keep_cookies(address, head))

    @asynccontextmanager
    async def websocket(
        self,
        url: str,
        *,
        headers: RequestHeaders | None = None,
        subprotocols: Iterable[str] = (),
        query: Query = (),
        cookies: Mapping[str, str] | None = None,
        max_queue: int = 16,
    ) -> AsyncGenerator[Socket]:
        """Open a WebSocket; UpgradeRefused if the application answers otherwise.

        `max_queue` messages wait for `receive`; then the application has to. Leaving the block
        closes with 1000 and waits for the application's end.
        """
        address = split_url(url, self._base, query)
        fields = Headers(HANDSHAKE)
        if offered := ", ".join(subprotocols):
            fields["Sec-WebSocket-Protocol"] = offered
        self._add_fields(fields, address, headers, cookies)
        limits = SocketOptions(max_message_size=None, max_queue=max_queue)
        exchange = self._exchange("GET", address, fields, None, limits)
        async with self._served(exchange):
            head = await exchange.wait_head()
            kept = self._keep_cookies(address, head)
            if exchange.client_socket is not None:
                yield Socket(exchange.client_socket, head.headers)
                await exchange.client_socket.close()
                return
            refusal = await StreamedResponse(exchange, head, kept).read()
        raise UpgradeRefused(refusal)

    def _add_fields(
        self,
        fields: Headers,
        address: RequestAddress,
        headers: RequestHeaders | None,
        cookies: Mapping[str, str] | None,
    ) -> None:
        fields.put("Host", address.authority)
        kept = self.cookies.matching(address.host, address.path, secure=address.secure)
        if pairs := kept | dict(cookies or {}):
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in pairs.items())
        for name, value in [*self._headers.items(), *(headers or {}).items()]:
            if value is None:
                fields.remove(name)
            else:
                fields[name] = value

    def _exchange(
        self,
        method: str,
        address: RequestAddress,
        headers: Headers,
        body: AsyncIterable[bytes] | None,
        limits: SocketOptions | None = None,
    ) -> MemoryExchange:
        return MemoryExchange(
            method,
            address.target,
            headers,
            body,
            secure=address.secure,
            client=self._address,
            server=(address.host, address.port),
            client_options=limits,
        )

    @asynccontextmanager
    async def _served(self, exchange: MemoryExchange) -> AsyncGenerator[None]:
        task = asyncio.create_task(exchange.serve(self._app))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            yield
        except asyncio.CancelledError:
            exchange.hang_up()  # and no waiting: the application may never end
            raise
        except (ResponseCut, WebSocketClosed):
            await self._finish(exchange, task)
            raise
        except BaseException:
            exchange.hang_up()
            await asyncio.wait([task])
            raise
        else:
            await self._finish(exchange, task)

    async def _finish(self, exchange: MemoryExchange, task: asyncio.Task[None]) -> None:
        exchange.hang_up()
        await asyncio.wait([task])
        if task.cancelled():
            raise ContractViolation("handle() was cancelled or raised CancelledError")
        task.result()
        if exchange.violation:
            raise exchange.violation
        if exchange.upload_error:
            raise exchange.upload_error
        if self._raise_errors and exchange.failure and not _is_answer(exchange.failure):
            _raise(exchange.failure)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # of one that nobody waits for: looked at is enough

    def _keep_cookies(self, address: RequestAddress, head: Head) -> dict[str, str]:
        kept: dict[str, str] = {}
        for line in head.headers.get_all("Set-Cookie"):
            cookie = parse_set_cookie(line, host=address.host, path=address.path)
            if cookie is None:
                continue
            self.cookies.store(cookie)
            if not cookie.is_expired:
                kept[cookie.name] = cookie.value
        return kept


def _raise(error: BaseException) -> NoReturn:
    """Raise `error` with the context that it has, not with the one of this place.

    What would stop more than the test, as KeyboardInterrupt, is wrapped.
    """
    if not isinstance(error, Exception):
        raise RuntimeError(f"the application raised {error!r}") from error  # noqa: TRY004 - no type error
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context


def _is_answer(error: BaseException) -> bool:
    """Say whether `error` tells the client what it did wrong, rather than us."""
    expose = getattr(error, "expose", None)
    status = getattr(error, "status", None)
    return expose is True or (type(status) is int and 400 <= status < 500)


def _charset(headers: Headers) -> str:
    """Return the charset of Content-Type, UTF-8 if Python knows no such one."""
    message = Message()
    message["Content-Type"] = headers.get("Content-Type", "")
    charset = message.get_content_charset("utf-8")
    try:
        return codecs.lookup(charset).name
    except LookupError:
        return "utf-8"
