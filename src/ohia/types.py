"""Type aliases that several modules share."""

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["Listener", "Receive", "Scope", "Send"]

# ASGI's dictionaries are open: what stands in them is known only by looking.
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

Listener = Callable[..., object]
"""Takes as many of an event's arguments as it can; may be async."""
