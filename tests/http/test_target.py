import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.target import target_path, target_querystring, with_path, with_querystring

odd = st.text("ab./\\:@?#%2eE[]|<>\"'`{}^ \t\nh:é☃\ud800")


@pytest.mark.parametrize(
    ("target", "path", "querystring"),
    [  # RFC 9112, 3.2, as Koa reads it
        ("/", "/", ""),
        ("/a%20b?c=%20d", "/a%20b", "c=%20d"),
        ("/a?b?c", "/a", "b?c"),
        ("/a?", "/a", ""),
        ("/a?b#c", "/a", "b"),
        ("/a#b?c", "/a", ""),
        ("//x/p?q", "//x/p", "q"),
        ("/http://x/", "/http://x/", ""),
        ("/../a\\b", "/../a\\b", ""),
        ("*", "*", ""),
        ("http://x.example/a?b", "/a", "b"),
        ("HTTPS://u:p@x.example:80/a", "/a", ""),
        ("http://x.example", "/", ""),
        ("http://x.example?a", "/", "a"),
        ("ws://x.example/a?b", "/a", "b"),
        ("x.example:443", "", ""),  # CONNECT
        ("[::1]:443", "", ""),
        ("?a=b", "", "a=b"),
        ("", "", ""),
        ("@evil.com", "@evil.com", ""),
        ("a/b?c", "a/b", "c"),
    ],
)
def test_a_target_has_a_path_and_a_query(target: str, path: str, querystring: str) -> None:
    assert target_path(target) == path
    assert target_querystring(target) == querystring


@pytest.mark.parametrize(
    ("target", "path", "expected"),
    [
        ("/a?b=c", "/d", "/d?b=c"),
        ("/a?b=c", "/a", "/a?b=c"),
        ("/a", "/b?c#d e%", "/b%3Fc%23d e%"),
        ("/a?b#c", "/d", "/d?b#c"),
        ("http://x.example/a?b", "/c", "http://x.example/c?b"),
        ("http://x.example", "c", "http://x.example/c"),
        ("http://x.example", "/", "http://x.example"),
        ("*", "/a", "/a"),
        ("?b", "/a", "/a?b"),
    ],
)
def test_another_path_leaves_the_rest(target: str, path: str, expected: str) -> None:
    assert with_path(target, path) == expected


@pytest.mark.parametrize(
    ("target", "querystring", "expected"),
    [
        ("/a?b=c", "d=e", "/a?d=e"),
        ("/a?b=c", "?d=e", "/a?d=e"),
        ("/a?b=c", "b=c", "/a?b=c"),
        ("/a?b=c", "", "/a"),
        ("/a", "", "/a"),
        ("/a?", "", "/a?"),
        ("/a", "b#c", "/a?b%23c"),
        ("/a", "b?c", "/a?b?c"),
        ("/a?b#c", "d", "/a?d#c"),
        ("http://x.example?a", "b", "http://x.example/?b"),
        ("*", "a", "*?a"),
    ],
)
def test_another_query_leaves_the_rest(target: str, querystring: str, expected: str) -> None:
    assert with_querystring(target, querystring) == expected


@given(odd.map("/".__add__), odd.map("/".__add__), odd)
def test_what_is_set_on_a_target_is_what_it_has(target: str, path: str, query: str) -> None:
    moved = with_path(target, path)
    assert target_querystring(moved) == target_querystring(target)
    if path != target_path(target):
        assert target_path(moved) == path.replace("?", "%3F").replace("#", "%23")
    asked = with_querystring(target, query)
    assert target_path(asked) == target_path(target)
    assert target_querystring(asked) == query.removeprefix("?").replace("#", "%23")


@pytest.mark.parametrize("piece", ["/", "/..", "a", ".", "@", ":", "%", "é", "[", "1.", "\\", " "])
def test_hostile_targets_are_read_to_the_end(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    assert target_path(f"/{text}") == f"/{text}"
