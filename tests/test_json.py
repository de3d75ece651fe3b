"""JSON bodies."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
from pydantic import BaseModel

from ohia.http.query import Query
from ohia.json import decode_json, encode_json


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


class Ferret(BaseModel):
    name: str
    age: int = 0


@pytest.mark.parametrize(
    ("type", "data", "value"),
    [
        (Any, b'{"x":[1]}', {"x": [1]}),
        (Point, b'{"x":1}', Point(1)),
        (list[Struct], '[{"x":1}]', [Struct(1)]),
        (Ferret, b'{"name":"tobi"}', Ferret(name="tobi")),
        (dict[str, Ferret], b'{"a":{"name":"tobi","age":"2"}}', {"a": Ferret(name="tobi", age=2)}),
    ],
    ids=repr,
)
def test_json_is_read_as_a_type(type: Any, data: bytes | str, value: Any) -> None:
    assert decode_json(data, type) == value


@pytest.mark.parametrize(
    ("type", "told"),
    [(Point, "Expected `int`, got `str` - at `$.x`"), (Ferret, "name\n  Field required")],
)
def test_what_does_not_fit_is_a_decode_error(type: Any, told: str) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        decode_json(b'{"x":"1"}', type)
    assert told in str(caught.value)


def test_a_type_that_nobody_knows_is_the_programs_fault() -> None:
    with pytest.raises(NotImplementedError, match=r"a pydantic model, not as <class .*Ferrets"):
        decode_json(b"1", Ferrets)


class Ferrets:
    """Nothing says how it is made of JSON."""
