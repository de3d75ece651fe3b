from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.etag import entity_tag, matches


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc", '"abc"'),
        ('"abc"', '"abc"'),
        ('W/"abc"', 'W/"abc"'),
        ("W/abc", '"W/abc"'),
        ('w/"abc"', '"w/"abc""'),  # RFC 9110, 8.8.3: W is case-sensitive
        ("", '""'),
    ],
)
def test_a_tag_gets_quotes_unless_it_has_them(value: str, expected: str) -> None:
    assert entity_tag(value) == expected


@pytest.mark.parametrize(
    ("field", "tag", "expected"),
    [
        ('"a"', '"a"', True),
        ('W/"a"', '"a"', True),  # weak comparison, RFC 9110, 8.8.3.2
        ('"a"', 'W/"a"', True),
        ('W/"a"', 'W/"a"', True),
        ('"b"', '"a"', False),
        ('"b", W/"c" ,"a"', '"a"', True),
        ('"b","a"', '"a"', True),
        ("*", '"a"', True),
        (" * ", '"a"', True),
        ('"*"', '"a"', False),
        ("a", '"a"', False),  # without quotes it is no tag
        ("a", "a", False),
        ('"a', '"a"', False),
        ("", '"a"', False),
        ("", "", False),
        ('"a,b"', '"a,b"', True),
        ('"a,b"', '"a"', False),
        ('"a b"', '"a b"', True),
        ('"A"', '"a"', False),
        ('""', '""', True),
    ],
)
def test_if_none_match(field: str, tag: str, expected: bool) -> None:
    assert matches(field, tag) is expected


@given(st.text(), st.text())
def test_no_text_makes_the_comparison_fail(field: str, tag: str) -> None:
    assert matches(field, tag) in (True, False)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters='"')), min_size=1))
def test_every_tag_of_a_list_is_found(values: list[str]) -> None:
    field = ", ".join(f'W/"{value}"' for value in values)
    assert all(matches(field, f'"{value}"') for value in values)


@pytest.mark.parametrize("piece", ['"', '"a",', 'W/"', "W/", " ", ",", '"a', "a"])
def test_a_hostile_field_takes_linear_time(piece: str, growth: Any) -> None:
    assert growth(lambda field: matches(field, '"none"'), piece) < 3  # CVE-2017-16119
