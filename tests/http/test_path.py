import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.path import join_path, quote_segment, split_path, strip_prefix


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", [""]),
        ("/a", ["a"]),
        ("/a/", ["a", ""]),
        ("/a//b", ["a", "", "b"]),
        ("//a", ["", "a"]),
        ("/a/./b/..", ["a", ".", "b", ".."]),
        ("/a/%2e/%2E%2e", ["a", ".", ".."]),
        ("/%61dmin", ["admin"]),
        ("/admin%2Fsecret", ["admin/secret"]),
        ("/a%5Cb\\c", ["a\\b\\c"]),
        ("/a%252Fb", ["a%2Fb"]),  # decoded once
        ("/a+b", ["a+b"]),  # a plus is a plus in a path
        ("/caf%C3%A9/é", ["café", "é"]),
        ("/%01%7f", ["\x01\x7f"]),
    ],
)
def test_a_path_is_cut_at_slashes_and_then_decoded_once(path: str, segments: list[str]) -> None:
    assert split_path(path) == segments


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",  # OPTIONS *
        "example.com:443",  # CONNECT
        "/%",
        "/%2",
        "/%zz",
        "/a/%2g/b",
        "/%u0041",
        "/%00",
        "/a\x00b",
        "/%c0%af",  # an overlong slash
        "/%e0%80%af",
        "/%ff",
        "/%C3/%A9",  # one character across two segments
        "/%ed%a0%80",  # a surrogate
        "/\ud800",
    ],
)
def test_what_nobody_may_interpret_has_no_segments(path: str) -> None:
    assert split_path(path) is None


@pytest.mark.parametrize(
    ("path", "prefix", "rest"),
    [
        ("/a", ["a"], ""),
        ("/a/", ["a"], "/"),
        ("/a/b/c", ["a"], "/b/c"),
        ("/a/b/c", ["a", "b"], "/c"),
        ("/%61/b%20c", ["a"], "/b%20c"),
        ("/a//b", ["a"], "//b"),
        ("/a/%zz", ["a"], "/%zz"),  # for whoever reads the rest
        ("/ab", ["a"], None),
        ("/a%2Fb", ["a"], None),
        ("//a", ["a"], None),
        ("/./a", ["a"], None),
        ("/%zz/a", ["a"], None),
        ("/a", ["a", "b"], None),
        ("/A", ["a"], None),
        ("/a/b", [], "/a/b"),
        ("/", [], "/"),
        ("*", [], None),
        ("", ["a"], None),
    ],
)
def test_the_rest_below_a_prefix(path: str, prefix: list[str], rest: str | None) -> None:
    assert strip_prefix(path, prefix) == rest


@pytest.mark.parametrize("text", [".", "..", "a\x00b", "\ud800"])
def test_what_cannot_be_one_segment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"segment|surrogates"):
        quote_segment(text)


@pytest.mark.parametrize(
    ("prefix", "path", "joined"),
    [
        ("", "", ""),
        ("", "/", "/"),
        ("/", "/a", "/a"),
        ("/a", "", "/a"),
        ("/a", "/", "/a/"),
        ("/a/", "/b", "/a/b"),
    ],
)
def test_paths_are_joined_by_one_slash(prefix: str, path: str, joined: str) -> None:
    assert join_path(prefix, path) == joined


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_a_quoted_segment_is_read_back_the_same(text: str) -> None:
    if text in {".", ".."}:
        return
    assert split_path(f"/{quote_segment(text)}") == [text]


@given(st.text(), st.lists(st.text(), max_size=3))
def test_no_path_makes_them_fail(path: str, prefix: list[str]) -> None:
    segments = split_path(path)
    assert segments is None or len(segments) == path.count("/")
    rest = strip_prefix(path, prefix)
    assert rest is None or path.endswith(rest)
