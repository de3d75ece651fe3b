"""JSON bodies."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ohia.http.query import Query
from ohia.json import encode_json


@dataclass
class Point:
    x: int


class Struct(msgspec.Struct):
    x: int


class Model:
    """Dumps itself as pydantic models do."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return {"mode": mode}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Point(1), b'{"x":1}'),
        (Struct(1), b'{"x":1}'),
        (Model(), b'{"mode":"json"}'),
        ([Model()], b'[{"mode":"json"}]'),
        (UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        ({"é": [float("inf"), None]}, '{"é":[null,null]}'.encode()),  # P13
        ({1: 2}, b'{"1":2}'),
        ("a/b<", b'"a/b<"'),
        (Query([("a", "1"), ("a", "2")]), b'{"a":"1"}'),
    ],
    ids=repr,
)
def test_what_msgspec_and_pydantic_know(value: Any, expected: bytes) -> None:
    assert encode_json(value, 0, None) == expected


def test_spaces_indent_as_javascript_does() -> None:
    assert encode_json({"a": [1], "b": {}}, 2, None) == b'{\n  "a": [\n    1\n  ],\n  "b": {}\n}'


def test_default_is_asked_for_the_rest() -> None:
    assert encode_json([object()], None, lambda value: type(value).__name__) == b'["object"]'
    with pytest.raises(TypeError, match="object"):
        encode_json([object()], None, None)
