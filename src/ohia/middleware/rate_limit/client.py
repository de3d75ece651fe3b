"""Who is counted as one client."""

from ipaddress import IPv4Address, IPv6Network, ip_address

from ohia import Context
from ohia.http.forwarded import normalize_address

__all__ = ["client_id", "fold_address"]


def client_id(ctx: Context) -> str:
    """Return whom `ctx.ip` stands for; "" for all where there is no address."""
    return fold_address(ctx.ip)


def fold_address(address: str) -> str:
    """Return `address`, of IPv6 only the network of 64 bits that one customer has.

    IPv6 that stands for IPv4 is IPv4; what is no address is itself.

    >>> fold_address("2001:db8:0:1::2"), fold_address("::ffff:192.0.2.1")
    ('2001:db8:0:1::/64', '192.0.2.1')
    """
    address = normalize_address(address)
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    return str(IPv6Network((parsed, 64), strict=False))
