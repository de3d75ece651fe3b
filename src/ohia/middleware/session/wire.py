"""What a session looks like in a cookie and in a store: that of npm's koa-session.

A record is the session's values and two more: `_expire`, milliseconds since 1970, and `_maxAge`,
milliseconds; or `_session`, true, for one that lasts until the browser is closed. In a cookie it
is JSON in base64.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from time import time
from typing import Any

import msgspec

__all__ = [
    "decode",
    "encode",
    "freeze",
    "has_expired",
    "is_half_over",
    "max_age_of",
    "record_of",
    "values_of",
]


def encode(record: Mapping[str, Any]) -> str:
    """Return `record` as text for a cookie.

    >>> decode(encode({"views": 1}))
    {'views': 1}
    """
    return b64encode(msgspec.json.encode(record)).decode()


def decode(text: str) -> dict[str, Any]:
    """Return the record that the cookie `text` holds; ValueError or RecursionError if none."""
    return msgspec.json.decode(b64decode(text), type=dict[str, Any])


def freeze(values: Mapping[str, Any]) -> bytes:
    """Return `values` as JSON; TypeError for what JSON cannot hold."""
    try:
        return msgspec.json.encode(values)
    except TypeError as error:
        raise TypeError(f"the session cannot be saved as JSON: {error}") from error


def record_of(frozen: bytes, max_age: float | None) -> dict[str, Any]:
    """Return the record of values that were frozen, to last `max_age` seconds from now."""
    record: dict[str, Any] = msgspec.json.decode(frozen, type=dict[str, Any])
    if max_age is None:
        return {**record, "_session": True}
    milliseconds = round(1000 * max_age)
    return {**record, "_expire": round(1000 * time()) + milliseconds, "_maxAge": milliseconds}


def values_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `record` is the user's: names that begin with `_` are not."""
    return {name: value for name, value in record.items() if not name.startswith("_")}


def has_expired(record: Mapping[str, Any]) -> bool:
    """Say whether the time of `record` is over; of one that is no number it is."""
    expires = record.get("_expire")
    return expires is not None and not (
        isinstance(expires, int | float) and expires >= 1000 * time()
    )


def max_age_of(record: Mapping[str, Any], default: float | None) -> float | None:
    """Return the seconds that `record` is made to last, None until the browser is closed."""
    if record.get("_session"):
        return None
    milliseconds = record.get("_maxAge")
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else default


def is_half_over(expires: float | None, max_age: float | None) -> bool:
    """Say whether of `max_age` seconds less than half is left until `expires`, milliseconds."""
    if expires is None or max_age is None:
        return False
    return expires / 1000 - time() < max_age / 2
