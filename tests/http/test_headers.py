from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.headers import Headers, check_name, check_value

NAMES = st.from_regex(r"[A-Za-z0-9-]+", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc"]))


def test_names_are_found_in_any_case_and_written_as_given() -> None:
    headers = Headers({"X-Name": "a"})
    assert headers["x-name"] == headers["X-NAME"] == headers.get("x-Name") == "a"
    assert "x-nAME" in headers
    assert list(headers) == ["x-name"]
    assert list(headers.lines()) == [("X-Name", "a")]


def test_a_missing_name() -> None:
    headers = Headers()
    assert headers.get("x") is None
    assert headers.get("x", "") == ""
    assert headers.get_all("x") == []
    assert "x" not in headers
    assert not headers.__contains__(1)
    with pytest.raises(KeyError):
        headers["x"]
    with pytest.raises(KeyError):
        del headers["x"]
    headers.remove("x")


def test_repeated_fields_are_joined_and_kept_apart() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])
    assert headers["a"] == headers.get("A") == "1, 3"
    assert headers.get_all("A") == ["1", "3"]
    assert list(headers.lines()) == [("A", "1"), ("A", "3"), ("B", "2")]
    assert len(headers) == 2


def test_cookies_are_joined_by_semicolons() -> None:  # RFC 9113, 8.2.3
    headers = Headers.from_raw([(b"Cookie", b"a=1"), (b"cookie", b"b=2"), (b"COOKIE", b"c=3")])
    assert headers["cookie"] == "a=1; b=2; c=3"


def test_raw_fields_are_read_as_latin_1() -> None:
    headers = Headers.from_raw([(b"X", b"\xe9"), (b"x", b"2"), (b"Y", b"")])
    assert list(headers.lines()) == [("X", "\u00e9"), ("X", "2"), ("Y", "")]


def test_setting_replaces_every_line_of_a_name() -> None:
    headers = Headers([("A", "1"), ("A", "2")])
    headers["a"] = "3"
    assert list(headers.lines()) == [("a", "3")]
    headers["A"] = ["4", 5]
    assert headers.get_all("a") == ["4", "5"]


def test_append_adds_lines() -> None:
    headers = Headers()
    headers.append("Link", "<a>")
    headers.append("link", ["<b>", 3])
    headers.append("LINK", "<c>")
    assert headers.get_all("Link") == ["<a>", "<b>", "3", "<c>"]


def test_a_failed_append_changes_nothing() -> None:
    headers = Headers({"Link": "<a>"})
    with pytest.raises(ValueError, match="invalid character"):
        headers.append("Link", ["<b>", "c\n"])
    assert headers.get_all("link") == ["<a>"]


def test_remove_and_clear() -> None:
    headers = Headers({"A": "1", "B": "2", "C": "3"})
    headers.remove("a")
    del headers["B"]
    assert list(headers) == ["c"]
    headers.clear()
    assert not headers


def test_put_takes_clean_text() -> None:
    headers = Headers({"a": ["1", "2"]})
    headers.put("A", "3")
    assert list(headers.lines()) == [("A", "3")]


def test_a_copy_is_on_its_own() -> None:
    headers = Headers([("A", "1"), ("A", "2")])
    twin = headers.copy()
    assert twin == headers
    headers.append("A", "3")
    twin["B"] = "4"
    assert twin.get_all("a") == ["1", "2"]
    assert "b" not in headers


def test_a_list_that_was_set_or_returned_is_on_its_own() -> None:
    values: list[str | int] = ["1", "2"]
    headers = Headers({"A": values})
    values.append("3")
    headers.get_all("a").append("4")
    assert headers["a"] == "1, 2"


def test_the_representation_shows_the_lines() -> None:
    assert repr(Headers({"A": ["1", "2"]})) == "Headers([('A', '1'), ('A', '2')])"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        ("", ""),
        ("a\tb", "a\tb"),
        ("\x80\u00e9\xff", "\x80\u00e9\xff"),
        (0, "0"),
        (-1, "-1"),
        (True, "true"),
        (HTTPStatus.OK, "200"),
    ],
)
def test_values_become_text(value: str | int, expected: str) -> None:
    assert check_value("X", value) == expected


@pytest.mark.parametrize(
    "value", ["a\r\nX: y", "a\nb", "a\rb", "a\0", "\x1b[31m", "\x7f", "\u20ac", "\ud800", "\u2028"]
)
def test_a_value_that_cannot_be_sent_is_an_error(value: str) -> None:  # RFC 9110, 5.5
    headers = Headers()
    with pytest.raises(ValueError, match="header X-Name"):
        headers["X-Name"] = value
    with pytest.raises(ValueError, match="header X-Name"):
        headers["X-Name"] = ["a", value]
    assert not headers


@pytest.mark.parametrize(
    "value", [None, 1.5, b"a", bytearray(b"a"), object(), {"a"}, [None], [["a"]]]
)
def test_a_value_of_another_type_is_an_error(value: Any) -> None:
    with pytest.raises(TypeError, match="header X takes"):
        Headers()["X"] = value
    with pytest.raises(TypeError, match="header X takes"):
        Headers({"X": "1"}).append("X", value)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "a\r\n", "a\n", "\u00e9", "\0", "(x)", "a,b", '"']
)
def test_a_name_that_is_no_token_is_an_error(name: str) -> None:  # RFC 9110, 5.1
    with pytest.raises(ValueError, match="invalid header name"):
        check_name(name)
    with pytest.raises(ValueError, match="invalid header name"):
        Headers()[name] = "x"
    with pytest.raises(ValueError, match="invalid header name"):
        Headers()[name] = ["x"]


@pytest.mark.parametrize("name", ["Content-Type", "content-length"])
def test_a_field_that_stands_once_takes_one_value(name: str) -> None:
    headers = Headers()
    headers[name] = ["1"]
    assert headers[name] == "1"
    with pytest.raises(ValueError, match="exactly one"):
        headers[name] = ["1", "2"]
    with pytest.raises(ValueError, match="exactly one"):
        headers[name] = []
    with pytest.raises(ValueError, match="exactly one"):
        headers.append(name, "2")
    assert headers[name] == "1"


@given(st.text(), st.text())
def test_what_is_held_can_be_sent(name: str, value: str) -> None:
    try:
        headers = Headers({name: value})
    except ValueError:
        return
    for written, text in headers.lines():
        assert (written, text) == (name, value)
        assert not set("\r\n\0") & set(name + text)
        assert text.encode("latin-1").decode("latin-1") == value


@given(st.lists(st.tuples(NAMES, VALUES)))
def test_lines_are_read_back(pairs: list[tuple[str, str]]) -> None:
    headers = Headers((f"X-{name}", value) for name, value in pairs)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.lines()]
    again = Headers.from_raw(raw)
    assert list(again.lines()) == list(headers.lines())
    assert again == headers


def test_many_fields_of_one_name_are_joined_in_linear_time(growth: Any) -> None:
    def read(text: str) -> str:  # CVE-2025-67725
        return Headers.from_raw([(b"x", b"a")] * (len(text) // 4))["x"]

    def append(text: str) -> str:
        return Headers([("x", "a")] * (len(text) // 4))["x"]

    assert growth(read, "a") < 3
    assert growth(append, "a") < 3
