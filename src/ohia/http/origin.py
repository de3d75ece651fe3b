"""Origin: the page that a browser sends a request for (RFC 6454, 7)."""

from ohia.http.url import parse_url

__all__ = ["is_same_host", "parse_origin"]

DEFAULT_PORTS = {"http:": ":80", "https:": ":443"}


def is_same_host(origin: str, host: str) -> bool:
    """Say whether `origin` is a page of `host`, as a Host header names it.

    Proxies change the scheme, so only host and port count, without the default port.

    >>> is_same_host("https://example.com", "example.com:443"), is_same_host("null", "example.com")
    (True, False)
    """
    parsed = parse_url(origin)
    if parsed is None or not parsed.host or parsed.protocol not in DEFAULT_PORTS:
        return False
    return parsed.host.lower() == host.lower().removesuffix(DEFAULT_PORTS[parsed.protocol])


def parse_origin(text: str) -> str:
    """Return the origin `text` as browsers write it; ValueError for what is none.

    >>> parse_origin("HTTPS://Example.com:443"), parse_origin("null")
    ('https://example.com', 'null')
    """
    if text == "null":
        return text
    parsed = parse_url(text)
    if parsed is None or parsed.protocol is None or not parsed.host:
        raise ValueError(f"an origin is a scheme and a host, as https://example.com, got {text!r}")
    if parsed.username or (parsed.pathname or "/") != "/" or parsed.search or parsed.hash:
        raise ValueError(f"an origin has no path or user: {parsed.protocol}//{parsed.host}")
    return f"{parsed.protocol}//{parsed.host}"
