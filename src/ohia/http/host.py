"""The host of a request: what a Host header may say, and its parts (RFC 9110, 7.2).

The header is the client's word and ends up in links, so that only names and addresses that could
be real come through. Whatever else a header holds is no host at all, never a part of one.
"""

import re
from ipaddress import ip_address

from ohia.http.url import parse_host, parse_url

__all__ = ["clean_host", "hostname", "subdomains"]

# Letters, digits and what else occurs in names; sub-delims (RFC 3986, 3.2.2) do not.
HOST = re.compile(
    r"(?P<name>[A-Za-z0-9._~-]{1,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{0,5}))?"
)
UNSAFE = re.compile(r"[^\x21-\x7e]|[/?#\\]")


def clean_host(value: str) -> str:
    """Return the host and port that the header `value` names, empty if they cannot be.

    The first of a comma-separated list counts. Of `user@host` the host remains, as a browser
    would read it; what stands before the last `@` names no host.

    >>> clean_host("example.com:8080"), clean_host("evil.com:x@good.com"), clean_host("a/b")
    ('example.com:8080', 'good.com', '')
    """
    host = value.partition(",")[0].strip(" \t")
    if "@" in host:
        host = _without_userinfo(host)
    return host if _split(host) else ""


def hostname(host: str) -> str:
    """Return `host` without its port, empty if it is none; brackets around an IPv6 address stay.

    >>> hostname("example.com:8080"), hostname("[0::1]:80"), hostname("::1")
    ('example.com', '[::1]', '')
    """
    match = _split(host)
    if match is None:
        return ""
    return parse_host(match["name"]) or "" if host[0] == "[" else match["name"]


def subdomains(hostname: str, offset: int) -> list[str]:
    """Return the labels of `hostname` before its last `offset` ones, the nearest first.

    An address has none.

    >>> subdomains("tobi.ferrets.example.com", 2)
    ['ferrets', 'tobi']
    """
    if _is_address(hostname):
        return []
    labels = [label for label in hostname.split(".") if label]
    return labels[::-1][offset:]


def _without_userinfo(host: str) -> str:
    url = None if UNSAFE.search(host) else parse_url(f"http://{host}")
    return (url and url.host) or ""


def _split(host: str) -> re.Match[str] | None:
    """Match `host` as name and port, if it is both valid and possible."""
    match = HOST.fullmatch(host)
    if match is None or int(match["port"] or 0) > 0xFFFF:
        return None
    if host[0] == "[" and parse_host(match["name"]) is None:
        return None
    return match


def _is_address(hostname: str) -> bool:
    try:
        ip_address(hostname.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
