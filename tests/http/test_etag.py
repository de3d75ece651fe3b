from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.etag import content_tag, entity_tag, matches, matches_strongly, state_tag


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


@pytest.mark.parametrize(
    ("field", "tag", "expected"),
    [
        ('"a"', '"a"', True),
        ('"b", "a"', '"a"', True),
        ('W/"a"', '"a"', False),  # RFC 9110, 13.1.1: strong comparison
        ('"a"', 'W/"a"', False),
        ('W/"a"', 'W/"a"', False),
        ('W/"a", "a"', '"a"', True),
        ("*", "", True),
        ("a", '"a"', False),
        ("", "", False),
    ],
)
def test_if_match(field: str, tag: str, expected: bool) -> None:
    assert matches_strongly(field, tag) is expected


@pytest.mark.parametrize("piece", ['"', '"a",', 'W/"', "W/", " ", ",", '"a', "a"])
def test_a_hostile_if_match_takes_linear_time(piece: str, growth: Any) -> None:
    assert growth(lambda field: matches_strongly(field, '"none"'), piece) < 3


@pytest.mark.parametrize(
    ("content", "tag"),  # as npm's etag 1.8.1 makes them
    [
        (b"", '"0-2jmj7l5rSw0yVb/vlWAYkK/YBwk"'),
        (b"Hello World", '"b-Ck1VqNd45QIvq3AZd8XYQLvEhtA"'),
    ],
)
def test_content_has_the_tag_that_koa_gives_it(content: bytes, tag: str) -> None:
    assert content_tag(content) == tag


def test_each_coding_of_a_file_has_a_tag_of_its_own() -> None:
    assert state_tag(10, 16) == '"a-10"'
    assert state_tag(10, 16, "br") == '"a-10-br"'
