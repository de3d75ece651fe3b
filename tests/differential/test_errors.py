"""Errors: how they are thrown, who is told, what is answered."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .cases import examples, request, some
from .sides import Sides

statuses = st.one_of(
    some(400, 401, 403, 404, 409, 418, 422, 429, 500, 501, 503), st.integers(400, 511)
)
odd_statuses = some(99, 100, 200, 204, 301, 304, 399, 600, 999, 0, -1)
messages = some("no", "", "é€", "two\nlines", "<b>", "a: b")
headers = st.fixed_dictionaries(
    {},
    optional={
        "X-A": some("a", "b, c"),
        "WWW-Authenticate": some("Basic realm=x"),
        "Allow": some("GET, HEAD"),
        "Content-Type": some("text/html"),
        "Content-Length": some("5"),
        "Vary": some("Origin", "Accept, Cookie", "*"),
    },
)
props = st.fixed_dictionaries(
    {},
    optional={
        "expose": st.booleans(),
        "headers": headers,
        "code": some("E1", 2),
        "user": some("x"),
    },
)
prepared = st.lists(
    st.one_of(
        some(
            ["set", "status", 200],
            ["set", "status", 204],
            ["set", "body", "begun"],
            ["set", "body", {"a": 1}],
            ["set", "type", "json"],
            ["call", "set", "X-B", "1"],
            ["call", "vary", "Origin"],
            ["call", "cookies.set", "a", "b"],
            ["set", "message", "Mine"],
        )
    ),
    max_size=3,
)
throws = st.one_of(
    st.just(["call", "throw"]),
    st.builds(lambda status: ["call", "throw", status], statuses),
    st.builds(lambda status, message: ["call", "throw", status, message], statuses, messages),
    st.builds(lambda *args: ["call", "throw", *args], statuses, messages, props),
    st.builds(lambda *args: ["call", "throw", *args], statuses, props),
    st.builds(
        lambda *args: ["call", "assert", *args],
        st.sampled_from([0, "", None, False, 1, "x"]),
        statuses,
        messages,
    ),
    st.builds(lambda *args: ["call", "assert", *args], some(0, 1), statuses, messages, props),
    st.builds(
        lambda method, one, other, status, message: [
            "call",
            f"assert.{method}",
            one,
            other,
            status,
            message,
        ],
        some("equal", "notEqual", "strictEqual", "notStrictEqual", "deepEqual", "notDeepEqual"),
        st.sampled_from([1, "a", True]),
        st.sampled_from([1, "a", True, 2]),
        statuses,
        messages,
    ),
)
errors = st.builds(
    lambda message, given: ["raise", {"$": "error", "message": message, "props": given}],
    messages,
    st.fixed_dictionaries(
        {},
        optional={
            "status": st.one_of(statuses, odd_statuses, some("404", None)),
            "expose": st.booleans(),
            "headers": headers,
            "code": some("ENOENT", "E1"),
        },
    ),
)


def check(sides: Sides, method: str, before: list[Any], last: list[Any]) -> None:
    case = {
        "request": request(method=method),
        "steps": [*before, last],
        "leave": [len(before)],
        "after": ["status", "response.header"],
    }
    sides.contexts("errors", case)


@examples(500)
@given(some("GET", "GET", "HEAD", "POST"), prepared, throws)
def test_thrown_errors_are_answered_alike(
    sides: Sides, method: str, before: list[Any], thrown: list[Any]
) -> None:
    check(sides, method, before, thrown)


@examples(400)
@given(some("GET", "GET", "HEAD", "POST"), prepared, errors)
def test_errors_of_the_applications_own_are_answered_alike(
    sides: Sides, method: str, before: list[Any], raised: list[Any]
) -> None:
    check(sides, method, before, raised)
