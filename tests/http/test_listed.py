"""Options that are lists."""

from collections.abc import Iterable

import pytest

from ohia.http.listed import field_names, listed


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("GET", ["GET"]),
        ("GET,POST", ["GET", "POST"]),
        (" GET ,\tPOST, ", ["GET", "POST"]),
        ("", []),
        ((), []),
        (["a, b"], ["a, b"]),
        (iter(["a", "b"]), ["a", "b"]),
    ],
)
def test_text_has_commas_and_a_list_has_none(
    values: str | Iterable[str], expected: list[str]
) -> None:
    assert listed(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("X-A, X-B", "X-A,X-B"),
        (["*"], "*"),
        ((), ""),
        (["!#$%&'*+-.^_`|~aZ09"], "!#$%&'*+-.^_`|~aZ09"),
    ],
)
def test_field_names_are_tokens(values: str | Iterable[str], expected: str) -> None:
    assert field_names("allow_headers", values) == expected


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a\r\nb", "a\n", "a:", "\u00e4", "\u0661"])
def test_what_is_no_token_is_told(name: str) -> None:  # RFC 9110, 5.6.2
    with pytest.raises(ValueError, match="allow_headers are names"):
        field_names("allow_headers", [name])
