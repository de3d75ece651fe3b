import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.path import (
    join_path,
    quote_path,
    quote_segment,
    relative_path,
    split_path,
    strip_prefix,
)


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
    ("segments", "path"),
    [
        (["a"], "a"),
        (["a", "b c", ""], "a/b c/"),
        (["50%"], "50%"),
        ([""], ""),
        ([], None),
        (["", "a"], None),
        (["", ""], None),
        (["a", "", "b"], None),
        (["a", "", ""], None),
        (["a/b"], None),
        (["/a"], None),
        (["a", "b/"], None),
        (["a/", ""], None),
        (["/"], None),
        (["a\\b"], None),
    ],
)
def test_segments_are_joined_where_the_whole_is_cut_at_the_same_places(
    segments: list[str], path: str | None
) -> None:
    assert relative_path(segments) == path


@given(st.lists(st.text("ab/\\%. ", max_size=3), min_size=1, max_size=5))
def test_what_is_joined_is_cut_again_into_the_same(segments: list[str]) -> None:
    path = relative_path(segments)
    if path is not None:
        assert path.replace("\\", "/").split("/") == segments
        assert not path.startswith("/")


def test_a_whole_path_is_quoted_segment_by_segment() -> None:
    assert quote_path("50% off/a?b/é/") == "50%25%20off/a%3Fb/%C3%A9/"
    with pytest.raises(ValueError, match="segment"):
        quote_path("a/../b")


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
