from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.event_stream import format_comment, format_event


def read(text: str) -> list[dict[str, str]]:
    """Read events as HTML 9.2.6 says, those without data too."""
    events: list[dict[str, str]] = [{}]
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        if not line:
            events.append({})
        elif name == "data":
            events[-1]["data"] = f"{events[-1].get('data', '')}{value.removeprefix(' ')}\n"
        elif name:
            events[-1][name] = value.removeprefix(" ")
    return [each for each in events if each]


@pytest.mark.parametrize(
    ("data", "fields", "expected"),
    [
        ("a", {}, "data: a\n\n"),
        ("", {}, "data: \n\n"),
        (None, {"id": 0}, "id: 0\n\n"),
        ("a\nb\r\nc\rd", {}, "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("a\n", {}, "data: a\ndata: \n\n"),
        ("\u2028", {}, "data: \u2028\n\n"),  # no line end there
        ("a", {"event": "e", "id": "1", "retry": 2}, "event: e\nid: 1\nretry: 2\ndata: a\n\n"),
    ],
)
def test_an_event_has_a_field_a_line(data: str | None, fields: Any, expected: str) -> None:
    assert format_event(data, **fields) == expected


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\ndata: forged", "\0"])
@pytest.mark.parametrize("name", ["event", "id"])
def test_what_would_break_a_field_is_refused(name: str, value: str) -> None:
    """Security, row 76."""
    fields: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name} of an event takes no CR, LF or NUL"):
        format_event("x", **fields)


def test_a_negative_retry_is_refused() -> None:
    with pytest.raises(ValueError, match="retry is a time to wait"):
        format_event(retry=-1)


def test_a_comment_is_one_whatever_its_lines() -> None:
    assert format_comment("a\r\ndata: forged\n\rb") == ": a\n: data: forged\n:\n: b\n\n"
    assert format_comment() == ":\n\n"


@given(st.text())
def test_no_text_makes_another_event(text: str) -> None:
    """Security, row 76."""
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert read(format_event(text)) == [{"data": f"{expected}\n"}]
    assert read(format_comment(text)) == []
