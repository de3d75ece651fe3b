import io
import re
import sys
from collections.abc import Callable, Iterator

import pytest

from ohia.debug import Debug, debug


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEBUG", raising=False)
    monkeypatch.delenv("DEBUG_COLORS", raising=False)


def clock(*seconds: float) -> Callable[[], float]:
    ticks: Iterator[float] = iter(seconds)
    return lambda: next(ticks)


def test_a_line_has_two_spaces_namespace_message_and_milliseconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEBUG", "ohia*")
    logs = Debug(clock(1.0, 1.0041, 3.5))
    log = logs("ohia:application")
    log("use %s", "response_time")
    log("use %s %d", "logger", 2)
    log("listen")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "  ohia:application use response_time +0ms\n"
        "  ohia:application use logger 2 +4ms\n"
        "  ohia:application listen +2495ms\n"
    )


def test_milliseconds_count_from_the_previous_line_of_the_same_namespace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEBUG", "*")
    logs = Debug(clock(1, 2, 4))
    logs("a")("first")
    logs("b")("first")
    logs("a")("second")
    assert capsys.readouterr().err == "  a first +0ms\n  b first +0ms\n  a second +3000ms\n"


@pytest.mark.parametrize(
    ("patterns", "namespace", "on"),
    [
        ("", "ohia", False),
        ("ohia", "ohia", True),
        ("ohia", "ohia:application", False),
        ("ohia*", "ohia", True),
        ("ohia*", "ohia:application", True),
        ("ohia:*", "ohia:application", True),
        ("ohia:*", "ohia", False),
        ("*", "anything", True),
        ("*:router", "ohia:router", True),
        ("o*a:r*r", "ohia:router", True),
        ("o*a:r*r", "ohia:mount", False),
        ("a,b", "b", True),
        ("a b", "b", True),
        (" a ,  b ", "b", True),
        ("a,b", "c", False),
        ("*,-ohia:router", "ohia:router", False),
        ("-ohia:router *", "ohia:router", False),
        ("*,-ohia:*", "ohia:router", False),
        ("*,-ohia:*", "my:part", True),
        ("-a", "b", False),
        ("o.ia", "ohia", False),  # a dot is a dot
        ("[", "ohia", False),
    ],
)
def test_patterns_choose_namespaces(
    patterns: str, namespace: str, on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG", patterns)
    assert Debug()(namespace).enabled is on


def test_a_log_follows_debug_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Debug()("ohia")
    assert not log.enabled
    monkeypatch.setenv("DEBUG", "ohia")
    assert log.enabled
    monkeypatch.delenv("DEBUG")
    assert not log.enabled


def test_patterns_can_be_set_by_hand_until_debug_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "a")
    logs = Debug()
    logs.enable("b, c")
    assert [logs(name).enabled for name in "abc"] == [False, True, True]
    logs.disable()
    assert [logs(name).enabled for name in "abc"] == [False, False, False]
    monkeypatch.setenv("DEBUG", "c")
    assert [logs(name).enabled for name in "abc"] == [False, False, True]


def test_the_same_namespace_gives_the_same_log() -> None:
    logs = Debug()
    assert logs("a") is logs("a")
    assert logs("a").extend("b") is logs("a:b")


class Unprintable:
    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__


def test_values_are_not_looked_at_while_the_log_is_off() -> None:
    Debug()("a")("%s", Unprintable())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("100%",), "100%"),
        (("%s of %s", 1), "'%s of %s' 1"),
        (("%d", "x"), "'%d' 'x'"),
        (("plain", 1), "'plain' 1"),
        ((7,), "7"),
        ((None,), "None"),
        (("%s", "a\nb\r\x1b[31m\x00"), r"a\nb\r\x1b[31m\x00"),
        (("a\nb",), r"a\nb"),
        (("%s", "\u2028\u202e\x85"), r"\u2028\u202e\x85"),
        (("%s", "ōhia 木"), "ōhia 木"),
        (("%s", "\udcff"), r"\udcff"),
        (("%s", ("a", "b")), "('a', 'b')"),
        (("%s", Unprintable()), "(a value that cannot be printed)"),
        ((Unprintable(),), "(a value that cannot be printed)"),
    ],
)
def test_whatever_is_logged_is_one_line_and_never_raises(
    arguments: tuple[object, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = Debug()
    logs.enable("*")
    logs("a")(*arguments)
    assert capsys.readouterr().err == f"  a {text} +0ms\n"


def test_a_namespace_cannot_break_the_line_either(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Debug()
    logs.enable("*")
    logs("a\nb")("c")
    assert capsys.readouterr().err == "  a\\nb c +0ms\n"


@pytest.mark.parametrize("stderr", [None, "closed", "ascii"])
def test_a_broken_stderr_does_no_harm(stderr: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii") if stderr else None
    if stream and stderr == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    logs = Debug()
    logs.enable("*")
    logs("a")("木")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("colours", "terminal", "coloured"),
    [
        (None, False, False),
        (None, True, True),
        ("1", False, True),
        ("yes", False, True),
        ("0", True, False),
        ("no", True, False),
        ("", True, False),
    ],
)
def test_colour_is_for_terminals_or_by_debug_colors(
    colours: str | None, terminal: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if colours is not None:
        monkeypatch.setenv("DEBUG_COLORS", colours)
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs = Debug()
    logs.enable("*")
    logs("my:part")("ready")
    written = stream.getvalue()
    assert ("\x1b[" in written) is coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", written) == "  my:part ready +0ms\n"


def test_the_shared_debug_is_a_debug() -> None:
    assert isinstance(debug, Debug)
