"""From request to WebSocket, at any point of the chain (RFC 6455, 4.2).

A handshake is a request like any other until `ctx.upgrade()` accepts it. The checks here hold
for every server: some let a bad handshake through.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, TypedDict, TypeVar, cast

from ohia.errors import BadRequest, Forbidden, UpgradeRequired
from ohia.exchange import Exchange, SocketOptions
from ohia.http.headers import Headers, HeaderValue

__all__ = [
    "UpgradeOptions",
    "accept_headers",
    "check_handshake",
    "check_origin",
    "choose_subprotocol",
    "socket_options",
    "upgrade",
]

KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")  # 16 bytes in base64 (RFC 6455, 4.1)
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Headers that mean the body that a 101 does not have, or are the handshake's own.
NOT_ON_101 = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "keep-alive"}
    | {"transfer-encoding", "upgrade"}
)

log: logging.Logger = logging.getLogger("ohia")


class UpgradeOptions(TypedDict, total=False):
    """What `ctx.upgrade()` takes; sizes in bytes, times in seconds, None is off."""

    subprotocols: Sequence[str]
    origins: Literal["*"] | Sequence[str] | None
    max_message_size: int | None
    max_fragment_size: int | None
    max_queue: int
    compression: bool
    ping_interval: float | None
    ping_timeout: float | None
    close_timeout: float | None
    headers: Mapping[str, HeaderValue] | None


class Upgradable(Protocol):
    """An application that keeps defaults for its upgrades."""

    upgrade_options: UpgradeOptions


App = TypeVar("App", bound=Upgradable)


def upgrade(app: App, **defaults: Any) -> App:  # noqa: ANN401 - checked by name below
    """Set what `ctx.upgrade()` of `app` uses where the call says nothing; return `app`.

    An unknown option is TypeError.
    """
    _check_names("upgrade", defaults)
    app.upgrade_options = cast("UpgradeOptions", {**app.upgrade_options, **defaults})
    return app


def check_handshake(exchange: Exchange) -> None:
    """Raise UpgradeRequired or BadRequest unless `exchange` is a proper handshake."""
    if not exchange.is_websocket:
        raise UpgradeRequired(
            "This resource speaks WebSocket only",
            headers={"Upgrade": "websocket"},
        )
    headers = exchange.headers
    if exchange.method != "GET":
        raise BadRequest("A WebSocket handshake is a GET request")
    if exchange.http_version == "1.0":
        raise BadRequest("A WebSocket handshake needs HTTP/1.1")
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        raise BadRequest("A WebSocket handshake has no body")
    version = headers.get_all("sec-websocket-version")
    if version != ["13"]:
        if not version:
            raise BadRequest("Missing Sec-WebSocket-Version")
        raise UpgradeRequired(
            "Unsupported WebSocket version",
            headers={"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
        )
    keys = headers.get_all("sec-websocket-key")
    # Over HTTP/2 there is no key, and no Upgrade either (RFC 8441, 5).
    if exchange.http_version == "1.1" and not (len(keys) == 1 and KEY.fullmatch(keys[0])):
        raise BadRequest("Invalid Sec-WebSocket-Key")


def check_origin(
    origin: str | None, host: str, allowed: Literal["*"] | Sequence[str] | None
) -> None:
    """Raise Forbidden unless a page of `origin` may open a socket on `host`.

    Browsers let any page open a WebSocket anywhere, cookies included (CWE-1385). `allowed`
    None admits no origin, or one whose host and port are `host`'s; `"*"` any; a list those in
    it as well.
    """
    if origin is None or allowed == "*":
        return
    extra = () if allowed is None else allowed
    if "*" in extra or origin.lower() in {each.lower() for each in extra}:
        return
    from ohia.http.origin import is_same_host  # noqa: PLC0415 - see ohia.late

    if is_same_host(origin, host):
        return
    log.warning(
        "refused a WebSocket from origin %.200r on host %.200r; "
        "ctx.upgrade(origins=[...]) would admit it",
        origin,
        host,
    )
    raise Forbidden("This origin may not open a WebSocket here")


def choose_subprotocol(offered: Sequence[str], ours: Sequence[str]) -> str | None:
    """Return the first of `ours` that the header lines `offered` name, or None.

    >>> choose_subprotocol(["a, b", "c"], ["c", "b"])
    'c'
    """
    theirs = {each.strip(" \t") for line in offered for each in line.split(",")}
    return next((each for each in ours if each in theirs and TOKEN.fullmatch(each)), None)


def accept_headers(set_so_far: Headers, extra: Mapping[str, HeaderValue] | None) -> Headers:
    """Return the headers for the 101: all that was set on ctx, then `extra`."""
    headers = set_so_far.copy()
    for name, value in (extra or {}).items():
        headers[name] = value
    for name in list(headers):
        if name in NOT_ON_101 or name.startswith("sec-websocket-"):
            headers.remove(name)
    return headers


def socket_options(options: UpgradeOptions, defaults: SocketOptions) -> SocketOptions:
    """Return `defaults` with what of `options` the socket itself obeys.

    An unknown option is TypeError, a value that could never work ValueError.
    """
    _check_names("ctx.upgrade", options)
    chosen = {name: value for name, value in options.items() if name in SocketOptions.__slots__}
    return replace(defaults, **chosen)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the names select the types


def _check_names(function: str, options: Mapping[str, object]) -> None:
    unknown = options.keys() - UpgradeOptions.__annotations__.keys()
    if unknown:
        known = ", ".join(UpgradeOptions.__annotations__)
        names = ", ".join(sorted(unknown))
        raise TypeError(f"{function}() has no option {names}; it takes {known}")
