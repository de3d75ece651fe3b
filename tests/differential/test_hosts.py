"""Who asks, and for which host: host, protocol and addresses, behind a proxy or not."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, field, listed, request, some
from .sides import Sides

GETTERS = [
    "host",
    "hostname",
    "protocol",
    "secure",
    "ip",
    "ips",
    "subdomains",
    "origin",
    "href",
    "URL",
]

labels = some("a", "www", "example", "com", "UK", "xn--bcher-kva", "a_b", "1", "")
domains = st.lists(labels, min_size=1, max_size=5).map(".".join)
odd_hosts = some(
    "127.0.0.1",
    "[::1]",
    "[::1]:3000",
    "[2001:DB8::0:1]",
    "[::1]/x",
    "[::1",
    "[::1]evil.com",
    "::1",
    "user@example.com",
    "evil.com:fake@legitimate.com",
    "user@",
    "@",
    "a b",
    "example.com/path",
    "example.com#x",
    "example.com?x",
    "example.com\\x",
    "1.2.3.4.5",
    "0x7f.1",
    "a:b:c",
    ":80",
    "a:",
    "example.com:99999",
    "example.com:0",
    "[::ffff:1.2.3.4]",
    "[::1%25eth0]",
    "é.com",
    "%61.com",
    "a..b",
    "[v1.x]",
    "example.com.",
    "-",
    "localhost",
    "A.B:8080",
    "[1::2::3]",
)
ports = some("", "", "", ":80", ":443", ":3000", ":x", ":")
hosts = st.one_of(st.tuples(domains, ports).map("".join), odd_hosts)
protocols = some(
    "http", "https", "HTTPS", "https,http", "http, https", "javascript", "", " ", "ws", "https ,"
)
addresses = some(
    "1.2.3.4", "10.0.0.1", "::1", "2001:db8::1", "unknown", "1.2.3.4:80", "", "[::1]:3", "x y"
)
origins = some(None, None, "http://example.com", "null", "", "x")
targets = some(
    "/",
    "/a?b=c",
    "//x/y",
    "*",
    "http://other.org/x?y",
    "HTTPS://Other.org:443/",
    "/a b".replace(" ", "%20"),
    "/\\x",
    "/a#b",
    "/?",
    "http://[",
    "/a/../b",
    "/%zz",
    "/a?b#c",
)


def settings(draw: st.DrawFn) -> dict[str, Any]:
    return draw(
        st.fixed_dictionaries(
            {"proxy": st.booleans()},
            optional={
                "subdomainOffset": st.integers(0, 4),
                "maxIpsCount": st.integers(0, 3),
                "proxyIpHeader": some("X-Real-IP", "CF-Connecting-IP"),
            },
        )
    )


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    addressed = field(listed(addresses))
    fields = [
        ("Host", draw(st.one_of(hosts, listed(hosts, 2)))),
        ("Origin", draw(origins)),
        ("X-Forwarded-Host", draw(st.one_of(st.none(), field(listed(hosts, 3))))),
        ("X-Forwarded-Proto", draw(st.one_of(st.none(), protocols))),
        ("X-Forwarded-For", draw(st.one_of(st.none(), addressed))),
        ("X-Real-IP", draw(st.one_of(st.none(), addresses))),
    ]
    return {
        "app": settings(draw),
        "socket": {
            "encrypted": draw(st.booleans()),
            "remoteAddress": draw(some("127.0.0.1", "::1")),
        },
        "request": request(fields, target=draw(targets)),
        "steps": [["get", each] for each in GETTERS],
    }


@examples(350)
@given(cases())
def test_hosts_and_addresses_are_read_alike(sides: Sides, case: dict[str, Any]) -> None:
    sides.contexts("hosts", case)
