"""Which part of a request's path a host has routed on, whatever way the host says so.

Two readings of ASGI are in use. The specification's: `path` is whole and begins with
`root_path`. The older one: `path` comes after `root_path`; then `raw_path` either is whole all
the same (mounts of older hosts) or lacks the root as well (a proxy cut it off). Some hosts
shorten `path` and say nothing else. `raw_path` may be missing.
"""

from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes

from ohia.types import Scope

__all__ = ["Target", "read_target"]

SAFE_IN_PATH = "/:@!$&'()*+,;=-._~"  # pchar and the slash (RFC 3986, 3.3)


class Target(NamedTuple):
    """A request target, percent-encoded, and how much of its beginning is the mount."""

    whole: str
    mount_path: str


def read_target(scope: Scope) -> Target:
    """Return the whole target of `scope` with its query, and the mount's part of the path.

    >>> read_target({"path": "/shop/a b", "raw_path": b"/shop/a%20b", "root_path": "/shop"})
    Target(whole='/shop/a%20b', mount_path='/shop')
    >>> read_target({"path": "/a b", "root_path": "/shop", "query_string": b"x=1"})
    Target(whole='/shop/a%20b?x=1', mount_path='/shop')
    """
    path: str = scope.get("path") or ""
    root = (scope.get("root_path") or "").rstrip("/")
    raw = (scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1")
    query: bytes = scope.get("query_string") or b""
    whole, mount_path = _locate(path, raw, root)
    whole = whole or "/"
    if query:
        whole = f"{whole}?{query.decode('latin-1')}"
    return Target(whole, mount_path)


def _locate(path: str, raw: str, root: str) -> Target:
    decoded = unquote(raw)
    if raw and (path in (raw, decoded) or "\ufffd" in path):  # U+FFFD: the server lost bytes
        return _below(root, raw)
    if raw and decoded.endswith(path) and path.startswith("/"):
        return _after(decoded.removesuffix(path), raw)
    if raw and decoded == root and path in ("", "/"):
        return Target(raw, raw)
    return _below(root, quote(path, SAFE_IN_PATH))  # the host rewrote it, or sent no raw_path


def _below(root: str, raw: str) -> Target:
    """Cut `root` off `raw`, or put it in front of a path that lacks it."""
    if not root:
        return Target(raw, "")
    encoded = raw[: _encoded_length(raw, len(root.encode()))]
    rest = raw[len(encoded) :]
    if unquote_to_bytes(encoded) == root.encode() and rest[:1] in ("", "/"):
        return Target(raw, encoded)
    encoded = quote_from_bytes(root.encode(), SAFE_IN_PATH)
    return Target(encoded + raw, encoded)


def _after(front: str, raw: str) -> Target:
    """Take what decodes to `front` for the mount."""
    encoded = raw[: _encoded_length(raw, len(front.encode()))]
    return Target(raw, encoded.rstrip("/"))


def _encoded_length(raw: str, count: int) -> int:
    """Return how many characters of `raw` decode to its first `count` bytes."""
    position = 0
    for _ in range(count):
        escaped = raw[position : position + 1] == "%" and _is_hex(raw[position + 1 : position + 3])
        position += 3 if escaped else 1
    return position


def _is_hex(text: str) -> bool:
    return len(text) == 2 and all(each in "0123456789abcdefABCDEF" for each in text)
