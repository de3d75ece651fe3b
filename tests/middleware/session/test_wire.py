"""What a session looks like in a cookie and in a store."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.middleware.session import wire

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_what_is_encoded_is_decoded_the_same(record: dict[str, Any]) -> None:
    assert wire.decode(wire.encode(record)) == record


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_cookie_fails_in_an_unforeseen_way(text: str) -> None:
    try:
        record = wire.decode(text)
    except (ValueError, RecursionError):
        return
    assert isinstance(record, dict)


@pytest.mark.parametrize(
    ("record", "expired"),
    [
        ({}, False),
        ({"_expire": 1}, True),
        ({"_expire": 2**52}, False),
        ({"_expire": 4e15}, False),
        ({"_expire": "4000000000000000"}, True),
        ({"_expire": [1]}, True),
    ],
)
def test_has_expired(record: dict[str, Any], expired: bool) -> None:
    assert wire.has_expired(record) is expired


@pytest.mark.parametrize(
    ("record", "seconds"),
    [
        ({"_maxAge": 1500}, 1.5),
        ({"_session": True}, None),
        ({}, 60),
        ({"_maxAge": "soon"}, 60),
    ],
)
def test_max_age_of(record: dict[str, Any], seconds: float | None) -> None:
    assert wire.max_age_of(record, 60) == seconds
