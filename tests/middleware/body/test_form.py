"""Forms as nested data."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.errors import BadRequest
from ohia.middleware.body import Form
from ohia.middleware.body.form import nest


def test_a_form_is_read_only_and_says_so() -> None:
    form: Any = Form([("a", "1"), ("a", "2")])
    with pytest.raises(TypeError, match=r"read-only: change a copy, dict\(form\)"):
        form["x"] = 1
    with pytest.raises(TypeError, match=r"read-only: change a copy, dict\(form\)"):
        del form["a"]
    assert dict(form) == {"a": "1"}
    assert not isinstance(form, MutableMapping)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], {}),
        ([("a", "1")], {"a": "1"}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a[]", "1"), ("a", "2")], {"a": ["1", "2"]}),
        ([("a[0]", "1"), ("a[1]", "2")], {"a": ["1", "2"]}),
        ([("a[1]", "1")], {"a": {"1": "1"}}),  # a list has no holes
        ([("a[1000000]", "1")], {"a": {"1000000": "1"}}),
        ([("a[b]", "1"), ("a[c]", "2")], {"a": {"b": "1", "c": "2"}}),
        ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("a[0][b]", "1"), ("a[1][b]", "2")], {"a": [{"b": "1"}, {"b": "2"}]}),
        ([("0", "x"), ("1", "y")], {"0": "x", "1": "y"}),  # the whole is never a list
        ([("a[", "1"), ("a]", "2"), ("[a]", "3")], {"a[": "1", "a]": "2", "[a]": "3"}),
        ([("", "1"), ("[]", "2")], {"": "1", "[]": "2"}),
        ([("a.b", "1")], {"a.b": "1"}),
        ([("__proto__[x]", "1")], {"__proto__": {"x": "1"}}),
        ([("__class__[__init__]", "1")], {"__class__": {"__init__": "1"}}),
    ],
)
def test_brackets_nest(pairs: list[tuple[str, str]], expected: Any) -> None:
    assert nest(pairs, 5) == expected


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "1"), ("a[b]", "2")],
        [("a[b]", "1"), ("a", "2")],
        [("a[]", "1"), ("a[b]", "2")],
        [("a" + "[b]" * 6, "1")],
        [("a" + "[b]" * 1000, "1")],
        [("a" + "[]" * 1000, "1")],
    ],
)
def test_what_contradicts_itself_or_is_too_deep_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(BadRequest):
        nest(pairs, 5)


def test_as_deep_as_the_limit_is_allowed() -> None:
    assert nest([("a[b][c]", "1")], 2) == {"a": {"b": {"c": "1"}}}


def test_a_form_nests_itself() -> None:
    assert Form([("a[b]", "1")]).nested() == {"a": {"b": "1"}}


@given(st.lists(st.tuples(st.text("ab[]01", max_size=12), st.text(max_size=3))))
def test_any_names_are_plain_data_or_refused(pairs: list[tuple[str, str]]) -> None:
    try:
        value = nest(pairs, 3)
    except BadRequest:
        return
    assert json.loads(json.dumps(value)) == value
    assert type(value) is dict
