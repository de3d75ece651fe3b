"""Names of uploaded files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.file_name import DEVICES, safe_name


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("plan.txt", "plan.txt"),
        ("../../x", "x"),
        ("/etc/x", "x"),
        ("..\\x", "x"),
        ("C:\\folder\\x.txt", "x.txt"),
        ("a\0b", "ab"),
        ('x"\r\nY: z', "x_Y_ z"),
        ("file::$DATA", "file__$DATA"),
        ("\u202egpj.exe", "gpj.exe"),
        ("CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz"),
        ("aux .txt", "_aux .txt"),
        ("conference", "conference"),
        (".htaccess", "htaccess"),
        ("x. . ", "x"),
        ("..", ""),
        ("", ""),
        ("folder/", ""),
        ("für €.pdf", "für €.pdf"),
    ],
)
def test_what_is_left_is_a_name_for_a_disk(given_name: str, expected: str) -> None:
    assert safe_name(given_name) == expected


def test_a_long_name_keeps_its_extension() -> None:
    name = safe_name("é" * 5000 + ".tar.gz")
    assert name.endswith("é.tar.gz"[-3:])
    assert len(name.encode()) <= 255


def test_a_long_name_without_an_extension_is_cut() -> None:
    assert safe_name("a." + "b" * 5000) == "a." + "b" * 253


@given(st.text())
def test_any_name_is_one_part_of_a_path_and_stays_as_it_is(text: str) -> None:
    name = safe_name(text)
    assert not set(name) & set('/\\:"|?*<>\0')
    assert name not in {".", ".."}
    assert name.partition(".")[0].upper() not in DEVICES
    assert len(name.encode()) <= 255
    assert safe_name(name) == name
