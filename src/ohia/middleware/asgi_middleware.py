"""ASGI middleware of others, inside the chain."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ohia import Context, Middleware, Next
from ohia.foreign import AsgiApp, enter_lifespan, rest_of_chain, serve_through

__all__ = ["asgi_middleware"]


def asgi_middleware(
    factory: Callable[..., AsgiApp],
    *args: Any,  # noqa: ANN401 - what the factory takes
    **options: Any,  # noqa: ANN401
) -> Middleware:
    """Run the ASGI middleware `factory(application, *args, **options)` around what follows.

    `factory` is called once, here. What it makes may change the scope, wrap `receive` and
    `send`, or answer by itself. Its lifespan runs with this app's.
    """
    application = factory(rest_of_chain, *args, **options)
    if not callable(application):
        raise TypeError(f"{factory!r} is no ASGI middleware: it made {application!r}")
    state: dict[str, Any] = {}

    async def asgi_middleware(ctx: Context[Any], next: Next) -> None:
        await serve_through(ctx, next, application, state=state)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncGenerator[None]:
        async with enter_lifespan(application, state):
            yield

    asgi_middleware._name = f"asgi_middleware {_name(factory)}"  # type: ignore[attr-defined]  # noqa: SLF001
    asgi_middleware.lifespan = lifespan  # type: ignore[attr-defined]
    return asgi_middleware


def _name(factory: object) -> str:
    return getattr(factory, "__name__", type(factory).__name__)
