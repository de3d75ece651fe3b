"""What a foreign ASGI application is told of a request: facts as ctx has them by now.

So it sees what upstream decided: a rewritten URL, a mount's part cut off, the client and the
protocol that a trusted proxy named.
"""

# The core's modules share the slots of one context, which are private to users only.
# pyright: reportPrivateUsage=false

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from ohia.context import Context

__all__ = ["make_scope"]

ASCII = "".join(map(chr, range(33, 127)))  # what a target may hold stays as it came

# What tells how a body comes (RFC 9110, 8.4 and 8.6; RFC 9112, 6.1).
CODING = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})

# What is promised to the application, beside what is only told of (TLS).
EXTENSIONS: dict[str, dict[str, dict[str, Any]]] = {
    "http": {},
    "websocket": {"websocket.http.response": {}},
}


def make_scope(ctx: Context[Any], kind: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scope of `ctx` as a `kind` of "http" or "websocket" (ASGI 3, HTTP 2.5).

    What others have put into `ctx.scope` is kept. `state` is the application's own, of its
    lifespan; each request has a copy.
    """
    theirs = ctx.scope
    raw = _ascii(ctx.mount_path + ctx.path)
    scope: dict[str, Any] = {
        **theirs,
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "scheme": _scheme(kind, secure=ctx.secure),
        "path": unquote(raw.decode()),
        "raw_path": raw,
        "root_path": unquote(ctx.mount_path),
        "query_string": _ascii(ctx.querystring),
        "headers": _fields(ctx),
        "client": _client(ctx),
        "state": {**theirs.get("state", {}), **state},
        "extensions": EXTENSIONS[kind] | _told(theirs.get("extensions")),
    }
    if kind == "http":
        scope["method"] = ctx.method
        scope.pop("subprotocols", None)
    return scope


def _fields(ctx: Context[Any]) -> list[tuple[bytes, bytes]]:
    """Return the field lines; of a body that upstream has decoded, what it is by now."""
    lines = [
        (name.lower().encode(), value.encode("latin-1")) for name, value in ctx.headers.lines()
    ]
    body = ctx._request_body
    if body is None or not body.is_filtered:
        return lines
    lines = [line for line in lines if line[0] not in CODING]
    if body.size is None:
        return [*lines, (b"transfer-encoding", b"chunked")]
    return [*lines, (b"content-length", str(body.size).encode())]


def _scheme(kind: str, *, secure: bool) -> str:
    scheme = "ws" if kind == "websocket" else "http"
    return f"{scheme}s" if secure else scheme


def _ascii(text: str) -> bytes:
    """Return `text` of a URL as it goes over the wire, percent-encoded where it must be."""
    return quote(text, ASCII).encode()


def _client(ctx: Context[Any]) -> tuple[str, int | None] | None:
    """Return the client's address; the port is that of the peer, 0 where a proxy stands before."""
    peer = ctx.req.client
    if ctx.ip in {"", ctx.socket.remote_address} or peer is None:
        return peer
    return ctx.ip, 0 if ctx.app.proxy is not False else peer[1]


def _told(extensions: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return those of the server's extensions that only tell something."""
    return {name: value for name, value in (extensions or {}).items() if name == "tls"}
