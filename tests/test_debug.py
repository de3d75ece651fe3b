"""Named debug logs on stderr."""

import sys
from collections.abc import Iterator

import pytest

from ohia.debug import Debug


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEBUG", raising=False)
    monkeypatch.setenv("DEBUG_COLORS", "no")


def ticking(*times: float) -> Debug:
    seconds: Iterator[float] = iter(times)
    return Debug(clock=lambda: next(seconds))


def test_a_line_has_two_blanks_the_name_the_message_and_the_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    debug = ticking(5.0, 5.0041, 5.5)
    debug.enable("ohia*")
    log, other = debug("ohia:application"), debug("ohia:other")
    log("use %s", "response_time")
    log("use %s", "logger")
    other("listen")
    assert capsys.readouterr().err == (
        "  ohia:application use response_time +0ms\n"
        "  ohia:application use logger +4ms\n"
        "  ohia:other listen +0ms\n"
    )


@pytest.mark.parametrize(
    ("patterns", "on"),
    [
        ("", False),
        ("*", True),
        ("my:part", True),
        ("my:*", True),
        ("*part", True),
        ("m*t", True),
        ("my", False),
        ("other,my:part", True),
        ("other my:part", True),
        ("*,-my:part", False),
        ("*,-my:*", False),
        ("my.part", False),
        ("-other", False),
    ],
)
def test_patterns(patterns: str, on: bool) -> None:
    debug = Debug()
    log = debug("my:part")
    debug.enable(patterns)
    assert log.enabled is on


def test_the_environment_is_followed_when_it_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    debug = ticking(0.0)
    log = debug("my:part")
    log("unheard")
    monkeypatch.setenv("DEBUG", "my:*")
    log("heard")
    debug.disable()
    log("unheard again")
    assert capsys.readouterr().err == "  my:part heard +0ms\n"


def test_nothing_is_formatted_while_it_is_off() -> None:
    class Loud:
        def __str__(self) -> str:
            raise AssertionError

    Debug()("my:part")("%s", Loud())


def test_it_never_raises(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    debug = ticking(0.0, 0.0, 0.0)
    debug.enable("*")
    log = debug("x")
    log("%s %s", 1)
    log("%d", Broken())
    assert capsys.readouterr().err == (
        "  x '%s %s' 1 +0ms\n  x (a value that cannot be printed) +0ms\n"
    )
    monkeypatch.setattr(sys, "stderr", None)
    log("nowhere")


def test_one_line_whatever_the_value_holds(capsys: pytest.CaptureFixture[str]) -> None:
    debug = ticking(0.0)
    debug.enable("*")
    debug("x")("%s", "a\r\nb\x1b[31m\u2028")
    assert capsys.readouterr().err == "  x a\\r\\nb\\x1b[31m\\u2028 +0ms\n"


def test_colours_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEBUG_COLORS", "1")
    debug = ticking(0.0)
    debug.enable("*")
    debug("x")("hello")
    assert "\x1b[3" in capsys.readouterr().err


def test_the_same_name_is_the_same_log_and_extends() -> None:
    debug = Debug()
    assert debug("a") is debug("a")
    assert debug("a").extend("b") is debug("a:b")
