"""Settings that every test shares."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run `async def` tests on asyncio, the loop that ohia is written for."""
    return "asyncio"
