import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.query import Query
from ohia.http.url import (
    INVALID_URL,
    URL,
    encode_url,
    parse_url,
)

odd = st.text("ab./\\:@?#%2eE[]|<>\"'`{}^ \t\nh:é☃\ud800")
links = st.one_of(st.text(), odd, odd.map("http://".__add__), odd.map("https:".__add__))
bases = st.sampled_from([None, "http://h/", "https://h:81/a/b?c#d", "ftp://u:p@h/a/"])


def href(text: str, base: str | None = None) -> str | None:
    url = parse_url(text, base)
    return None if url is None else url.href


def test_a_url_has_the_parts_of_the_standard() -> None:
    assert parse_url("https://user:pass@example.com:8080/p/a?q=1#f") == URL(
        href="https://user:pass@example.com:8080/p/a?q=1#f",
        protocol="https:",
        username="user",
        password="pass",
        host="example.com:8080",
        hostname="example.com",
        port="8080",
        pathname="/p/a",
        search="?q=1",
        hash="#f",
    )


def test_query_and_origin_follow_from_the_parts() -> None:
    url = parse_url("https://a.example:444/?b=1&b=2")
    assert url is not None
    assert url.query == Query([("b", "1"), ("b", "2")])
    assert url.origin == "https://a.example:444"


def test_what_is_no_url_has_parts_that_are_none() -> None:
    parts = (INVALID_URL.href, INVALID_URL.host, INVALID_URL.query, INVALID_URL.origin)
    assert parts == (None, None, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # WHATWG URL, 4.4, as Node 20 has it
        ("http://h", "http://h/"),
        ("HTTP://H:80/", "http://h/"),
        ("https://h:443", "https://h/"),
        ("https://h:80", "https://h:80/"),
        ("http://h:", "http://h/"),
        ("http://h:00080/", "http://h/"),
        ("http://h:65535", "http://h:65535/"),
        ("ws://h:80", "ws://h/"),
        ("  http://h/ \x00", "http://h/"),
        ("ht\ntp://h/a\tb\r", "http://h/ab"),
        ("http:\\\\h\\a\\b?c\\d", "http://h/a/b?c\\d"),
        ("http:h/a", "http://h/a"),
        ("http:////h/a", "http://h/a"),
        ("http://google.com\\@apple.com", "http://google.com/@apple.com"),
        ("http://h?a", "http://h/?a"),
        ("http://h#a?b", "http://h/#a?b"),
        ("http://h/?", "http://h/?"),
        ("http://h/#", "http://h/#"),
        ("http://h/a/./b/../c", "http://h/a/c"),
        ("http://h/a/%2E/b/.%2e/c/%2e%2E", "http://h/a/"),
        ("http://h/../../a/.", "http://h/a/"),
        ("http://h//a//..", "http://h//a/"),
        ("http://h/...", "http://h/..."),
        ("http://h/ \"<>`{}^|'é%zz", "http://h/%20%22%3C%3E%60%7B%7D^|'%C3%A9%zz"),
        ("http://h/?\"<>`{}^|'é", "http://h/?%22%3C%3E`{}^|%27%C3%A9"),
        ("http://h/#\"<>`{}'é", "http://h/#%22%3C%3E%60{}'%C3%A9"),
        ("http://h/\ud800", "http://h/%EF%BF%BD"),
        ("http://a@b:c@h/", "http://a%40b:c@h/"),
        ("http://a:b:;=@h", "http://a:b%3A%3B%3D@h/"),
        ("http://@h/", "http://h/"),
        ("http://:@h/", "http://h/"),
        ("http://:p@h/", "http://:p@h/"),
        ("http://u:@h/", "http://u@h/"),
    ],
)
def test_a_url_is_read_and_written_as_browsers_do(text: str, expected: str) -> None:
    assert href(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a",
        "//h/a",
        "h",
        ":",
        "http:",
        "http://",
        "http:///",
        "http://?",
        "http://u@",
        "http://u@/a",
        "http://:80",
        "http://h:x",
        "http://h:8 0",
        "http://h:٣",
        "http://h:65536",
        "http://h:99999999999",
        "http://a b",
        "http://a<b",
        "http://a%",
        "http://a%20b",
        "http://a^b",
        "http://a|b",
        "http://[",
        "http://[::1",
        "http://[::1]x",
        "http://[::1%25eth0]",
        "http://1.2.3.4.5",
        "http://256.1.1.1",
        "http://4294967296",
        "http://1.2.3.08",
        "http://a.1",
        "http://xn--a",
        "http://xn--",
        "http://a\ufffd",
        "http://\u0301a",
        "http://" + "é" * 300,
        "http://1" + "9" * 5000,
    ],
)
def test_what_is_no_url_is_none(text: str) -> None:
    assert parse_url(text) is None


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("", "http://h/a/b?c#d", "http://h/a/b?c"),
        ("e", "http://h/a/b?c#d", "http://h/a/e"),
        ("?e", "http://h/a/b?c#d", "http://h/a/b?e"),
        ("#e", "http://h/a/b?c#d", "http://h/a/b?c#e"),
        ("/e", "http://u:p@h:81/a/b", "http://u:p@h:81/e"),
        ("\\e", "http://h/a/b", "http://h/e"),
        ("../../../e", "http://h/a/b/c", "http://h/e"),
        ("..", "http://h/a/b/c", "http://h/a/"),
        ("//evil.com/x", "https://h/", "https://evil.com/x"),
        ("\\\\evil.com", "https://h/", "https://evil.com/"),
        ("/\\evil.com", "https://h/", "https://evil.com/"),
        ("/\t/evil.com", "https://h/", "https://evil.com/"),
        ("\t//evil.com", "https://h/", "https://evil.com/"),
        ("///evil.com", "https://h/", "https://evil.com/"),
        ("http:e", "http://h/a/b", "http://h/a/e"),
        ("http:/e", "http://h/a/b", "http://h/e"),
        ("http:\\\\e", "http://h/a/b", "http://e/"),
        ("https:e", "http://h/a/b", "https://e/"),
        ("http://e", "nonsense", None),
        ("e", "mailto:a@b", None),
        ("http://[", "http://h/", None),
    ],
)
def test_a_relative_url_is_read_beside_its_base(text: str, base: str, expected: str | None) -> None:
    assert href(text, base) == expected


@pytest.mark.parametrize(
    ("text", "protocol", "pathname", "search", "hash_"),
    [
        ("javascript:alert(1)", "javascript:", "alert(1)", "", ""),
        ("JAVA\nSCRIPT:alert(1)", "javascript:", "alert(1)", "", ""),
        ("data:text/html,<b>?x#y", "data:", "text/html,<b>", "?x", "#y"),
        ("mailto:a@b", "mailto:", "a@b", "", ""),
        ("blob:", "blob:", "", "", ""),
        ("x:é?#", "x:", "%C3%A9", "", ""),
    ],
)
def test_other_schemes_tell_their_protocol(
    text: str, protocol: str, pathname: str, search: str, hash_: str
) -> None:
    url = parse_url(text, "https://h/")
    assert url is not None
    assert (url.protocol, url.pathname, url.search, url.hash) == (
        protocol,
        pathname,
        search,
        hash_,
    )
    assert (url.host, url.origin) == ("", "null")


@given(links, bases)
def test_what_a_url_is_written_as_is_read_back_the_same(text: str, base: str | None) -> None:
    url = parse_url(text, base)
    if url is not None and url.origin != "null":
        assert parse_url(url.href or "") == url


@given(links, bases)
def test_a_url_holds_nothing_that_would_break_a_header(text: str, base: str | None) -> None:
    url = parse_url(text, base) or INVALID_URL
    assert (url.href or "").isascii()
    assert (url.href or "").isprintable()
    assert not set(url.host or "") & set("/?#\\@ ")


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("/a?b=c#d", "/a?b=c#d"),
        ("/a b", "/a%20b"),
        ("/%20%C3%a9", "/%20%C3%a9"),
        ("/%zz%2%", "/%25zz%252%25"),
        ("/%%20", "/%25%20"),
        ("/é€😀", "/%C3%A9%E2%82%AC%F0%9F%98%80"),
        ("/\ud83d\ude00", "/%F0%9F%98%80"),
        ("/\ud800a", "/%EF%BF%BDa"),
        ("\"<>`{}\\^|[]'", "%22%3C%3E%60%7B%7D%5C^|[]'"),
        ("/a\r\nb\x00\x7f", "/a%0D%0Ab%00%7F"),
        ("/\u2028", "/%E2%80%A8"),
        ("/\\evil.com", "/%5Cevil.com"),
    ],
)
def test_a_url_is_encoded_once(text: str, encoded: str) -> None:
    assert encode_url(text) == encoded


@given(links)
def test_encoding_again_changes_nothing(text: str) -> None:
    encoded = encode_url(text)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert encode_url(encoded) == encoded


@pytest.mark.parametrize("piece", ["/", "/..", "a", ".", "@", ":", "%", "é", "[", "1.", "\\", " "])
def test_hostile_urls_are_read_to_the_end(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    for url in (text, f"http://{text}", f"http://h/{text}", f"http://h/?{text}"):
        parse_url(url, "http://h/")
        encode_url(url)
