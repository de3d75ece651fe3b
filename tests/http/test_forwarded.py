from collections.abc import Mapping
from ipaddress import ip_network
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.forwarded import Hop, Proxy, compile_proxy, normalize_address, resolve
from ohia.http.headers import Headers

INSIDE = ["10.0.0.0/8", "2001:db8::/32"]


def ask(
    fields: Mapping[str, str | list[str]], proxy: Proxy, peer: str = "10.0.0.1", **options: Any
) -> Hop:
    settings: dict[str, Any] = {
        "ip_header": "X-Forwarded-For",
        "max_ips_count": 0,
        "is_unix": False,
    }
    return resolve(Headers(fields), proxy=proxy, peer=peer, **settings | options)


def listed(addresses: str) -> dict[str, str | list[str]]:
    return {"X-Forwarded-For": addresses}


FORGED: dict[str, str | list[str]] = {
    "X-Forwarded-For": "6.6.6.6, 1.2.3.4",
    "X-Forwarded-Host": "evil.example, good.example",
    "X-Forwarded-Proto": "http, https",
    "Forwarded": "for=7.7.7.7;host=worse.example;proto=https",
}


@pytest.mark.parametrize("proxy", [False, 0, -1, []])
def test_without_trust_nothing_is_read(proxy: Proxy) -> None:
    assert ask(FORGED, proxy) == Hop("10.0.0.1", (), None, None)


def test_with_every_hop_trusted_the_left_end_counts() -> None:
    hop = ask(FORGED, proxy=True)
    assert hop == Hop("6.6.6.6", ("6.6.6.6", "1.2.3.4"), "evil.example", "http")


def test_with_one_hop_trusted_the_right_end_counts() -> None:
    assert ask(FORGED, proxy=1) == Hop("1.2.3.4", ("1.2.3.4",), "good.example", "https")


@pytest.mark.parametrize(
    ("addresses", "count", "ip", "ips"),
    [
        ("6.6.6.6, 1.1.1.1, 2.2.2.2", 1, "2.2.2.2", ("2.2.2.2",)),
        ("6.6.6.6, 1.1.1.1, 2.2.2.2", 2, "1.1.1.1", ("1.1.1.1", "2.2.2.2")),
        ("1.1.1.1, 2.2.2.2", 3, "1.1.1.1", ("1.1.1.1", "2.2.2.2")),
        ("6.6.6.6,,1.1.1.1", 2, "10.0.0.1", ("", "1.1.1.1")),  # blank ones are hops, too
        ("", 2, "10.0.0.1", ()),
        ("   ", 2, "10.0.0.1", ()),
    ],
)
def test_a_number_of_hops_counts_from_the_right(
    addresses: str, count: int, ip: str, ips: tuple[str, ...]
) -> None:
    hop = ask(listed(addresses), count)
    assert (hop.ip, hop.ips) == (ip, ips)


@pytest.mark.parametrize(
    ("addresses", "ip", "ips"),
    [
        ("6.6.6.6, 1.1.1.1", "1.1.1.1", ("1.1.1.1",)),
        ("6.6.6.6, 1.1.1.1, 10.1.1.1", "1.1.1.1", ("1.1.1.1", "10.1.1.1")),
        (
            "1.1.1.1, 10.1.1.1:99, [2001:db8::1]:4",
            "1.1.1.1",
            ("1.1.1.1", "10.1.1.1", "2001:db8::1"),
        ),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1", ("10.1.1.1", "10.2.2.2")),  # all inside
        ("6.6.6.6, unknown, 10.1.1.1", "unknown", ("unknown", "10.1.1.1")),
        ("6.6.6.6, , 10.1.1.1", "10.0.0.1", ("", "10.1.1.1")),
        ("6.6.6.6, ::ffff:10.1.1.1", "6.6.6.6", ("6.6.6.6", "10.1.1.1")),
        ("", "10.0.0.1", ()),
    ],
)
def test_among_networks_the_first_address_outside_is_the_client(
    addresses: str, ip: str, ips: tuple[str, ...]
) -> None:
    hop = ask(listed(addresses), INSIDE)
    assert (hop.ip, hop.ips) == (ip, ips)


@pytest.mark.parametrize("peer", ["1.2.3.4", "::1", "", "unknown", "/run/app.sock"])
def test_a_peer_outside_the_networks_is_not_believed(peer: str) -> None:
    assert ask(FORGED, INSIDE, peer=peer) == Hop(peer)


@pytest.mark.parametrize("peer", ["10.9.9.9", "::ffff:10.0.0.1", "2001:DB8::5", "2001:db8::5%1"])
def test_a_peer_inside_the_networks_is_believed(peer: str) -> None:
    assert ask(FORGED, INSIDE, peer=peer).ip == "1.2.3.4"


@pytest.mark.parametrize("proxy", [INSIDE, [], 1, True])
def test_a_unix_socket_is_believed_if_anybody_is(proxy: Proxy) -> None:
    assert ask(listed("1.2.3.4"), proxy, peer="", is_unix=True).ip == "1.2.3.4"


def test_a_unix_socket_is_not_believed_if_nobody_is() -> None:
    assert ask(listed("1.2.3.4"), proxy=False, peer="", is_unix=True) == Hop("")


@pytest.mark.parametrize(
    ("addresses", "host", "protocol"),
    [
        ("1.1.1.1", "c.example", "https"),
        ("1.1.1.1, 10.1.1.1", "b.example", "http"),
        ("1.1.1.1, 10.2.2.2, 10.1.1.1", "a.example", "http"),  # the leftmost of the shorter list
        ("", "c.example", "https"),
    ],
)
def test_host_and_protocol_come_from_the_hop_of_the_client(
    addresses: str, host: str, protocol: str
) -> None:
    fields = listed(addresses) | {
        "X-Forwarded-Host": "a.example, b.example, c.example",
        "X-Forwarded-Proto": "http, https",
    }
    hop = ask(fields, INSIDE)
    assert (hop.host, hop.protocol) == (host, protocol)


def test_fields_on_several_lines_are_one_list() -> None:
    assert ask({"X-Forwarded-For": ["6.6.6.6", "1.1.1.1", "2.2.2.2"]}, 2).ip == "1.1.1.1"


def test_another_header_may_hold_the_addresses() -> None:
    fields: dict[str, str | list[str]] = {"X-Real-IP": "1.1.1.1", "X-Forwarded-For": "6.6.6.6"}
    assert ask(fields, proxy=True, ip_header="X-Real-IP").ip == "1.1.1.1"


@pytest.mark.parametrize(
    ("proxy", "ip", "ips"),
    [
        (True, "2.2.2.2", ("2.2.2.2", "3.3.3.3")),
        (1, "3.3.3.3", ("3.3.3.3",)),
        (3, "2.2.2.2", ("2.2.2.2", "3.3.3.3")),
        (["10.0.0.1", "3.3.3.3", "2.2.2.2"], "2.2.2.2", ("2.2.2.2", "3.3.3.3")),
    ],
)
def test_only_the_last_addresses_count_if_a_bound_is_set(
    proxy: Proxy, ip: str, ips: tuple[str, ...]
) -> None:
    hop = ask(listed("1.1.1.1, 2.2.2.2, 3.3.3.3"), proxy, max_ips_count=2)
    assert (hop.ip, hop.ips) == (ip, ips)


@pytest.mark.parametrize(
    ("value", "protocol"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("wss", "https"),
        ("ws", "http"),
        ("javascript", None),
        ("https://evil", None),
        (" ", None),
        (", https", None),
    ],
)
def test_only_http_and_https_are_protocols(value: str, protocol: str | None) -> None:
    assert ask({"X-Forwarded-Proto": value}, proxy=True).protocol == protocol


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("a.example:80", "a.example:80"),
        ("evil.com:fake@good.com", "good.com"),  # CVE-2026-27959
        ("a/b", ""),
        (",a.example", None),  # it says nothing
        (" ", None),
    ],
)
def test_a_forwarded_host_is_as_clean_as_any(value: str, host: str | None) -> None:
    assert ask({"X-Forwarded-Host": value}, proxy=True).host == host


def rfc_7239(field: str | list[str], proxy: Proxy) -> Hop:
    fields = {**FORGED, "Forwarded": field}
    return ask(fields, proxy, ip_header="forwarded")


@pytest.mark.parametrize(
    ("field", "hop"),
    [  # RFC 7239, 4 to 6
        ("for=192.0.2.60", Hop("192.0.2.60", ("192.0.2.60",))),
        ("For=192.0.2.43;Proto=HTTPS", Hop("192.0.2.43", ("192.0.2.43",), None, "https")),
        (
            'for="[2001:db8:cafe::17]:4711";host="a.example:8080";by=_p',
            Hop("2001:db8:cafe::17", ("2001:db8:cafe::17",), "a.example:8080"),
        ),
        ('for="_gazonk"', Hop("_gazonk", ("_gazonk",))),
        ("for=unknown, for=1.1.1.1", Hop("1.1.1.1", ("1.1.1.1",))),
        ('for=1.1.1.1;x="a, b; c"', Hop("1.1.1.1", ("1.1.1.1",))),
        (r'for="1\.1.1.1"', Hop("1.1.1.1", ("1.1.1.1",))),
        ("for=1.1.1.1:80", Hop("1.1.1.1", ("1.1.1.1",))),  # lacks its quotes
        (" for=1.1.1.1 ; host=a ;; ", Hop("1.1.1.1", ("1.1.1.1",), "a")),
        ("for=1.1.1.1;for=6.6.6.6", Hop("1.1.1.1", ("1.1.1.1",))),
        ("proto=https", Hop("10.0.0.1", ("",), None, "https")),
        ("for=1.1.1.1,", Hop("10.0.0.1", ("",))),
        ("nonsense", Hop("10.0.0.1", ("",))),
        ("", Hop("10.0.0.1")),
    ],
)
def test_forwarded_is_read_alone(field: str, hop: Hop) -> None:
    assert rfc_7239(field, 1) == hop


def test_forwarded_gives_all_of_one_element() -> None:
    field = "for=6.6.6.6;host=evil;proto=https, for=1.1.1.1;host=a, for=10.1.1.1;proto=https"
    assert rfc_7239(field, INSIDE) == Hop("1.1.1.1", ("1.1.1.1", "10.1.1.1"), "a")


@pytest.mark.parametrize("forged", ['for="', 'for=6.6.6.6;x="', 'x="\\', '"', 'for="1" "', "\\"])
@pytest.mark.parametrize("real", ["for=1.1.1.1", 'for="1.1.1.1:8"', 'for="1.1.1.1";by="_p"'])
def test_an_open_quote_does_not_swallow_what_the_proxy_added(forged: str, real: str) -> None:
    assert rfc_7239(f"{forged}, {real}", 1).ip == "1.1.1.1"
    assert rfc_7239([forged, real], 1).ip == "1.1.1.1"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        (" 1.2.3.4:80 ", "1.2.3.4"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:102:304]:80", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", "unknown"),
        ("1.2.3", "1.2.3"),
        ("01.2.3.4", "01.2.3.4"),
        ("[::1]x", "[::1]x"),
        ("", ""),
        ("1" * 100, "1" * 100),
    ],
)
def test_addresses_have_one_spelling(text: str, address: str) -> None:
    assert normalize_address(text) == address


def test_networks_are_compiled_once() -> None:
    assert compile_proxy(INSIDE) is compile_proxy(list(INSIDE))
    assert compile_proxy(["10.1.2.3/8"]) == (ip_network("10.0.0.0/8"),)
    assert compile_proxy([ip_network("10.0.0.0/8")]) == (ip_network("10.0.0.0/8"),)


def test_what_is_no_network_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        compile_proxy(["10.0.0.0/99"])


def test_one_network_that_is_no_list_is_an_error() -> None:
    with pytest.raises(TypeError, match="list of networks"):
        compile_proxy("10.0.0.0/8")


trust = st.one_of(st.booleans(), st.integers(), st.just(INSIDE))
hostile = st.one_of(
    st.text('for=1.,;:"\\[]% \t@/hostpr'), st.text(st.characters(max_codepoint=255))
)


@given(hostile, hostile, hostile, trust, st.sampled_from(["Forwarded", "X-Forwarded-For"]))
def test_no_header_raises_or_smuggles_anything_in(
    addresses: str, host: str, protocol: str, proxy: Proxy, ip_header: str
) -> None:
    raw = {ip_header: addresses, "x-forwarded-host": host, "x-forwarded-proto": protocol}
    headers = Headers.from_raw([(n.encode(), v.encode("latin-1")) for n, v in raw.items()])
    hop = resolve(
        headers, proxy=proxy, ip_header=ip_header, max_ips_count=0, peer="10.0.0.1", is_unix=False
    )
    assert hop.protocol in {None, "http", "https"}
    assert not set(hop.host or "") & set("/?#\\@ \t,%")


@given(st.lists(st.sampled_from(["6.6.6.6", "", " ", ",", '"', "10.1.1.1", "x;"])))
def test_what_the_client_sends_never_changes_what_the_proxy_added(forged: list[str]) -> None:
    assert ask(listed(",".join([*forged, "1.1.1.1"])), INSIDE).ip == "1.1.1.1"
    assert ask(listed(",".join([*forged, "1.1.1.1"])), 1).ip == "1.1.1.1"


@pytest.mark.parametrize("proxy", [True, 1, INSIDE])
@pytest.mark.parametrize("piece", [" ", ",", ", ", "10.1.1.1,", "for=", '"', '"\\', "a=b;", "a,"])
@pytest.mark.parametrize("ip_header", ["Forwarded", "X-Forwarded-For"])
def test_hostile_headers_are_read_to_the_end(proxy: Proxy, piece: str, ip_header: str) -> None:
    value = piece * (60_000 // len(piece))
    names = (ip_header, "X-Forwarded-Host", "X-Forwarded-Proto")
    hop = ask(dict.fromkeys(names, value), proxy, ip_header=ip_header)
    assert len(hop.ips) <= 1000


def seconds(length: int) -> float:
    blanks = " " * length + "," + " " * length
    fields = dict.fromkeys(("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"), blanks)

    def once() -> float:
        start = perf_counter()
        ask(fields, proxy=True)
        return perf_counter() - start

    return min(once() for _ in range(3))


def test_blanks_take_time_by_their_number() -> None:
    """CVE-2025-25200: a pattern that could match blanks in two ways took quadratic time."""
    assert seconds(60_000) < 3 * seconds(30_000) + 0.05
