"""Differences that no generated case meets, one test each, and the page that names them all."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ohia import Ohia

from .cases import request
from .intended import INTENDED
from .ohia_side import run_context
from .programs import run_koa1
from .sides import Sides

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
MAX_ROWS = 39  # more, and ohia is no Koa

PINNED: dict[str, str] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def pins(row: str) -> Callable[[Function], Function]:
    """Note that the decorated test shows the difference of `row`."""

    def note(test: Function) -> Function:
        PINNED[row] = test.__name__
        return test

    return note


def both(sides: Sides, steps: list[Any], **case: Any) -> tuple[Any, Any]:
    """Return what Koa and ohia make of `steps`."""
    case = {"request": request(), "steps": steps, **case}
    return sides.driver.ask("ctx", **case), sides.runner.run(run_context(case))


def lines(side: Any, name: str) -> list[str]:
    return [value for field, value in side["answer"]["headers"] if field == name]


def values(side: Any) -> list[Any]:
    return [each.get("ok", "thrown") for each in side["results"]]


def statuses(koa: Any, ohia: Any) -> tuple[Any, Any]:
    return koa["answer"]["status"], ohia["answer"]["status"]


@pins("null-as-json-is-200")
def test_null_as_json_is_no_404(sides: Sides) -> None:
    assert statuses(*both(sides, [["set", "type", "json"], ["set", "body", None]])) == (404, 200)


@pins("streams-fail-as-500")
def test_a_stream_that_fails_at_once_is_answered(sides: Sides) -> None:
    failing = {"$": "stream", "chunks": [], "fails": "oops"}
    koa, ohia = both(sides, [["set", "body", failing]])
    assert statuses(koa, ohia) == (None, 500)
    assert (len(koa["errors"]), len(ohia["errors"])) == (2, 1)


@pins("no-1xx-as-an-answer")
def test_an_informational_status_ends_no_exchange(sides: Sides) -> None:
    assert statuses(*both(sides, [["set", "status", 199]])) == (199, 500)


@pins("signed-where-there-are-keys")
def test_cookies_are_signed_without_being_asked(sides: Sides) -> None:
    koa, ohia = both(sides, [["call", "cookies.set", "a", "1"]], app={"keys": ["key"]})
    assert len(lines(koa, "set-cookie")) == 1
    assert len(lines(ohia, "set-cookie")) == 2


@pins("signed-where-there-are-keys")
def test_cookies_are_verified_without_being_asked(sides: Sides) -> None:
    forged = request([("Cookie", "a=forged")])
    steps = [["call", "cookies.get", "a"]]
    koa, ohia = both(sides, steps, app={"keys": ["key"]}, request=forged)
    assert (values(koa), values(ohia)) == (["forged"], [None])


@pins("falsy-values-count")
@pytest.mark.parametrize(("value", "sent"), [(0, "a=0"), (False, "a=false")])
def test_a_cookie_may_be_0(sides: Sides, value: Any, sent: str) -> None:
    koa, ohia = both(sides, [["call", "cookies.set", "a", value]])
    assert lines(koa, "set-cookie")[0].startswith("a=; path=/; expires=")
    assert lines(ohia, "set-cookie") == [f"{sent}; path=/; httponly"]


@pins("wrong-arguments-raise")
@pytest.mark.parametrize(
    ("step", "field", "sent"),
    [
        (["set", "lastModified", "nonsense"], "last-modified", ["Invalid Date"]),
        (["call", "set", "X", None], "x", ["null"]),
        (["set", "length", "x"], "content-length", ["x"]),
    ],
)
def test_what_koa_sends_as_nonsense_raises(
    sides: Sides, step: list[Any], field: str, sent: list[str]
) -> None:
    koa, ohia = both(sides, [step], request=request(method="HEAD"))
    assert lines(koa, field) == sent
    assert values(ohia) == ["thrown"]
    assert lines(ohia, field) == []


@pins("status-comes-first")
def test_throw_takes_no_message_alone(sides: Sides) -> None:
    koa, ohia = both(sides, [["call", "throw", "boom"]])
    assert koa["results"][0]["thrown"]["status"] == 500
    assert ohia["results"][0]["thrown"]["name"] in ("TypeError", "ValueError")


@pins("dates-in-json")
def test_dates_in_json_have_no_empty_fractions(sides: Sides) -> None:
    koa, ohia = both(sides, [["set", "body", {"at": {"$": "date", "ms": 1000}}]])
    assert bytes.fromhex(koa["answer"]["body"]) == b'{"at":"1970-01-01T00:00:01.000Z"}'
    assert bytes.fromhex(ohia["answer"]["body"]) == b'{"at":"1970-01-01T00:00:01Z"}'


@pins("late-errors-cut")
def test_an_error_after_the_head_ends_the_connection(sides: Sides) -> None:
    steps = [["call", "flushHeaders"], ["call", "throw", 500]]
    koa, ohia = both(sides, steps, leave=[1])
    assert (koa["answer"]["hangs"], ohia["answer"]["hangs"]) == (True, False)
    assert ohia["answer"]["whole"] is False


@pins("lengths-must-match")
def test_a_length_that_is_wrong_is_not_sent(sides: Sides) -> None:
    koa, ohia = both(sides, [["set", "body", "abc"], ["set", "length", 5]])
    assert statuses(koa, ohia) == (200, 500)
    assert lines(koa, "content-length") == ["5"]


@pins("next-once-in-generators-too")
def test_a_second_yield_of_next_is_an_error(sides: Sides) -> None:
    twice = [["yield", {"$": "next"}, True], ["yield", {"$": "next"}, True]]
    programs = [{"name": "a", "actions": twice}, {"name": "b", "actions": [["return", 2]]}]
    koa = sides.driver.ask("koa1", programs=programs, request=request())
    ohia = sides.runner.run(run_koa1(programs=programs, request=request()))
    assert koa["trace"] == ["a got 2", "a got null"]
    assert ohia["trace"] == ["a got 2", "a caught next() called multiple times"]


@pins("json-is-indented")
def test_json_is_indented_unless_told_otherwise(sides: Sides) -> None:
    koa, _ = both(sides, [["set", "body", {"a": 1}]])
    assert bytes.fromhex(koa["answer"]["body"]) == b'{"a":1}'
    assert Ohia().json_spaces == 2


@pins("seconds")
def test_max_age_is_in_seconds(sides: Sides) -> None:
    case = {"request": request(), "steps": [["call", "cookies.set", "a", "1", {"maxAge": 5000}]]}
    sides.contexts("cookies set", case)  # which hands 5.0 to ohia


# ---- the page -------------------------------------------------------------------------------

ROW = re.compile(r"^\| `([a-z0-9-]+)` \|(.*)\|$", re.MULTILINE)


def rows() -> dict[str, str]:
    return dict(ROW.findall(PAGE.read_text()))


def test_every_difference_has_its_row_and_every_row_its_rule_or_test() -> None:
    assert rows().keys() == INTENDED.keys() | PINNED.keys()


def test_no_row_stands_twice_and_they_are_few() -> None:
    assert len(ROW.findall(PAGE.read_text())) == len(rows()) <= MAX_ROWS


@pytest.mark.parametrize("row", rows())
def test_a_row_says_what_and_how_in_both_and_why(row: str) -> None:
    cells = [cell.strip() for cell in rows()[row].split(" | ")]
    assert len(cells) == 4
    assert all(cells)
