import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.disposition import content_disposition
from ohia.http.headers import check_value


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        (None, "attachment"),
        ("plans.txt", 'attachment; filename="plans.txt"'),
        ("folder/plans.txt", 'attachment; filename="plans.txt"'),
        ("../../etc/passwd", 'attachment; filename="passwd"'),
        ("folder/", 'attachment; filename="folder"'),
        ('a"b\\c', 'attachment; filename="a\\"b\\\\c"'),
        ("a;b, c.txt", 'attachment; filename="a;b, c.txt"'),
        ("\u00e9t\u00e9.txt", 'attachment; filename="\u00e9t\u00e9.txt"'),  # ISO-8859-1
        ("\u20ac.txt", "attachment; filename=\"?.txt\"; filename*=UTF-8''%E2%82%AC.txt"),
        ("\U0001f600", "attachment; filename=\"?\"; filename*=UTF-8''%F0%9F%98%80"),
        ("a%41.txt", "attachment; filename=\"a%41.txt\"; filename*=UTF-8''a%2541.txt"),
        ("100%.txt", 'attachment; filename="100%.txt"'),
        ("a\r\nX: y", "attachment; filename=\"a??X: y\"; filename*=UTF-8''a%0D%0AX%3A%20y"),
        ("a\0", "attachment; filename=\"a?\"; filename*=UTF-8''a%00"),
        ("\x80", "attachment; filename=\"?\"; filename*=UTF-8''%C2%80"),
        ("\ud800", "attachment; filename=\"?\"; filename*=UTF-8''%3F"),
        (
            "\u20ac'()*!~",
            "attachment; filename=\"?'()*!~\"; filename*=UTF-8''%E2%82%AC%27%28%29%2A!~",
        ),
        ("", "attachment; filename*=UTF-8''"),
    ],
)
def test_the_field_for_a_file_name(filename: str | None, expected: str) -> None:
    assert content_disposition(filename) == expected


@pytest.mark.parametrize(
    ("filename", "fallback", "expected"),
    [
        ("\u20ac.txt", False, "attachment; filename*=UTF-8''%E2%82%AC.txt"),
        ("a.txt", False, 'attachment; filename="a.txt"'),
        ("a\n", False, "attachment; filename*=UTF-8''a%0A"),
        ("\u20ac.txt", "x/e.txt", "attachment; filename=\"e.txt\"; filename*=UTF-8''%E2%82%AC.txt"),
        ("a.txt", "a.txt", 'attachment; filename="a.txt"'),
        ("a.txt", "b.txt", "attachment; filename=\"b.txt\"; filename*=UTF-8''a.txt"),
        ("a.txt", 'q"x', 'attachment; filename="q\\"x"; filename*=UTF-8\'\'a.txt'),
    ],
)
def test_the_fallback(filename: str, fallback: bool | str, expected: str) -> None:
    assert content_disposition(filename, fallback=fallback) == expected


def test_the_type_is_a_token_in_lower_case() -> None:
    assert content_disposition("a", type="INLINE") == 'inline; filename="a"'
    assert content_disposition(type="form-data") == "form-data"


@pytest.mark.parametrize("type", ["", "a b", "a\r\nX: y", "a;b", "\u20ac", 'a"', "inline\n"])
def test_a_type_that_is_no_token_is_an_error(type: str) -> None:
    with pytest.raises(ValueError, match="token"):
        content_disposition("a", type=type)


@pytest.mark.parametrize("fallback", ["\u20ac", "a\nb", "a\rb", "a\0b"])
def test_a_fallback_outside_latin_1_is_an_error(fallback: str) -> None:
    with pytest.raises(ValueError, match="ISO-8859-1"):
        content_disposition("a", fallback=fallback)


@pytest.mark.parametrize(
    "arguments",
    [{"filename": b"a"}, {"filename": 1}, {"filename": "a", "fallback": 1}, {"type": None}],
)
def test_values_of_another_type_are_errors(arguments: Any) -> None:
    with pytest.raises(TypeError):
        content_disposition(**arguments)


@given(st.text(), st.booleans())
def test_every_name_makes_a_field_that_can_be_sent(filename: str, fallback: bool) -> None:
    field = content_disposition(filename, fallback=fallback)
    assert check_value("Content-Disposition", field) == field
    assert re.fullmatch(r'attachment(; filename="([^"\\]|\\.)*")?(; filename\*=[!-~]*)?', field)


@given(st.text())
def test_the_name_is_read_back(filename: str) -> None:
    name = filename.rstrip("/").rpartition("/")[2]
    field = content_disposition(filename)
    _, is_extended, extended = field.partition("; filename*=UTF-8''")
    quoted = field.removeprefix('attachment; filename="').removesuffix('"')
    plain = re.sub(r"\\(.)", r"\1", quoted)
    assert (unquote(extended) if is_extended else plain) == name
