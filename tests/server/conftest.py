"""A server on loopback for one function that answers, and a client that speaks plain bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import h11
import pytest

from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.server.server import Server

Answer = Callable[[Exchange], Awaitable[None]]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run on both loops: their transports differ."""
    return ("asyncio", {"use_uvloop": request.param})


class Application:
    """A handler that answers by one function."""

    def __init__(self, answer: Answer) -> None:
        self.draining = False
        self.running = 0
        self.errors: list[BaseException] = []
        self._answer = answer

    async def handle(self, exchange: Exchange) -> None:
        try:
            await self._answer(exchange)
        except asyncio.CancelledError:
            exchange.abort()
            raise
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.errors.append(error)
            exchange.abort()
        finally:
            exchange.close()

    async def startup(self) -> None:
        self.running += 1

    async def shutdown(self) -> None:
        self.running -= 1


@pytest.fixture
def application() -> Callable[[Answer], Application]:
    return Application


@pytest.fixture
def serve() -> Callable[..., AbstractAsyncContextManager[Server]]:
    """`async with serve(answer, **options) as server`; its port is free, its grace short."""

    @asynccontextmanager
    async def serve(answer: Answer, port: int = 0, **options: Any) -> AsyncIterator[Server]:
        options.setdefault("grace", 0.2)
        server = Server(Application(answer)).listen(port, **options)
        try:
            await server.start()
            yield server
        finally:
            await server.close()

    return serve


@pytest.fixture
def talk() -> Callable[[Server, bytes], Awaitable[bytes]]:
    """Send bytes, end our side, return all that comes until the server closes."""

    async def talk(server: Server, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(data)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    return talk


@pytest.fixture
def read_responses() -> Callable[..., list[tuple[int, Headers, bytes]]]:
    """Read responses as h11 understands them: status, headers and body of each."""

    def read(data: bytes, *methods: str) -> list[tuple[int, Headers, bytes]]:
        responses = []
        for method in methods:
            client = h11.Connection(h11.CLIENT)
            client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
            client.send(h11.EndOfMessage())
            client.receive_data(data)
            client.receive_data(b"")
            status, headers, body = 0, Headers(), b""
            while not isinstance(event := client.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    status, headers = event.status_code, Headers.from_raw(event.headers.raw_items())
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                else:
                    assert isinstance(event, h11.InformationalResponse), event
            responses.append((status, headers, body))
            data = client.trailing_data[0]
        assert data == b"", "more came than was asked for"
        return responses

    return read
