"""The pytest plugin: the fixture `ohia_client`.

    async def test_hello(ohia_client):
        client = await ohia_client(app)
        response = await client.get("/")
        assert response.text == "Hello World"

The fixture is an async generator, so that clients open and close in the test's own loop. It needs
a plugin that runs async fixtures: anyio's, or pytest-asyncio in auto mode. With any other,
`async with ohia.testing.Client(app) as client` does the same.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from ohia.exchange import Handler
from ohia.testing.client import Client

__all__ = ["ohia_client"]


@pytest.fixture
async def ohia_client() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Give a function of an app and a Client's options: awaited, it is a client.

    The client is open at once, and the test's end closes it.
    """
    async with AsyncExitStack() as clients:

        async def ohia_client(
            app: Handler,
            **options: Any,  # noqa: ANN401 - those of Client
        ) -> Client:
            return await clients.enter_async_context(Client(app, **options))

        yield ohia_client
