"""What came out of both sides, compared piece by piece."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

__all__ = ["Difference", "compare", "compare_contexts"]

EXPIRES = re.compile(r"; expires=(\w{3}, [^;]* GMT)")
SOON = 10 * 24 * 3600  # seconds; the cases reckon from now with at most a day

# What each server adds by itself.
HOP_BY_HOP = {"connection", "date", "keep-alive"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the two sides part.

    `where` says which: `result` of a step, `after <getter>` behind it, or of the answer
    `status`, `reason`, `header <name>`, `body`, `whole`, `hangs`; `errors` are those that the
    application was told of. `before` holds the step's getters as both sides had them.
    """

    case: Mapping[str, Any]
    where: str
    koa: Any
    ohia: Any
    step: tuple[Any, ...] = ()
    index: int = -1

    def __str__(self) -> str:
        at = f" at step {self.index} {list(self.step)}" if self.step else ""
        return f"{self.where}{at}: koa {self.koa!r}, ohia {self.ohia!r}"


def compare(case: Mapping[str, Any], koa: Any, ohia: Any) -> Iterator[Difference]:
    """Yield a difference for each key of two plain answers."""
    for where in koa.keys() | ohia.keys():
        if koa.get(where) != ohia.get(where):
            yield Difference(case, where, koa.get(where), ohia.get(where))


def compare_contexts(
    case: Mapping[str, Any], koa: Any, ohia: Any, *, framing: bool = False
) -> Iterator[Difference]:
    """Yield the differences of two runs of the area `ctx`, in order of time.

    With `framing` it counts too how the end of a body is told.
    """
    for index, step in enumerate(case["steps"][: len(koa["results"])]):
        here = (case, tuple(step), index, koa["results"][index], ohia["results"][index])
        yield from _compare_step(*here)
    yield from _compare_errors(case, koa["errors"], ohia["errors"])
    if not framing:
        koa, ohia = ({**side, "answer": _unframed(side["answer"])} for side in (koa, ohia))
    yield from _compare_answers(case, koa["answer"], ohia["answer"])


def _compare_step(
    case: Mapping[str, Any], step: tuple[Any, ...], index: int, koa: Any, ohia: Any
) -> Iterator[Difference]:
    results = _result(step, koa), _result(step, ohia)
    if results[0] != results[1]:
        yield Difference(case, "result", *results, step, index)
    for name, value in koa["after"].items():
        pair = _value(name, value), _value(name, ohia["after"][name])
        if pair[0] != pair[1]:
            yield Difference(case, f"after {name}", *pair, step, index)


def _result(step: tuple[Any, ...], result: Any) -> Any:
    if "thrown" not in result:
        return {"ok": _value(str(step[1]), result["ok"])}
    if step[:2] in (("call", "throw"), ("call", "assert")) or step[0] == "raise":
        return {"thrown": _error(result["thrown"])}
    return {"thrown": True}  # the words of other errors are each side's own


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict) and "thrown" in value:
        return {"thrown": True}
    if name == "response.header":
        fields = {key: [str(each) for each in _listed(one)] for key, one in value.items()}
        return {key: [_without_now(each) for each in one] for key, one in fields.items()}
    return value


def _without_now(value: str) -> str:
    """Return a field's value with a time of these minutes as one word: each side has its own."""
    found = EXPIRES.search(value)
    if found is None:
        return value
    seconds = parsedate_to_datetime(found[1]).timestamp() - time.time()
    about = round(seconds / 10) * 10
    return value.replace(found[1], f"in {about} s") if abs(seconds) < SOON else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _error(error: Any) -> Any:
    if not isinstance(error, dict) or error.get("$") != "error":
        return error
    props = {name: each for name, each in error["props"].items() if name != "headerSent"}
    headers = {name.lower(): str(each) for name, each in (error["headers"] or {}).items()}
    told = {name: error[name] for name in ("message", "status", "expose")}
    return {**told, "headers": headers, "props": props}


def _compare_errors(case: Mapping[str, Any], koa: Any, ohia: Any) -> Iterator[Difference]:
    pair = [_error(each) for each in koa], [_error(each) for each in ohia]
    if pair[0] != pair[1]:
        yield Difference(case, "errors", *pair)


def _compare_answers(case: Mapping[str, Any], koa: Any, ohia: Any) -> Iterator[Difference]:
    for where in ("hangs", "whole", "status", "reason", "body"):
        if koa[where] != ohia[where]:
            yield Difference(case, where, koa[where], ohia[where])
    fields = _fields(koa), _fields(ohia)
    for name in sorted(fields[0].keys() | fields[1].keys()):
        if fields[0].get(name) != fields[1].get(name):
            yield Difference(case, f"header {name}", fields[0].get(name), fields[1].get(name))


def _unframed(answer: Any) -> Any:
    """Return `answer` without what a server adds: chunks, and a length of 0 for an empty body."""
    added = [
        ["transfer-encoding", "chunked"],
        *([] if answer["body"] else [["content-length", "0"]]),
    ]
    return {**answer, "headers": [each for each in answer["headers"] if each not in added]}


def _fields(answer: Any) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in answer["headers"]:
        if name not in HOP_BY_HOP:
            fields.setdefault(name, []).append(_without_now(value))
    return fields
