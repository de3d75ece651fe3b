"""basic_auth: a name and a password with each request (RFC 7617)."""

import inspect
import re
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from unicodedata import category, normalize

from ohia import Context, Middleware, Next

__all__ = ["basic_auth"]

Check = Callable[[str, str], bool | Awaitable[bool]]

CREDENTIALS = re.compile(r" *basic +([A-Za-z0-9+/]+={0,2}) *", re.ASCII | re.IGNORECASE)
MAX_CREDENTIALS = 1024  # bytes of name, colon and password
MAX_FIELD = 1400  # characters: those in base64, and the scheme
NOBODY = sha256(b"").digest()


def basic_auth(
    *,
    name: str | None = None,
    password: str | None = None,
    users: Mapping[str, str] | None = None,
    check: Check | None = None,
    realm: str = "Secure Area",
) -> Middleware:
    """Let in who knows `name` and `password`, one of `users`, or what `check` accepts; else 401.

    `users` are passwords by names. `check(name, password)`, plain or async, has to take equally
    long for names that there are not. Who came in is `ctx.remote_user`. Passwords are compared
    in constant time, text as UTF-8. Names and passwords take 1,024 bytes together.

    TypeError unless it is users, by any of these two ways or both, or else `check` alone;
    ValueError for a realm or a user that no header can hold.
    """
    accepts = _chosen(name, password, users, check)
    challenge = _challenge(realm)

    async def basic_auth(ctx: Context, next: Next) -> None:
        given = parse_credentials(ctx.get("Authorization"))
        if given is None or not await _accepted(accepts, given):
            ctx.throw(401, headers={"WWW-Authenticate": challenge})
        ctx.remote_user = given[0]
        await next()

    return basic_auth


def parse_credentials(field: str) -> tuple[str, str] | None:
    """Return name and password of an Authorization `field`; None for what is none (RFC 7617, 2).

    What is longer than `MAX_FIELD`, or decoded than `MAX_CREDENTIALS`, is none.

    >>> parse_credentials("Basic dG9iaTpww6Rzcw==")
    ('tobi', 'päss')
    """
    if len(field) > MAX_FIELD:  # normalize() takes time by the square of its text
        return None
    match = CREDENTIALS.fullmatch(field)
    text = _decoded(match[1]) if match else ""
    name, colon, password = text.partition(":")
    if not colon or any(category(each) == "Cc" for each in text):
        return None
    return normalize("NFC", name), normalize("NFC", password)


def _decoded(text: str) -> str:
    """Return what is in base64; empty text for what is not, or too long."""
    try:
        data = b64decode(text, validate=True)
        return data.decode() if len(data) <= MAX_CREDENTIALS else ""
    except ValueError:
        return ""


async def _accepted(accepts: Check, given: tuple[str, str]) -> bool:
    answer = accepts(*given)
    return bool(await answer if inspect.isawaitable(answer) else answer)


def _chosen(
    name: str | None, password: str | None, users: Mapping[str, str] | None, check: Check | None
) -> Check:
    if (name is None) != (password is None):
        raise TypeError("basic_auth() takes name and password together")
    if name is not None and password is not None:
        users = {name: password} if users is None else {**users, name: password}
    if users is not None and check is None:
        return _known(users)
    if check is not None and users is None:
        return check
    raise TypeError("basic_auth() takes name and password, or users, or a check function")


def _known(users: Mapping[str, str]) -> Check:
    """Return a check that takes as long for a name that is unknown."""
    for name, password in users.items():
        if ":" in name:
            raise ValueError(f"a user's name has no colon, got {name!r}")  # RFC 7617, 2
        if len(f"{name}:{password}".encode()) > MAX_CREDENTIALS:
            raise ValueError(f"name and password take {MAX_CREDENTIALS} bytes at most: {name!r}")
    digests = {_digest(name): _digest(password) for name, password in users.items()}

    def check(name: str, password: str) -> bool:
        known = digests.get(_digest(name))
        is_right = compare_digest(_digest(password), known or NOBODY)
        return is_right and known is not None

    return check


def _digest(text: str) -> bytes:
    return sha256(normalize("NFC", text).encode()).digest()


def _challenge(realm: str) -> str:
    if not realm.isprintable() or any(ord(each) > 0xFF for each in realm):
        raise ValueError(f"a realm is printable Latin-1 text, got {realm!r}")
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{quoted}", charset="UTF-8"'
