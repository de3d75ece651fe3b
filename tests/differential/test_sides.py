"""The judge: what nobody meant does not pass."""

from copy import deepcopy
from typing import Any

import pytest

from .cases import request
from .comparing import compare_contexts
from .ohia_side import run_context
from .sides import Judge, Sides

CASE: dict[str, Any] = {
    "request": request([("Accept", "text/html")]),
    "steps": [["call", "accepts", "html"], ["set", "body", "text"], ["call", "vary", "Accept"]],
    "after": ["status", "type", "response.header"],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("results", 0, "ok"), False),
        (("results", 1, "after", "type"), "text/html"),
        (("results", 2, "thrown"), None),
        (
            ("errors",),
            [
                {
                    "$": "error",
                    "message": "x",
                    "status": 500,
                    "expose": False,
                    "headers": None,
                    "props": {},
                }
            ],
        ),
        (("answer", "status"), 404),
        (("answer", "body"), ""),
        (("answer", "headers"), []),
        (("answer", "whole"), False),
    ],
)
def test_any_other_answer_is_found(sides: Sides, path: tuple[Any, ...], value: Any) -> None:
    koa = sides.driver.ask("ctx", **CASE)
    ohia = sides.runner.run(run_context(CASE))
    Judge().settle("here", CASE, compare_contexts(CASE, koa, ohia))
    changed = place = deepcopy(ohia)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    judge = Judge()
    with pytest.raises(AssertionError, match=r"koa .*, ohia "):
        judge.settle("here", CASE, compare_contexts(CASE, koa, changed))
    assert judge.found["here"] == 1
