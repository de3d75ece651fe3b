import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.vary import add_vary


@pytest.mark.parametrize(
    ("current", "fields", "expected"),
    [
        ("", "Origin", "Origin"),
        ("Accept", "Origin", "Accept, Origin"),
        ("Accept", "accept", "Accept"),
        ("Accept", "ORIGIN, accept, origin", "Accept, ORIGIN"),
        ("Accept", ["Origin", "User-Agent"], "Accept, Origin, User-Agent"),
        ("Accept,Origin", "Origin", "Accept,Origin"),
        ("Accept", [], "Accept"),
        ("Accept", "*", "*"),
        ("Accept", ["Origin", "*"], "*"),
        ("*", "Origin", "*"),
        ("Accept, *", "Origin", "*"),
    ],
)
def test_fields_are_added_once(current: str, fields: str | list[str], expected: str) -> None:
    assert add_vary(current, fields) == expected


@pytest.mark.parametrize(
    "fields", ["", " ", "a b", "a,", ["a", ""], "a\r\nX: y", "a\n", ["a\0"], "\u00e9", "a:", "a;b"]
)
def test_what_is_no_field_name_is_an_error(fields: str | list[str]) -> None:
    with pytest.raises(ValueError, match="names of fields"):
        add_vary("Accept", fields)
    with pytest.raises(ValueError, match="names of fields"):
        add_vary("*", fields)


NAMES = st.from_regex(r"[A-Za-z-]+", fullmatch=True)


@given(st.lists(NAMES), st.lists(NAMES, min_size=1))
def test_every_field_is_there_in_the_end(current: list[str], fields: list[str]) -> None:
    merged = add_vary(", ".join(current), fields)
    names = [each.lower() for each in merged.split(", ")]
    assert set(names) == {each.lower() for each in current + fields}
    assert add_vary(merged, fields) == merged


@given(st.text(), st.text())
def test_text_is_added_or_refused(current: str, fields: str) -> None:
    try:
        merged = add_vary(current, fields)
    except ValueError:
        return
    assert merged == "*" or merged.startswith(current)
