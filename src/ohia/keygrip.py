"""Keygrip: sign and verify with a list of keys, so that keys can be replaced without a break.

The first key signs, every key verifies. A new key goes to the front of the list; the last one is
dropped when nothing that it signed is wanted any more. The signatures are those of npm's `keygrip`.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Protocol

__all__ = ["Keygrip", "Keys"]


class Keys(Protocol):
    """What can sign cookies."""

    def sign(self, data: str, /) -> str:
        """Return a signature of `data`, as text that can stand in a cookie."""
        ...

    def index(self, data: str, digest: str, /) -> int:
        """Return which key made `digest` of `data`: 0 for the newest one, -1 for none."""
        ...


class Keygrip:
    """Keys that sign and verify. Its `repr` never shows them.

    `algorithm` is a name that `hashlib` knows, `encoding` is `base64` (the URL's alphabet, without
    padding, so `base64url` means the same) or `hex`. Text is signed as UTF-8.

    >>> keys = Keygrip(["new", "old"])
    >>> keys.index("name=tobi", Keygrip(["old"]).sign("name=tobi"))
    1
    """

    __slots__ = ("_algorithm", "_encoding", "_keys")

    def __init__(
        self, keys: Sequence[str | bytes], algorithm: str = "sha1", encoding: str = "base64"
    ) -> None:
        if encoding not in {"base64", "base64url", "hex"}:
            raise ValueError(f"encoding must be base64, base64url or hex, got {encoding!r}")
        self._keys = _checked(keys)
        self._algorithm = algorithm
        self._encoding = encoding
        self.sign("")  # an unknown algorithm is told here, not at the first request

    def sign(self, data: str | bytes) -> str:
        """Return the signature of `data` by the first key."""
        return self._sign(_bytes(data), self._keys[0]).decode()

    def index(self, data: str | bytes, digest: str) -> int:
        """Return the place of the first key whose signature of `data` is `digest`, or -1."""
        import hmac  # noqa: PLC0415 - see ohia.late

        message = _bytes(data)
        given = _bytes(digest)
        for place, key in enumerate(self._keys):
            if hmac.compare_digest(given, self._sign(message, key)):
                return place
        return -1

    def verify(self, data: str | bytes, digest: str) -> bool:
        """Say whether one of the keys made `digest` of `data`."""
        return self.index(data, digest) >= 0

    def _sign(self, message: bytes, key: bytes) -> bytes:
        import hmac  # noqa: PLC0415 - see ohia.late

        digest = hmac.digest(key, message, self._algorithm)
        if self._encoding == "hex":
            return digest.hex().encode()
        return urlsafe_b64encode(digest).rstrip(b"=")

    def __repr__(self) -> str:
        return f"<Keygrip {self._algorithm}, {len(self._keys)} keys>"


def _checked(keys: Sequence[str | bytes]) -> tuple[bytes, ...]:
    """Return `keys` as bytes; raise TypeError or ValueError, which never show a key."""
    if isinstance(keys, str | bytes):
        raise TypeError(f"keys must be a list of str or bytes, got one {type(keys).__name__}")
    if not keys:
        raise ValueError("Keys must be provided.")
    for key in keys:
        if not isinstance(key, str | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a key must be str or bytes, got {type(key).__name__}")
        if not key:
            raise ValueError("Keys must be provided. One of them is empty.")
    return tuple(map(_bytes, keys))


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
