"""View: one side of a context as an object, without state but what users set on it.

The names of a side are written once, against the context's slots. A view has none of these
slots; it reads and writes the context's instead. It points back weakly, so that a context and
its views need no cycle collector.
"""

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ohia.context import Context

__all__ = ["STATE", "View"]

STATE = frozenset(
    {"app", "method", "_exchange", "_respond", "_is_plain", "_late_warned"}
    # what is read
    | {"_request_headers", "_url", "_mount_path", "_ip", "_trusted_hop", "_parsed_query"}
    | {"_parsed_url", "_accept", "_request_body"}
    # what is written
    | {"_response_headers", "_sticky", "_status", "_has_status", "_message", "_body"}
    | {"_payload", "_body_is_null", "_sources", "_filters", "_before_send", "_on_detach"}
    | {"_on_finished", "_flushed", "_stream", "_socket"}
)
"""The slots of a context that its views read and write through."""


class View:
    """Base of Request and Response. RuntimeError once the context is gone."""

    __slots__ = ("__dict__", "__weakref__", "_ctx")

    def __init__(self, ctx: "Context[Any]") -> None:
        object.__setattr__(self, "_ctx", weakref.ref(ctx))

    _ctx: "weakref.ref[Context[Any]]"

    @property
    def ctx(self) -> "Context[Any]":
        """The context of both sides."""
        ctx = self._ctx()
        if ctx is None:
            raise RuntimeError("this request is over, and its context is gone")
        return ctx

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the slot holds
        if name in STATE:
            return getattr(self.ctx, name)
        raise AttributeError(self._lack(name))

    def _lack(self, name: str) -> str:
        """Return what to say of `name`, which is not there."""
        return f"{type(self).__name__!r} object has no attribute {name!r}"

    def __setattr__(self, name: str, value: object) -> None:
        if name in STATE:
            setattr(self.ctx, name, value)
        else:
            object.__setattr__(self, name, value)
