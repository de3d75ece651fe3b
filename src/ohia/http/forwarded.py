"""Behind proxies: who the client is and what it asked for, as far as proxies can be trusted.

Each proxy adds the address it was called from at the right end of a list. What a trusted proxy
added is true; what stands left of it is whatever the client liked to send. So the walk goes from
the right, and stops at the first hop that nobody vouches for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ohia.http.headers import Headers
from ohia.http.host import clean_host

__all__ = ["Hop", "Network", "Proxy", "compile_proxy", "normalize_address", "resolve"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

Proxy = bool | int | Sequence[str | Network]
"""Whom to trust: nobody, every hop, the last n hops, or the proxies in these networks."""

PROTOCOLS = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
RFC_7239 = ("for", "host", "proto")
MAX_ADDRESS = 64  # characters; the longest, IPv6 with brackets and port, has 53
MAX_HOPS = 1000  # of longer lists the left end is not read

CHAR = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # of a token (RFC 9110, 5.6.2)
PAIR = re.compile(  # RFC 7239, 4; that an address lacks its quotes is overlooked
    rf'[ \t;]*+(?:(?P<name>{CHAR}++)=(?P<value>(?:{CHAR}|[:\[\]])++|"(?:[^"\\]|\\.)*+")[ \t]*+)?'
    r"(?P<end>[;,]|\Z)"
)
ESCAPED = re.compile(r"\\(.)")
WITH_PORT = re.compile(r"\[(?P<ipv6>[^\]]*)\](?::[^\]]*)?|(?P<ipv4>[^:]*):[^:]*")


@dataclass(frozen=True, slots=True)
class Hop:
    """The client, seen through the proxies that are trusted.

    `ip` is the client's address, `ips` the addresses from the client's on to the one that called
    the last proxy. `host` and `protocol` (http or https) are what the client used; they are None
    where no proxy says so, and `host` is empty where what it says cannot be one.
    """

    ip: str
    ips: tuple[str, ...] = ()
    host: str | None = None
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class _Lists:
    """What proxies added, the last one at the right. Hosts and protocols may be shorter."""

    addresses: Sequence[str]
    hosts: Sequence[str]
    protocols: Sequence[str]


def resolve(
    headers: Headers, *, proxy: Proxy, ip_header: str, max_ips_count: int, peer: str, is_unix: bool
) -> Hop:
    """Return the client of a request that came from `peer`, as far as `proxy` trusts `headers`.

    `proxy` is False; True for the left end of each list; n for its n-th entry from the right (the
    leftmost of a shorter list); or networks, for the first address from the right that lies in
    none. With networks nothing is read unless `peer` lies in one, or came by a unix socket.

    Only one family of headers is read: `ip_header`, X-Forwarded-Host and X-Forwarded-Proto, or
    Forwarded (RFC 7239) if that is the `ip_header`. Of the addresses the last `max_ips_count`
    count, all if it is 0.

    >>> headers = Headers({"X-Forwarded-For": "6.6.6.6, 1.2.3.4:5", "X-Forwarded-Proto": "https"})
    >>> trust = {"ip_header": "X-Forwarded-For", "max_ips_count": 0, "is_unix": False}
    >>> resolve(headers, proxy=1, peer="10.0.0.1", **trust)
    Hop(ip='1.2.3.4', ips=('1.2.3.4',), host=None, protocol='https')
    """
    peer = normalize_address(peer)
    if not _trusts(proxy, peer, is_unix=is_unix):
        return Hop(peer)
    lists = _read(headers, ip_header)
    addresses = lists.addresses[-max_ips_count:] if max_ips_count > 0 else lists.addresses
    depth = _depth(proxy, addresses)
    ips = tuple(map(normalize_address, addresses[-depth:]))
    host = _pick(lists.hosts, depth)
    return Hop(
        ip=ips[0] or peer if ips else peer,
        ips=ips,
        host=clean_host(host) if host else None,
        protocol=PROTOCOLS.get(_pick(lists.protocols, depth).lower()),
    )


def compile_proxy(networks: Sequence[str | Network]) -> tuple[Network, ...]:
    """Return `networks`, which may be written as CIDR or as one address, ready for comparison.

    Raises ValueError for what is no network. The result is kept for the next call.

    >>> compile_proxy(["10.0.0.0/8", "::1"])
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))
    """
    if isinstance(networks, str):
        raise TypeError(f"proxy takes a list of networks, got {networks!r}")
    return _compile(tuple(networks))


@lru_cache(maxsize=64)
def _compile(networks: tuple[str | Network, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(each, strict=False) for each in networks)


def normalize_address(text: str) -> str:
    """Return the address that `text` holds in its one spelling, else `text` without its blanks.

    A port, brackets and a zone are dropped, IPv6 that stands for IPv4 becomes IPv4 (RFC 4291,
    2.5.5.2).

    >>> normalize_address("[2001:DB8::1]:4711"), normalize_address("::ffff:1.2.3.4")
    ('2001:db8::1', '1.2.3.4')
    """
    text = text.strip(" \t")
    address = _parse(text) if 1 < len(text) <= MAX_ADDRESS else None
    return text if address is None else str(address)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Address | None:
    match = WITH_PORT.fullmatch(text)
    bare = (match["ipv6"] or match["ipv4"] or "") if match else text
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: str, networks: Sequence[str | Network]) -> bool:
    parsed = _parse(address) if len(address) <= MAX_ADDRESS else None
    return parsed is not None and any(parsed in each for each in compile_proxy(networks))


def _trusts(proxy: Proxy, peer: str, *, is_unix: bool) -> bool:
    if isinstance(proxy, int):
        return proxy > 0
    return is_unix or _is_trusted(peer, proxy)


def _depth(proxy: Proxy, addresses: Sequence[str]) -> int:
    """Return how many entries from the right the client stands, at least 1."""
    if isinstance(proxy, int):
        return MAX_HOPS if proxy is True else proxy
    for depth, address in enumerate(reversed(addresses), start=1):
        if not _is_trusted(address.strip(" \t"), proxy):
            return depth
    return max(len(addresses), 1)


def _pick(entries: Sequence[str], depth: int) -> str:
    """Return the entry `depth` from the right, the leftmost of fewer, empty if there is none."""
    return entries[-min(depth, len(entries))].strip(" \t") if entries else ""


def _read(headers: Headers, ip_header: str) -> _Lists:
    if ip_header.lower() == "forwarded":
        elements = _parse_forwarded(headers.get(ip_header, ""))
        return _Lists(*([each.get(name, "") for each in elements] for name in RFC_7239))
    names = (ip_header, "x-forwarded-host", "x-forwarded-proto")
    return _Lists(*(_split(headers.get(name, "")) for name in names))


def _split(field: str) -> list[str]:
    field = field.strip(" \t")
    return field.rsplit(",", MAX_HOPS)[-MAX_HOPS:] if field else []


def _parse_forwarded(field: str) -> list[dict[str, str]]:
    """Return the parameters of each element of a Forwarded `field`.

    The client may have left a quote open to swallow what the proxies added. Then every comma
    separates, and an element that is malformed has no parameters.
    """
    pieces = field.rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    elements = _parse_elements(",".join(pieces)) if field else []
    if elements is None:
        parsed = map(_parse_elements, pieces)
        elements = [{} if each is None else each[0] for each in parsed]
    return elements


def _parse_elements(field: str) -> list[dict[str, str]] | None:
    elements: list[dict[str, str]] = [{}]
    at = 0
    while match := PAIR.match(field, at):
        if match["name"]:
            elements[-1].setdefault(match["name"].lower(), _unquote(match["value"]))
        if not match["end"]:
            return elements
        if match["end"] == ",":
            elements.append({})
        at = match.end()
    return None


def _unquote(value: str) -> str:
    return ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value
