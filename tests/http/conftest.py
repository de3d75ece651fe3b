"""What the tests of the grammar share."""

from collections.abc import Callable
from time import process_time

import pytest

Growth = Callable[[Callable[[str], object], str], float]


@pytest.fixture
def growth() -> Growth:
    """Return `growth(function, piece)`: how much longer twice the text takes.

    The text is `piece` repeated up to 60,000 characters, then up to 120,000. Every figure is the
    least of five, and has a floor under which clocks say nothing.
    """

    def seconds(function: Callable[[str], object], text: str) -> float:
        least = float("inf")
        for _ in range(5):
            start = process_time()
            function(text)
            least = min(least, process_time() - start)
        return max(least, 0.005)

    def growth(function: Callable[[str], object], piece: str) -> float:
        text = piece * (60_000 // len(piece))
        return seconds(function, text * 2) / seconds(function, text)

    return growth
