import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ohia.http.path import split_path
from ohia.middleware.router.pattern import Wildcard, parse_template
from ohia.middleware.router.trie import UNCLEAR, Node, insert, walk


def tree(*templates: str) -> Node[list[str]]:
    """Return a tree of `templates`, each of which stands where it ends."""
    root: Node[list[str]] = Node()
    for template in templates:
        for segments in parse_template(template).variants():
            is_rest = isinstance(segments[-1], Wildcard)
            node = insert(root, segments[:-1] if is_rest else segments)
            place = "rest" if is_rest else "exact"
            setattr(node, place, [*(getattr(node, place) or []), template])
            if not is_rest:
                node.loose = node.exact
    return root


def matches(root: Node[list[str]], path: str) -> dict[str, tuple[Any, ...]]:
    """Return the templates that match `path`, with their values."""
    found: list[tuple[list[str], tuple[Any, ...]]] = []
    walk(root, split_path(path) or [], 0, (), found)
    return {template: values for templates, values in found for template in templates}


def work(function: Callable[[], object]) -> int:
    """Return how many lines `function` runs."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", {"/": ()}),
        ("/users", {"/users": ()}),
        ("/users/", {"/users": ()}),
        ("/users//", {}),
        ("//users", {}),
        ("/users/new", {"/users/new": (), "/users/:name": ("new",)}),
        ("/users/42", {"/users/:name": ("42",), "/users/:id:int": (42,)}),
        ("/users/a%2Fb", {"/users/:name": ("a/b",)}),
        ("/files/a/b", {"/files/*path": ("a/b",)}),
        ("/files/a/", {"/files/*path": ("a/",)}),
        ("/files/a%20b/50%25", {"/files/*path": ("a b/50%",)}),
        ("/files//", {"/files/*path": (UNCLEAR,)}),
        ("/files//a", {"/files/*path": (UNCLEAR,)}),
        ("/files/a//b", {"/files/*path": (UNCLEAR,)}),
        ("/files/a//", {"/files/*path": (UNCLEAR,)}),
        ("/files/a%2Fb", {"/files/*path": (UNCLEAR,)}),
        ("/files/%2Fa", {"/files/*path": (UNCLEAR,)}),
        ("/files/a%5cb", {"/files/*path": (UNCLEAR,)}),
        ("/files/a\\b", {"/files/*path": (UNCLEAR,)}),
        ("/files/", {}),
        ("/files", {}),
        ("/none", {}),
    ],
)
def test_all_that_matches_is_found(path: str, expected: dict[str, tuple[Any, ...]]) -> None:
    root = tree("/", "/users", "/users/new", "/users/:name", "/users/:id:int", "/files/*path")
    assert matches(root, path) == expected


def naive(template: str, path: str) -> bool:
    """Match by a regular expression, for templates of the parts below."""
    pattern = template.replace("{", "(?:").replace("}", ")?")
    pattern = re.sub(r":n\d:int", "[0-9]{1,18}", pattern)
    pattern = re.sub(r":x\d", "[^/]+", pattern)
    pattern = pattern.replace("*rest", ".+")
    is_open = template.endswith("*rest")
    return re.fullmatch(pattern if is_open else f"{pattern}/?", path) is not None


@st.composite
def templates(draw: st.DrawFn) -> str:
    parts = ["/a", "/b", "/:x{}", "/:n{}:int", "/a-:x{}", "{{/c}}", "{{/:x{}}}"]
    chosen = draw(st.lists(st.sampled_from(parts), min_size=1, max_size=4))
    text = "".join(part.format(number) for number, part in enumerate(chosen))
    return text + draw(st.sampled_from(["", "/*rest"]))


PATHS = st.lists(st.sampled_from(["a", "b", "c", "7", "a-1", "a-", ""]), max_size=6)


@example(["{/c}"], ["", ""])
@given(st.lists(templates(), min_size=1, max_size=8, unique=True), PATHS)
def test_the_tree_agrees_with_matching_one_by_one(every: list[str], segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    expected = {template for template in every if naive(template, path)}
    if path in {"/", "//"}:  # what is optional as a whole is "/", which the naive way has not
        expected |= {each for each in every if set(re.sub(r"{[^}]*}", "", each)) <= {"/"}}
    assert set(matches(tree(*every), path)) == expected


@pytest.mark.parametrize("path", ["/r5/users/7", "/r5/users", "/r5/none", "/none"])
def test_the_number_of_templates_costs_nothing(path: str) -> None:
    def walked(count: int) -> int:
        pairs = [(f"/r{number}/users", f"/r{number}/users/:id:int") for number in range(count)]
        root = tree(*(template for pair in pairs for template in pair))
        return work(lambda: matches(root, path))

    assert walked(1000) == walked(10)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/:a/*b", "/a" * 1000),  # CVE-2024-45296
        ("/:a-:b", "/a" + "-a" * 1000 + "/a"),
        ("/:a.:b.:c.:d", "/" + "a." * 1000 + "/"),  # CVE-2024-52798
        ("/x{/:a}{/:b}{/:c}{/:d}{/:e}", "/x" + "/a" * 1000),  # CVE-2026-4926
        ("/a/a/a/:b", "/a" * 1000),
        ("/*rest", "/" + "a" * 3000),
    ],
)
def test_no_path_costs_more_than_its_length(template: str, path: str) -> None:
    root = tree(template)
    once, twice = work(lambda: matches(root, path)), work(lambda: matches(root, path * 2))
    assert twice <= 2.2 * once + 50


def test_a_tree_that_leads_two_ways_at_each_step_is_walked_once() -> None:
    ways = [
        "".join(f"/:x{step}" if number & 1 << step else "/a" for step in range(4))
        for number in range(16)
    ]
    root = tree(*ways)
    assert set(matches(root, "/a/a/a/a")) == set(ways)
    assert work(lambda: matches(root, "/a" * 2000)) < 2 * work(lambda: matches(root, "/a" * 1000))
