"""Which segments of a path may name a file: the same ones on every system."""

import pytest

from ohia.http.file_name import is_plain_name


@pytest.mark.parametrize(
    "segment",
    [
        *("", ".", "..", "...", "a.", "a ", "a. .", "static.."),
        *("a/b", "a\\b", "..\\b", "/", "\\\\evil\\share", "C:", "C:\\", "file::$DATA", "file:"),
        *("a\x00b", "a\nb", "a\x1f", "a\x7f"),
        *(
            "CON",
            "nul",
            "NUL.txt",
            "AUX .txt",
            "aux",
            "PRN.tar.gz",
            "com1",
            "LPT9.x",
            "COM¹",
            "CONIN$",
        ),
    ],
)
def test_what_is_no_plain_name(segment: str) -> None:
    assert not is_plain_name(segment)


@pytest.mark.parametrize(
    "segment",
    [
        "a",
        "a.txt",
        ".env",
        "..a",
        "a..b",
        "a b",
        "café",
        "日本",
        "CONSOLE",
        "nullable.js",
        "com",
        "COM10",
    ],
)
def test_what_is_a_plain_name(segment: str) -> None:
    assert is_plain_name(segment)
