"""Charsets of texts."""

import pytest

from ohia.http.charset import text_codec


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("us-ascii", "ascii"),
        ("ISO-8859-1", "iso8859-1"),
        ("windows-1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("windows-9999", None),  # has the form of one
        ("punycode", None),  # slow on purpose
        ("zip", None),
        ("", None),
        ("utf-8\n", None),
    ],
)
def test_only_encodings_of_text_have_a_codec(charset: str, codec: str | None) -> None:
    assert text_codec(charset) == codec
