"""What the tests of the grammar share."""

from collections.abc import Callable
from time import process_time

import pytest

Growth = Callable[[Callable[[str], object], str], float]


@pytest.fixture
def growth() -> Growth:
    """Return `growth(function, piece)`: how much longer twice the text takes.

    Measured over three doublings, from `piece` repeated up to 15,000 characters to 120,000, so
    that a busy machine does not look like a square: 2 is linear, 4 quadratic. Every figure is
    the least of five, and has a floor under which clocks say nothing.
    """

    def seconds(function: Callable[[str], object], text: str) -> float:
        least = float("inf")
        for _ in range(5):
            start = process_time()
            function(text)
            least = min(least, process_time() - start)
        return max(least, 0.001)

    def growth(function: Callable[[str], object], piece: str) -> float:
        text = piece * (15_000 // len(piece))
        ratio = seconds(function, text * 8) / seconds(function, text)
        return float(ratio ** (1 / 3))

    return growth
