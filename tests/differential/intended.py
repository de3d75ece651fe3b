"""The differences that are meant: each recognised exactly, and named as in docs/differences.md.

A rule that ends its case leaves the two sides in different states: what follows is no news.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .comparing import Difference

__all__ = ["INTENDED", "Rule"]

Recogniser = Callable[[Difference], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """Recognises one intended difference."""

    recognises: Recogniser
    ends_case: bool = False


INTENDED: dict[str, Rule] = {}


def intended(row: str, *, ends_case: bool = False) -> Callable[[Recogniser], Recogniser]:
    """Register the decorated predicate as the rule of `row`."""

    def register(recognises: Recogniser) -> Recogniser:
        INTENDED[row] = Rule(recognises, ends_case)
        return recognises

    return register
