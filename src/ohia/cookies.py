"""Cookies of one request: those that came, and those to be set, signed where there are keys.

A signed cookie `name` travels with a second one, `name.sig`, that holds the signature of
`name=value`. The wire format is that of npm's `cookies`.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from math import isfinite
from time import time
from typing import TypedDict, Unpack

from ohia.http.cookie import find_cookie, format_set_cookie, parse_cookies
from ohia.http.headers import Headers
from ohia.keygrip import Keys

__all__ = ["CookieAttributes", "Cookies"]

SET_COOKIE = "Set-Cookie"


class CookieAttributes(TypedDict, total=False):
    """What `set` takes besides name and value, but for the times."""

    path: str | None
    domain: str | None
    secure: bool | None
    http_only: bool
    same_site: str | bool | None
    priority: str | None
    partitioned: bool
    signed: bool | None
    overwrite: bool
    sticky: bool


class Cookies:
    """Reads the Cookie header of `request`, appends Set-Cookie lines to `response`.

    `secure` says whether the connection is encrypted, `keys` sign; both may be set. Lines that
    shall survive an error answer are appended to `sticky` too. After `response` was sent nothing
    is set any more, and `warn_late` is told what was tried.

    `name in cookies` and iteration go by the names that came.
    """

    __slots__ = ("_request", "_response", "_sticky", "_warn_late", "keys", "secure")

    keys: Keys | None
    secure: bool

    def __init__(
        self,
        request: Headers,
        response: Headers,
        *,
        keys: Keys | None = None,
        secure: bool = False,
        sticky: Headers | None = None,
        warn_late: Callable[[str], None] | None = None,
    ) -> None:
        self._request = request
        self._response = response
        self._sticky = sticky
        self._warn_late = warn_late
        self.keys = keys
        self.secure = secure

    def get(self, name: str, *, signed: bool | None = None) -> str | None:
        """Return the value of cookie `name`, or None.

        With `signed`, which is on where there are keys, a cookie counts only if its signature is
        right. A wrong signature is deleted; one by an older key is replaced by the newest key's,
        with default attributes. RuntimeError if `signed` is asked for without keys.
        """
        keys = self._signing_keys(signed)
        header = self._request.get("cookie", "")
        value = find_cookie(header, name)
        if value is None or keys is None:
            return value
        signature = find_cookie(header, f"{name}.sig")
        if signature is None:
            return None
        pair = f"{name}={value}"
        index = keys.index(pair, signature)
        if index != 0:
            self._replace_signature(f"{name}.sig", None if index < 0 else keys.sign(pair))
        return None if index < 0 else value

    def set(
        self,
        name: str,
        value: str | float | None,
        *,
        max_age: float | timedelta | None = None,
        expires: datetime | float | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool | None = None,
        http_only: bool = True,
        same_site: str | bool | None = None,
        priority: str | None = None,
        partitioned: bool = False,
        signed: bool | None = None,
        overwrite: bool = False,
        sticky: bool = False,
    ) -> "Cookies":
        """Set cookie `name`, and its signature, which is on where there are keys.

        None or "" as `value` deletes the cookie; 0 does not. `max_age` is in seconds, from now,
        and sent as `expires`; 0 or less expires at once. `expires` is an aware datetime or seconds
        since 1970. `secure` is on where the connection is. `overwrite` takes back what this
        response has set by that name so far; `sticky` holds even if the answer becomes an error.

        Raises ValueError for what a cookie cannot hold, TypeError for what is no text, and
        RuntimeError for `secure` on an open connection and for `signed` without keys.
        """
        if self._is_late():
            return self
        keys = self._signing_keys(signed)
        text = _text(value)
        cookies = {name: text}
        if keys is not None:
            cookies[f"{name}.sig"] = keys.sign(f"{name}={text}")
        write = partial(
            format_set_cookie,
            path=path,
            expires=_expiry(max_age, expires) if text else 0,
            domain=domain,
            priority=priority,
            same_site=same_site,
            secure=self._is_secure(secure),
            http_only=http_only,
            partitioned=partitioned,
        )
        lines = [write(each, content) for each, content in cookies.items()]
        self._push(lines, list(cookies) if overwrite else [], sticky=sticky)
        return self

    def delete(self, name: str, **attributes: Unpack[CookieAttributes]) -> "Cookies":
        """Delete cookie `name`, and its signature; with the attributes that it was set with."""
        return self.set(name, None, **attributes)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and find_cookie(self._header(), name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(parse_cookies(self._header()))

    def _header(self) -> str:
        return self._request.get("cookie", "")

    def _signing_keys(self, signed: bool | None) -> Keys | None:  # noqa: FBT001 - as the caller has it
        if signed is False:
            return None
        if signed and self.keys is None:
            raise RuntimeError(".keys required for signed cookies")
        return self.keys

    def _is_secure(self, secure: bool | None) -> bool:  # noqa: FBT001 - as the caller has it
        if secure is None:
            return self.secure
        if secure and not self.secure:
            raise RuntimeError(
                "Cannot send secure cookie over unencrypted connection: "
                "behind a proxy that ends TLS set app.proxy, or ctx.cookies.secure = True"
            )
        return secure

    def _is_late(self) -> bool:
        if not self._response.sent:
            return False
        if self._warn_late is not None:
            self._warn_late("cookies.set()")
        return True

    def _replace_signature(self, name: str, signature: str | None) -> None:
        """Set or delete the cookie `name`, unless this response has set it already."""
        pending = self._response.get_all(SET_COOKIE)
        if not self._response.sent and pending == _without(pending, [name]):
            self.set(name, signature, signed=False)

    def _push(self, lines: list[str], names: list[str], *, sticky: bool) -> None:
        """Add `lines`, in place of those that set one of `names`."""
        _add(self._response, lines, names)
        if self._sticky is not None and (sticky or names):
            _add(self._sticky, lines if sticky else [], names)


def _add(headers: Headers, lines: list[str], names: list[str]) -> None:
    lines = [*_without(headers.get_all(SET_COOKIE), names), *lines]
    if lines:
        headers[SET_COOKIE] = lines
    else:
        headers.remove(SET_COOKIE)


def _without(lines: list[str], names: list[str]) -> list[str]:
    prefixes = tuple(f"{name}=" for name in names)
    return [line for line in lines if not line.startswith(prefixes)]


def _text(value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"argument value must be str or a number, got {type(value).__name__}")
    return str(value)


def _expiry(
    max_age: float | timedelta | None, expires: datetime | float | None
) -> datetime | float | None:
    if max_age is None:
        return expires
    seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
    if not isinstance(seconds, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"option max_age must be seconds or a timedelta, got {max_age!r}")
    if not isfinite(seconds):
        raise ValueError(f"option max_age is invalid: {max_age!r}")
    return time() + seconds if seconds > 0 else 0
