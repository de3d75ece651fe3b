"""Hosts: what a Host header may say (RFC 9110, 7.2), and how a URL spells one (WHATWG URL, 3.5).

The header is the client's word and ends up in links, so that only names and addresses that could
be real come through. Whatever else a header holds is no host at all, never a part of one.
"""

import re
from unicodedata import category, normalize

__all__ = ["clean_host", "hostname", "parse_host", "subdomains"]

# Letters, digits and what else occurs in names; sub-delims (RFC 3986, 3.2.2) do not.
HOST = re.compile(
    r"(?P<name>[A-Za-z0-9._~-]{1,254}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{0,5}))?"
)
ENDS_AUTHORITY = re.compile(r"[^\x21-\x7e]|[/?#\\]")

FORBIDDEN_IN_DOMAIN = re.compile(r"[\x00-\x20#/:<>?@\[\\\]^|%\x7f]")
DEVIATIONS = "\u00df\u1e9e\u03c2"  # sharp s and final sigma stay what they are (UTS 46, 7)
DOTS = dict.fromkeys(map(ord, "\u3002\uff0e\uff61"), ".")
IGNORED = dict.fromkeys([0xAD, 0x200B, 0x2060, *range(0xFE00, 0xFE10), 0xFEFF])
MAPPED = DOTS | IGNORED  # UTS 46 maps these to a full stop and to nothing
MAX_DOMAIN = 253  # characters (RFC 1035, 2.3.4); Punycode takes quadratic time
IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")


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


def _without_userinfo(text: str) -> str:
    userinfo, _, host = text.rpartition("@")
    match = _split(host)
    if match is None or ENDS_AUTHORITY.search(userinfo):
        return ""
    name = parse_host(match["name"]) or ""
    port = int(match["port"] or 80)
    return name if port == 80 else f"{name}:{port}"


def _split(host: str) -> re.Match[str] | None:
    """Match `host` as name and port, if it is both valid and possible."""
    match = HOST.fullmatch(host)
    if match is None or int(match["port"] or 0) > 0xFFFF:
        return None
    if host[0] == "[" and parse_host(match["name"]) is None:
        return None
    return match


def _is_address(hostname: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415 - see ohia.late

    try:
        ip_address(hostname.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def parse_host(text: str) -> str | None:
    """Return the host `text` in its one normal spelling, None if it is none (WHATWG URL, 3.5).

    IPv6 addresses have brackets before and after.

    >>> parse_host("EXAMPLE.com"), parse_host("0x7f.1"), parse_host("[0:0::1]")
    ('example.com', '127.0.0.1', '[::1]')
    """
    from urllib.parse import unquote  # noqa: PLC0415 - see ohia.late

    if text.startswith("["):
        return _parse_ipv6(text[1:-1]) if text.endswith("]") else None
    domain = _to_ascii(unquote(text))
    if not domain or FORBIDDEN_IN_DOMAIN.search(domain):
        return None
    labels = domain.removesuffix(".").split(".")
    return _parse_ipv4(labels) if NUMBER.fullmatch(labels[-1]) else domain


def _parse_ipv4(labels: list[str]) -> str | None:
    """Read one to four numbers, the last of which fills what is left of the 32 bits."""
    numbers = [_parse_number(label) for label in labels]
    if len(numbers) > 4:
        return None
    *high, low = numbers
    if low is None or low >= 256 ** (4 - len(high)):
        return None
    value = low
    for place, number in enumerate(high):
        if number is None or number > 0xFF:
            return None
        value += number << 8 * (3 - place)
    return ".".join(map(str, value.to_bytes(4)))


def _parse_number(label: str) -> int | None:
    """Read a number of an IPv4 address, decimal, octal or hexadecimal; None if it is none."""
    if not NUMBER.fullmatch(label):
        return None
    base = 16 if label[:2] in {"0x", "0X"} else 8 if label[0] == "0" else 10
    digits = label[2:] if base == 16 else label
    digits = digits.lstrip("0") or "0"
    if len(digits) > 11:  # more than 32 bits even in octal; int() is slow on long ones
        return 1 << 32
    try:
        return int(digits, base)
    except ValueError:
        return None


def _parse_ipv6(text: str) -> str | None:
    from ipaddress import IPv6Address  # noqa: PLC0415 - see ohia.late

    if not IPV6.fullmatch(text):
        return None
    try:
        packed = IPv6Address(text).packed
    except ValueError:
        return None
    pieces = [f"{int.from_bytes(packed[at : at + 2]):x}" for at in range(0, 16, 2)]
    return f"[{_compress(pieces)}]"


def _compress(pieces: list[str]) -> str:
    """Join `pieces` with the first of the longest runs of two or more zeros as `::`."""
    whole = ":".join(pieces)
    runs = (":".join(["0"] * length) for length in range(8, 1, -1))
    longest = next((run for run in runs if f":{run}:" in f":{whole}:"), None)
    if longest is None:
        return whole
    before, _, after = f":{whole}:".partition(f":{longest}:")
    return f"{before.removeprefix(':')}::{after.removesuffix(':')}"


def _to_ascii(domain: str) -> str | None:
    """Return `domain` in lower case and Punycode, None where that cannot be (UTS 46, 4).

    The mapping is case folding and NFKC, which is what UTS 46 does to almost every character.
    Where it would differ, the result is another name in Punycode, never a plain one.
    """
    if domain.isascii() and "xn--" not in (lowered := domain.lower()):
        return lowered
    if len(domain) > MAX_DOMAIN:
        return None
    labels: list[str] = []
    for label in domain.translate(MAPPED).split("."):
        encoded = _label_to_ascii(_fold(label))
        if encoded is None:
            return None
        labels.append(encoded)
    return ".".join(labels)


def _fold(label: str) -> str:
    folded = "".join(
        each.lower() if each in DEVIATIONS else each.casefold() for each in normalize("NFKC", label)
    )
    return normalize("NFKC", folded)


def _label_to_ascii(label: str) -> str | None:
    if label.startswith("xn--"):
        return label if _is_punycode(label) else None
    if label.isascii():
        return None if "." in label else label  # a dot that NFKC took out of another character
    if not all(map(_is_allowed, label)) or category(label[0])[0] == "M":
        return None
    return "xn--" + label.encode("punycode").decode()


def _is_allowed(character: str) -> bool:
    return category(character)[0] in "LMNSP" and character not in {".", "\ufffd"}


def _is_punycode(label: str) -> bool:
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except ValueError:
        return False
    return not decoded.isascii() and _fold(decoded) == decoded and _label_to_ascii(decoded) == label
