import pytest

from ohia.testing.cookie_jar import Cookie, CookieJar, parse_set_cookie

PAST = "Thu, 01 Jan 1970 00:00:00 GMT"
FUTURE = "Fri, 31 Dec 9999 23:59:59 GMT"


def parse(field: str, *, host: str = "here", path: str = "/") -> Cookie:
    cookie = parse_set_cookie(field, host=host, path=path)
    assert cookie is not None
    return cookie


def is_sent(field: str, url: str, *, host: str = "a.here", set_by: str = "/") -> bool:
    jar = CookieJar()
    jar.store(parse(field, host=host, path=set_by))
    scheme, rest = url.split("://")
    asked_host, slash, path = rest.partition("/")
    return bool(jar.matching(asked_host, slash + path, secure=scheme == "https"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("a=1", "1"),
        (" a = 1 ; Path=/", "1"),
        ("a=b=c", "b=c"),
        ("a=", ""),
        ('a="1"', '"1"'),
        ("a=1; unknown; =", "1"),
    ],
)
def test_name_and_value(field: str, value: str) -> None:
    cookie = parse(field)
    assert (cookie.name, cookie.value) == ("a", value)


@pytest.mark.parametrize(
    "field",
    ["", "a", "=1", ";a=1", "a=1; Domain=there", "a=1; Domain=ere", "a=1; Domain=sub.here"],
)
def test_what_a_browser_ignores_is_ignored(field: str) -> None:
    assert parse_set_cookie(field, host="here", path="/") is None


@pytest.mark.parametrize(
    ("field", "url", "expected"),
    [
        ("a=1", "http://a.here/", True),
        ("a=1", "http://b.a.here/", False),  # host only, RFC 6265, 5.3
        ("a=1; Domain=a.here", "http://b.a.here/", True),
        ("a=1; domain=.HERE", "http://b.here/", True),
        ("a=1; Domain=a.here", "http://ba.here/", False),
        ("a=1; Path=/x", "http://a.here/x", True),
        ("a=1; Path=/x", "http://a.here/x/y", True),
        ("a=1; Path=/x/", "http://a.here/x/y", True),
        ("a=1; Path=/x", "http://a.here/xy", False),
        ("a=1; Path=/x", "http://a.here/", False),
        ("a=1; Path=x", "http://a.here/", True),
        ("a=1; Secure", "http://a.here/", False),
        ("a=1; secure", "https://a.here/", True),
        (f"a=1; Expires={FUTURE}", "http://a.here/", True),
        (f"a=1; expires={PAST}", "http://a.here/", False),
        (f"a=1; Max-Age=60; Expires={PAST}", "http://a.here/", True),  # RFC 6265, 5.3
        (f"a=1; Max-Age=0; Expires={FUTURE}", "http://a.here/", False),
        ("a=1; Max-Age=x", "http://a.here/", True),
        ("a=1; Expires=x", "http://a.here/", True),
    ],
)
def test_where_a_cookie_is_sent(field: str, url: str, expected: bool) -> None:
    assert is_sent(field, url) is expected


@pytest.mark.parametrize(
    ("set_by", "path"),
    [("/", "/"), ("/x", "/"), ("/x/", "/x"), ("/x/y", "/x"), ("*", "/")],  # RFC 6265, 5.1.4
)
def test_without_a_path_it_is_that_of_the_folder(set_by: str, path: str) -> None:
    assert parse("a=1", path=set_by).path == path


def test_of_one_name_the_longest_path_wins() -> None:
    jar = CookieJar()
    jar.store(parse("a=long; Path=/x/y"))
    jar.store(parse("a=short; Path=/x"))
    assert jar.matching("here", "/x/y/z", secure=False) == {"a": "long"}


def test_a_cookie_replaces_the_one_like_it_and_is_deleted_by_an_expired_one() -> None:
    jar = CookieJar()
    jar.store(parse("a=1"))
    jar.store(parse("a=2"))
    assert dict(jar) == {"a": "2"}
    jar.store(parse(f"a=; Expires={PAST}"))
    assert len(jar) == 0


def test_it_is_a_mapping_of_names_to_values() -> None:
    jar = CookieJar()
    jar["a"] = "1"
    assert jar.matching("anywhere", "/x", secure=False) == {"a": "1"}
    assert jar["a"] == "1"
    del jar["a"]
    with pytest.raises(KeyError):
        del jar["a"]
    with pytest.raises(KeyError):
        jar["a"]


def test_what_the_server_sets_replaces_what_was_set_by_name() -> None:
    jar = CookieJar()
    jar["a"] = "1"
    jar.store(parse(f"a=; Expires={PAST}"))
    assert "a" not in jar
