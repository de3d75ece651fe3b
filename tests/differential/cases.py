"""What the areas share in making up cases: how many, requests, fields, texts."""

import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["examples", "field", "listed", "names", "request", "some"]

SCALE = float(os.environ.get("OHIA_EXAMPLES", "1"))

names = st.text("abcXYZ019-_", min_size=1, max_size=6)


def examples(number: int) -> settings:
    """Return settings for `number` examples, times `OHIA_EXAMPLES` from the environment.

    The default run draws the same examples each time; a longer one draws new ones.
    """
    return settings(
        max_examples=max(1, round(number * SCALE)),
        derandomize=SCALE == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def request(
    fields: Sequence[tuple[str, str | None]] = (),
    *,
    method: str = "GET",
    target: str = "/",
    version: str = "1.1",
) -> dict[str, Any]:
    """Return a request of a case; fields whose value is None are left out."""
    given = [[name, value] for name, value in fields if value is not None]
    if not any(name == "Host" for name, _ in fields):
        given.insert(0, ["Host", "example.com"])
    return {"method": method, "target": target, "headers": given, "version": version}


def field(value: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    """Draw a field's value, none, the empty one or one of nothing but separators."""
    return st.one_of(value, value, value, st.sampled_from([None, "", " ", ",", " , ,", ";", "*"]))


def listed(element: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[str]:
    """Draw a list of `element`, with the separators that clients write."""
    separators = st.sampled_from([", ", ",", " , ", ",,", ",\t"])
    return st.tuples(st.lists(element, min_size=1, max_size=most), separators).map(
        lambda drawn: drawn[1].join(drawn[0])
    )


def some(*values: Any) -> st.SearchStrategy[Any]:
    """Draw one of `values`."""
    return st.sampled_from(values)
