"""The cookies that a test client keeps, as a browser would (RFC 6265, 5.3 and 5.4)."""

import time
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

__all__ = ["Cookie", "CookieJar", "parse_set_cookie"]


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. `domain` empty: every host gets it; `expires` in seconds since 1970."""

    name: str
    value: str
    domain: str = ""
    subdomains: bool = False
    path: str = "/"
    secure: bool = False
    expires: float | None = None

    @property
    def is_expired(self) -> bool:
        """Whether its time has passed; so one is deleted."""
        return self.expires is not None and self.expires <= time.time()

    def fits(self, host: str, path: str, *, secure: bool) -> bool:
        """Say whether a request for `path` of `host` takes it along."""
        return (
            not self.is_expired
            and (secure or not self.secure)
            and _path_matches(path, self.path)
            and (not self.domain or self._fits_host(host))
        )

    def _fits_host(self, host: str) -> bool:
        return host == self.domain or (self.subdomains and host.endswith(f".{self.domain}"))


class CookieJar(MutableMapping[str, str]):
    """Cookies by name, path and host; as a mapping, from names to values.

    What is set by name alone goes to every host.
    """

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def store(self, cookie: Cookie) -> None:
        """Keep `cookie`, in place of the one like it; forget that if `cookie` is expired."""
        self._cookies.pop((cookie.name, "", "/"), None)
        key = (cookie.name, cookie.domain, cookie.path)
        self._cookies.pop(key, None)
        if not cookie.is_expired:
            self._cookies[key] = cookie

    def matching(self, host: str, path: str, *, secure: bool) -> dict[str, str]:
        """Return names and values for a request; of one name, that with the longest path."""
        fitting = [each for each in self._cookies.values() if each.fits(host, path, secure=secure)]
        fitting.sort(key=lambda each: len(each.path))
        return {each.name: each.value for each in fitting}

    def __getitem__(self, name: str) -> str:
        return self._by_name()[name]

    def __setitem__(self, name: str, value: str) -> None:
        self.store(Cookie(name, value))

    def __delitem__(self, name: str) -> None:
        keys = [key for key in self._cookies if key[0] == name]
        if not keys:
            raise KeyError(name)
        for key in keys:
            del self._cookies[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __len__(self) -> int:
        return len(self._by_name())

    def _by_name(self) -> dict[str, str]:
        return {each.name: each.value for each in self._cookies.values() if not each.is_expired}


def parse_set_cookie(field: str, *, host: str, path: str) -> Cookie | None:
    """Return the cookie that `host` sets with `field` in its answer to `path`.

    None where a browser would ignore it: no name, or the domain of somebody else.

    >>> cookie = parse_set_cookie("a=1; path=/x; secure", host="here", path="/")
    >>> (cookie.name, cookie.value, cookie.domain, cookie.path, cookie.secure)
    ('a', '1', 'here', '/x', True)
    """
    pair, *rest = field.split(";")
    name, separator, value = pair.partition("=")
    attributes = dict(_attribute(each) for each in rest)
    domain = attributes.get("domain", "").removeprefix(".").lower()
    if not separator or not name.strip() or not f".{host}".endswith(f".{domain}".rstrip(".")):
        return None
    set_path = attributes.get("path", "")
    return Cookie(
        name.strip(),
        value.strip(),
        domain=domain or host,
        subdomains=bool(domain),
        path=set_path if set_path.startswith("/") else _default_path(path),
        secure="secure" in attributes,
        expires=_expires(attributes),
    )


def _attribute(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip()


def _expires(attributes: dict[str, str]) -> float | None:
    try:
        return time.time() + int(attributes["max-age"])
    except (KeyError, ValueError):
        pass
    try:
        return parsedate_to_datetime(attributes["expires"]).timestamp()
    except (KeyError, ValueError):
        return None


def _default_path(path: str) -> str:
    """Return the folder of `path` (RFC 6265, 5.1.4)."""
    return path[: path.rfind("/")] or "/"


def _path_matches(path: str, cookie_path: str) -> bool:
    if not path.startswith(cookie_path):
        return False
    return cookie_path.endswith("/") or path[len(cookie_path) :][:1] in {"", "/"}
