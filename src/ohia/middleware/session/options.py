"""What can be chosen about sessions, checked once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Any, Protocol

from ohia.amounts import to_seconds
from ohia.plain import plain

__all__ = ["Options", "Record", "SessionStore", "check_functions", "lifetime"]

Record = Mapping[str, Any]
"""The values of a session, and when it ends: see `wire.py`."""


class SessionStore(Protocol):
    """Where sessions can be kept: four coroutine functions.

    A record is a dict that JSON can hold. What raises is an error of the request.
    """

    async def get(self, key: str, /) -> Record | None:
        """Return the record at `key`, or None."""
        ...

    async def set(self, key: str, record: Record, ttl: float | None, /) -> None:
        """Keep `record` at `key` for `ttl` seconds; None leaves the time to the store."""
        ...

    async def replace(self, key: str, record: Record, ttl: float | None, /) -> bool:
        """Do as `set` if there is a record at `key`, else nothing; say whether there was.

        In one step, or a session that another request destroys meanwhile comes back: XX of
        Redis' SET, UPDATE of SQL.
        """
        ...

    async def destroy(self, key: str, /) -> None:
        """Forget what is at `key`, if anything is."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one `session()`; `attributes` are those of its cookie."""

    key: str
    store: SessionStore | None
    max_age: float | None
    auto_commit: bool
    rolling: bool
    renew: bool
    signed: bool
    prefix: str
    genid: Callable[[Any], str]
    encode: Callable[[Record], str]
    decode: Callable[[str], Record]
    valid: Callable[[Any, Record], bool | Awaitable[bool]] | None
    before_save: Callable[..., object] | None
    room: int
    """Bytes of a cookie's value."""
    attributes: Mapping[str, Any]  # as ctx.cookies.set() takes and checks them

    @property
    def takes_awaiting(self) -> bool:
        """Whether loading a session may have to await something."""
        return self.store is not None or self.valid is not None


def lifetime(max_age: float | timedelta | None) -> float | None:
    """Return `max_age` in seconds; ValueError for no time at all, or all of it."""
    seconds = None if max_age is None else to_seconds("max_age", max_age)
    if seconds is not None and not 0 < seconds < inf:
        raise ValueError(f"max_age must be above 0 seconds, or None, got {max_age!r}")
    return seconds


def check_functions(store: object, **functions: Callable[..., object] | None) -> None:
    """Refuse (TypeError) a store that lacks a function, and those of `functions` that are async."""
    for name, function in functions.items():
        if function is not None:
            plain(name, function)
    if store is None:
        return
    if isinstance(store, type):
        name = store.__name__
        raise TypeError(f"store is the class {name}: pass an instance of it, {name}(...)")
    for name in ("get", "set", "replace", "destroy"):
        if not callable(getattr(store, name, None)):
            raise TypeError(f"a store has get, set, replace and destroy: {store!r} lacks {name}()")
