"""Cache-Control: who may keep a response (RFC 9111, 5.2.2)."""

import pytest

from ohia.http.cache_control import as_private, is_shared


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", False),
        ("public", True),
        ("max-age=60", True),
        ("S-MaxAge=60", True),
        ("no-cache", False),
        ("private, max-age=60", False),
        ("max-age=60, No-Store", False),
        (" , public ,", True),
    ],
)
def test_is_shared(field: str, expected: bool) -> None:
    assert is_shared(field) is expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", "private"),
        ("public", "private"),
        ("Public, max-age=60, s-maxage = 600, immutable", "private, max-age=60, immutable"),
        ("no-store", "no-store"),
        ("Private, max-age=60", "Private, max-age=60"),
        ('private="x-a", max-age=60', "private, max-age=60"),
        ("no-cache", "private, no-cache"),
    ],
)
def test_as_private(field: str, expected: str) -> None:
    assert as_private(field) == expected
