import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohia.http.path import split_path
from ohia.middleware.router.pattern import Segment, Slot, parse_template


def shape(template: str) -> list[list[str]]:
    """Return the variants of `template`, with `:` for a slot and `*` for a wildcard."""
    variants = parse_template(template).check().variants()
    return [[sign(each) for each in variant] for variant in variants]


def sign(segment: Segment) -> str:
    if isinstance(segment, str):
        return segment
    return ":" if isinstance(segment, Slot) else "*"


@pytest.mark.parametrize(
    ("template", "variants"),
    [
        ("/", [[""]]),
        ("/a b/café", [["a b", "café"]]),
        ("/a/", [["a", ""]]),
        ("/users/:id", [["users", ":"]]),
        ("/files/*path", [["files", "*"]]),
        ("/:name.:extension", [[":"]]),
        ("/a{/:b}", [["a", ":"], ["a"]]),
        ("/a{/:b{/:c}}", [["a", ":", ":"], ["a", ":"], ["a"]]),
        ("{/:language}/about", [[":", "about"], ["about"]]),
        ("/{*path}", [["*"], [""]]),
        (r"/user{\s}/:id", [["users", ":"], ["user", ":"]]),
        ("/file{.json}", [["file.json"], ["file"]]),
        (r"/a\:b\*\{c\}\\", [["a:b*{c}\\"]]),
        ("/50%/:id", [["50%", ":"]]),
    ],
)
def test_a_template_is_written_out(template: str, variants: list[list[str]]) -> None:
    assert shape(template) == variants


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("/(.*)", "no regular expressions"),
        ("/:id(\\d+)", "no regular expressions"),
        ("/<int:id>", "write `:id:int`"),
        ("/:id?", "in braces"),
        ("/users/{id}", "write `:id` for `{id}`"),
        ("/users/{id:int}", "write `:id:int` for `{id:int}`"),
        ("/files/{path:path}", r"write `\*path` for `{path:path}`"),
        ("/users{/{id}}", "write `:id` for `{id}`"),
        ("/user{s}", "a backslash behind the brace if it is optional text"),
        ("/:id+", r"write `\*path`"),
        ("/a%20b", "written decoded"),
        ("/files/*", "a wildcard has a name"),
        ("/:", "a parameter has a name"),
        ("/:id:number", "there are float, int, str, uuid"),
        ("/[a]", r"write `\\\["),
        ("/{a", "stays open"),
        ("/a}", "'}' at 2"),
        ("/a\\", "at 2"),
        ("/:a:b", "no type 'b'"),
        ("/:a:int:b", "text between"),
        ("/:a{:b}", "text between"),
        ("/:a/:a", "two parameters of one name"),
        ("/*a/b", "comes last"),
        ("/a*b", "whole segment"),
        ("/a//b", "empty or dot"),
        ("/a/../b", "empty or dot"),
        ("/a/.", "empty or dot"),
        ("/a/..", "empty or dot"),
        ("a", "begins with a slash"),
        ("/" + "{-a}" * 6, "too many optional"),
        ("/" + "{-a" * 40 + "}" * 40, "too many optional"),
    ],
)
def test_what_is_no_template_is_refused_with_what_to_write(template: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_template(template).check()


@pytest.mark.parametrize(
    ("template", "segment", "values"),
    [
        ("/:a", "x", ("x",)),
        ("/:a", "", None),
        ("/@:user", "@tobi", ("tobi",)),
        ("/@:user", "@", None),
        ("/@:user", "tobi", None),
        ("/:a.json", "x.json", ("x",)),
        ("/:a.json", ".json", None),
        ("/ab:x.b", "ab.b", None),  # the texts around may not overlap
        ("/aa:x.a", "aa", None),
        ("/:name.:extension", "a.tar.gz", ("a.tar", "gz")),
        ("/:name.:extension", "a.", None),
        ("/:a-:b-:c", "1-2-3-4", ("1-2", "3", "4")),
        ("/:id:int", "42", (42,)),
        ("/:id:int", "-1", None),
        ("/:id:int", "4 ", None),
        ("/:id:int", "1_0", None),
        ("/:id:int", "٤", None),  # a digit, but not one of ASCII
        ("/:id:int", "9" * 18, (10**18 - 1,)),
        ("/:id:int", "9" * 19, None),
        ("/:x:float", "1.5", (1.5,)),
        ("/:x:float", "2", (2.0,)),
        ("/:x:float", "1e9", None),
        ("/:x:float", "nan", None),
        ("/:x:float", "1.", None),
        ("/:from:int-:to:int", "1-2", (1, 2)),
        ("/:from:int-:to:int", "1-b", None),
    ],
)
def test_a_segment_is_taken_apart(
    template: str, segment: str, values: tuple[Any, ...] | None
) -> None:
    ((slot,),) = parse_template(template).variants()
    assert isinstance(slot, Slot)
    assert slot.read(segment) == values


def test_an_uuid_has_one_spelling() -> None:
    ((slot,),) = parse_template("/:key:uuid").variants()
    assert isinstance(slot, Slot)
    key = uuid.uuid4()
    assert slot.read(str(key).upper()) == (key,)
    assert slot.read(key.hex) is None
    assert slot.read(f"{{{key}}}") is None


@pytest.mark.parametrize(
    ("template", "values", "path"),
    [
        ("/users/:id:int", {"id": 7}, "/users/7"),
        ("/users/:name", {"name": "a/b c"}, "/users/a%2Fb%20c"),
        ("/files/*path", {"path": "a b/c"}, "/files/a%20b/c"),
        ("/posts{/:page}", {}, "/posts"),
        ("/posts{/:page}", {"page": 2}, "/posts/2"),
        ("/posts{/:year{/:month}}", {"year": 2026}, "/posts/2026"),
        ("{/:language}/about", {}, "/about"),
        ("/{*path}", {}, "/"),
        ("/café", {}, "/caf%C3%A9"),
    ],
)
def test_a_path_is_built(template: str, values: dict[str, object], path: str) -> None:
    assert parse_template(template).build(values) == path


@pytest.mark.parametrize(
    ("template", "values", "told"),
    [
        ("/users/:id", {}, "needs a value for id"),
        ("/users/:id", {"id": ""}, "cannot be id"),
        ("/users/:id", {"id": ".."}, "cannot be id"),
        ("/users/:id:int", {"id": "x"}, "cannot be id"),
        ("/users", {"id": 1}, "no parameter id"),
        ("/files/*path", {"path": "../x"}, "cannot be path"),
        ("/*path", {"path": "/evil.com"}, "cannot be path"),
        ("/*path", {"path": "\\evil.com"}, "cannot be path"),
        ("/*path", {"path": "a//b"}, "cannot be path"),
        ("/*path", {"path": "/"}, "cannot be path"),
    ],
)
def test_values_that_the_route_would_not_read_are_refused(
    template: str, values: dict[str, object], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        parse_template(template).build(values)


@given(st.text(min_size=1), st.integers(0, 10**18 - 1))
def test_what_is_built_is_read_back(name: str, number: int) -> None:
    pattern = parse_template("/u/:name/:number:int")
    try:
        path = pattern.build({"name": name, "number": number})
    except ValueError:
        assert name in {".", ".."} or not name.isprintable()
        return
    assert split_path(path) == ["u", name, str(number)]


@given(st.text("/:*{}\\ab<(."))
def test_no_template_makes_it_fail_in_another_way(template: str) -> None:
    try:
        parse_template(template).check()
    except ValueError as error:
        assert repr(template) in str(error) or "begins with" in str(error)
