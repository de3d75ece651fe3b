"""What a foreign application sends, as the response of a ctx."""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ohia.context import Context
from ohia.http.headers import parse_length
from ohia.http.status import EMPTY

__all__ = ["Head", "set_fields", "set_head", "set_whole"]

# The server frames the message and keeps the connection (RFC 9110, 7.6.1).
FRAMING = frozenset({"keep-alive", "proxy-connection", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Head:
    """Status and fields, by their names in lower case, of a response that may begin."""

    status: int
    fields: dict[str, list[str]]

    @classmethod
    def of(cls, status: int, lines: Iterable[tuple[bytes, bytes]]) -> "Head":
        """Group the field lines of an ASGI message."""
        fields: dict[str, list[str]] = {}
        for name, value in lines:
            key = bytes(name).decode("latin-1").lower()
            if key not in FRAMING:
                fields.setdefault(key, []).append(bytes(value).decode("latin-1"))
        return cls(int(status), fields)

    @property
    def length(self) -> int | None:
        """The Content-Length that was declared."""
        return parse_length(self.fields.get("content-length", [""])[0])


def set_fields(ctx: Context[Any], head: Head, *, anew: bool) -> None:
    """Set the fields of `head` on `ctx`, where its own win over equal names.

    Set-Cookie and Vary add up. `anew` removes what was set before: the fields went through the
    application and have come back.
    """
    if anew:
        headers = ctx.response.headers
        headers.clear()
        for name, values in head.fields.items():
            headers[name] = values if len(values) > 1 else values[0]
        return
    for name, values in head.fields.items():
        if name == "set-cookie":
            ctx.append(name, values)
        elif name == "vary":
            ctx.vary([each.strip() for each in ",".join(values).split(",") if each.strip()])
        else:
            ctx.set(name, values if len(values) > 1 else values[0])


def set_head(ctx: Context[Any], head: Head, *, anew: bool) -> None:
    """Set status and fields of `head` on `ctx`."""
    ctx.status = head.status
    set_fields(ctx, head, anew=anew)


def set_whole(ctx: Context[Any], head: Head, body: bytes, *, anew: bool) -> None:
    """Set a whole response on `ctx`; RuntimeError if `body` has not the declared length."""
    set_head(ctx, head, anew=anew)
    has_type = ctx.response.has("Content-Type")
    ctx.body = body
    if not has_type:
        ctx.remove("Content-Type")  # setting a body guesses one
    if ctx.method == "HEAD":  # the length is that of the body that GET has
        ctx.length = head.length
    elif head.status not in EMPTY and head.length not in {None, len(body)}:
        raise RuntimeError(
            f"the ASGI application sent {len(body)} bytes, its Content-Length says {head.length}"
        )
