"""Type aliases that several modules share."""

from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import Any, Protocol

__all__ = ["Middleware", "Next", "Receive", "Scope", "Send"]

# ASGI's dictionaries are open: what stands in them is known only by looking.
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Next(Protocol):
    """The rest of the chain: `await next()` or `yield next` goes downstream, once.

    What downstream's middleware returned is the value, hence Any.
    """

    def __call__(self) -> Awaitable[Any]:
        """Go downstream."""
        ...

    def __await__(self) -> Generator[Any, Any, Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


Middleware = Callable[[Any, Next], Any]
"""A coroutine function, a generator function or a plain one of ctx and next.

Any, because each of them returns something else, and because ctx may be an application's own.
"""
