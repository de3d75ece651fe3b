"""Content types: type-is for both sides of a context, mime-types behind `ctx.type =`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, names, request, some
from .driver import Driver
from .sides import Sides

content_types = some(
    "text/html",
    "text/html; charset=utf-8",
    "application/json",
    "application/json;charset=UTF-8",
    "Application/JSON",
    "application/vnd.api+json",
    "image/png",
    "image/svg+xml",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "text",
    "",
    "/",
    "text/",
    "text/html;",
    "text/html; charset",
    "text/html, text/plain",
    " text/html ",
    "a b/c",
    "text/*",
    'text/html; charset="utf-8"',
    "text/html;charset=utf-8;charset=x",
    "*/*",
    "text/x-é",
    "application/octet-stream",
    "text/markdown; Charset=US-ascii",
    "text/html; charset=utf 8",
)
wanted = some(
    "html",
    "json",
    "png",
    "text",
    "urlencoded",
    "multipart",
    "text/html",
    "text/*",
    "*/html",
    "*/*",
    "*/png",
    "application/*",
    "+json",
    "+xml",
    "image/*",
    "application/*+json",
    ".html",
    ".png",
    "multipart/*",
    "multipart/form-data",
    "nonsense",
    "TEXT/HTML",
    "text/html; charset=utf-8",
    "json",
    "application/vnd.api+json",
    "application/json",
    "form",
    "bin",
    "/",
    "*",
    "text/",
)
asked = st.lists(st.one_of(wanted, wanted, names), max_size=4)
asked_twice = st.lists(
    st.one_of(asked, asked.filter(bool).map(lambda drawn: [drawn])), min_size=1, max_size=5
)


@examples(400)
@given(
    st.one_of(st.none(), content_types, names),
    some("length", "chunked", "none", "zero"),
    asked_twice,
)
def test_request_is_answers_alike(
    sides: Sides, content_type: str | None, body: str, drawn: list[list[Any]]
) -> None:
    fields = [("Content-Type", content_type)]
    asking = request(fields, method="POST")
    if body == "length":
        asking["headers"].append(["Content-Length", "3"])
        asking["body"] = b"abc".hex()
    if body == "zero":
        asking["headers"].append(["Content-Length", "0"])
    if body == "chunked":
        asking["headers"].append(["Transfer-Encoding", "chunked"])
        asking["body"] = b"0\r\n\r\n".hex()
    steps = [["call", "is", *each] for each in drawn]
    after = ["request.type", "request.charset", "request.length"]
    sides.contexts("request types", {"request": asking, "steps": steps, "after": after})


@examples(300)
@given(st.one_of(content_types.filter(bool), names), asked_twice)
def test_response_is_answers_alike(sides: Sides, content_type: str, drawn: list[list[Any]]) -> None:
    steps = [["set", "status", 204], ["call", "set", "Content-Type", content_type]]
    steps += [["call", "response.is", *each] for each in drawn]
    case = {"request": request(), "steps": steps, "after": ["type"]}
    sides.contexts("response types", case)


@examples(200)
@given(st.lists(st.one_of(content_types, wanted, names), min_size=1, max_size=8))
def test_types_are_set_alike(sides: Sides, types: list[str]) -> None:
    steps = [["set", "type", each] for each in types]
    case = {"request": request(), "steps": steps, "after": ["type", "response.header"]}
    sides.contexts("types set", case)


@pytest.mark.parametrize("pattern", ["{}", ".{}", "name.{}"])
def test_every_extension_gives_the_same_type(sides: Sides, driver: Driver, pattern: str) -> None:
    extensions = driver.ask("call", name="extensions")["ok"]
    assert len(extensions) > 1000
    for start in range(0, len(extensions), 100):
        steps = [["set", "type", pattern.format(each)] for each in extensions[start : start + 100]]
        case = {"request": request(), "steps": steps, "after": ["response.header"]}
        sides.contexts("extensions", case)
