"""What can be chosen about sessions, checked once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Options", "Record", "SessionStore"]

Record = Mapping[str, Any]
"""The values of a session, and when it ends: see `wire.py`."""


class SessionStore(Protocol):
    """Where sessions can be kept: three coroutine functions.

    A record is a dict that JSON can hold. What raises is an error of the request.
    """

    async def get(self, key: str, /) -> Record | None:
        """Return the record at `key`, or None."""
        ...

    async def set(self, key: str, record: Record, ttl: float | None, /) -> None:
        """Keep `record` at `key` for `ttl` seconds; None leaves the time to the store."""
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
    valid: Callable[[Any, Record], bool] | None
    before_save: Callable[..., object] | None
    room: int
    """Bytes of a cookie's value."""
    attributes: Mapping[str, Any]  # as ctx.cookies.set() takes and checks them
