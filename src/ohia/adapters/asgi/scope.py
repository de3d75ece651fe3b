"""What an ASGI scope tells of a request, read with patience.

Servers leave keys out, give ports as text and freeze the mapping. The scope is never changed.
"""

from typing import Any

from ohia.adapters.asgi.target import Target, read_target
from ohia.exchange import Address, SocketOptions
from ohia.http.headers import Headers, parse_length
from ohia.types import Scope

__all__ = ["ScopeFacts"]

SECURE_SCHEMES = frozenset({"https", "wss"})


class ScopeFacts:
    """The facts of an exchange; all but the method are read when they are asked for."""

    __slots__ = ("_headers", "_target", "method", "scope")

    is_websocket = False
    socket_options: SocketOptions = SocketOptions()

    def __init__(self, scope: Scope) -> None:
        self.scope: Scope = scope
        self.method: str = scope.get("method") or "GET"  # a `websocket` scope has none
        self._target: Target | None = None
        self._headers: Headers | None = None

    @property
    def target(self) -> str:
        """The whole request target, the host's mount included."""
        return self._located().whole

    @property
    def mount_path(self) -> str:
        """The part of the target's path that a host has routed on."""
        return self._located().mount_path

    @property
    def http_version(self) -> str:
        """`1.0`, `1.1`, `2` or `3`."""
        version: str = self.scope.get("http_version") or "1.1"
        return version.removesuffix(".0") if version in ("2.0", "3.0") else version

    @property
    def headers(self) -> Headers:
        """The request's fields."""
        if self._headers is None:
            self._headers = self._read_headers()
        return self._headers

    @property
    def content_length(self) -> int | None:
        """Bytes of the request's body as declared, read without decoding the other fields."""
        fields = self.scope.get("headers") or ()
        found = [value for name, value in fields if name.lower() == b"content-length"]
        return parse_length(found[0].decode("latin-1")) if len(found) == 1 else None

    @property
    def secure(self) -> bool:
        """Whether the server was reached over TLS, as far as it says."""
        return self.scope.get("scheme") in SECURE_SCHEMES

    @property
    def client(self) -> Address | None:
        """The peer's address; None for a unix socket."""
        return _address(self.scope.get("client"))

    @property
    def server(self) -> Address | None:
        """The address that the client reached; a unix socket has its path and None."""
        return _address(self.scope.get("server"))

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio's transports
        """Return what ASGI tells of the connection: its two addresses, and no more."""
        return {"peername": self.client, "sockname": self.server}.get(name)

    def failed(self, error: BaseException) -> None:
        """Ignore it: the server gets a whole answer all the same."""

    def _read_headers(self) -> Headers:
        return Headers.from_raw(self.scope.get("headers") or ())

    def _located(self) -> Target:
        if self._target is None:
            self._target = read_target(self.scope)
        return self._target


def _address(pair: Any) -> Address | None:  # noqa: ANN401 - servers differ
    """Read a pair of host and port; the port may be text, the host empty (a unix socket)."""
    if not pair or not pair[0]:
        return None
    host, port = pair
    return str(host), int(port) if str(port).isdecimal() else None
