import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from ohia.exchange import Exchange
from ohia.http.headers import Headers
from ohia.testing import Client

OhiaClient = Callable[..., Awaitable[Client]]


class App:
    """Greets, and knows whether it runs and in which loop it was started."""

    draining = False
    loop: asyncio.AbstractEventLoop | None = None

    async def handle(self, exchange: Exchange) -> None:
        exchange.send_response(200, "OK", Headers(), b"Hello World")

    async def startup(self) -> None:
        self.loop = asyncio.get_running_loop()

    async def shutdown(self) -> None:
        assert self.loop is asyncio.get_running_loop()
        self.loop = None


@pytest.fixture
async def stopped_app() -> AsyncGenerator[App]:
    """Give an app that must have stopped when the test is over."""
    app = App()
    yield app
    assert app.loop is None


async def test_the_fixture_gives_open_clients_and_closes_them(
    stopped_app: App, ohia_client: OhiaClient
) -> None:
    client = await ohia_client(stopped_app)
    assert stopped_app.loop is asyncio.get_running_loop()
    assert (await client.get("/")).text == "Hello World"


async def test_it_takes_the_options_of_a_client(ohia_client: OhiaClient) -> None:
    client = await ohia_client(App(), headers={"a\r\n": "1"})
    with pytest.raises(ValueError, match="invalid header name"):
        await client.get("/")
