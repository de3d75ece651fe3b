"""What the tests of `body()` share."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ohia import Context, Ohia
from ohia.middleware.body import body
from ohia.testing import Client, Response

Look = Callable[[Context], Any]
Post = Callable[..., Awaitable[tuple[Any, Response]]]


@pytest.fixture
def post() -> Post:
    """Give `await post(look, content=..., **options)`: what `look(ctx)` returned, and the response.

    Keywords that a request has are the request's, the others are options of `body()`.
    """
    asked = {"json", "form", "content", "headers"}

    async def post(look: Look, *, method: str = "POST", **options: Any) -> tuple[Any, Response]:
        request = {name: options.pop(name) for name in asked & options.keys()}
        seen: list[Any] = []
        app = Ohia(env="test")
        app.use(body(**options))

        @app.use
        async def handler(ctx: Context) -> None:
            result = look(ctx)
            seen.append(await result if isinstance(result, Awaitable) else result)
            ctx.body = "done"

        async with Client(app, raise_errors=False) as client:
            response = await client.request(method, "/", **request)
        return (seen[0] if seen else None), response

    return post
