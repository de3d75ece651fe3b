import re
from dataclasses import fields
from pathlib import Path

import pytest

from ohia.server.limits import Limits, make_limits

PAGE = Path(__file__).parents[2] / "docs" / "server.md"
UNITS = {"": 1, " KiB": 1024, " MiB": 1024 * 1024}


def test_an_unknown_limit_is_named_with_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"'max_heads'; its limits are max_target, max_head, "):
        make_limits({"max_heads": 1})


@pytest.mark.parametrize(("name", "value"), [("max_head", "1"), ("max_head", 1.5), ("grace", True)])
def test_a_limit_takes_a_number(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{name} takes"):
        make_limits({name: value})


def test_a_limit_is_not_below_zero() -> None:
    with pytest.raises(ValueError, match="cannot be below zero"):
        make_limits({"grace": -1})


def documented() -> dict[str, int | None]:
    """Return the limits of the page and their defaults."""
    rows = re.findall(r"^\| `(\w+)` \| `?([^|`]+?)`? \|", PAGE.read_text(), re.MULTILINE)
    return {name: default(text) for name, text in rows}


def default(text: str) -> int | None:
    if text == "None":
        return None
    number, unit = re.fullmatch(r"([\d ]+?)( [KM]iB)?", text).groups("")  # type: ignore[union-attr]
    return int(number.replace(" ", "")) * UNITS[unit]


def test_the_page_has_every_limit_and_its_default() -> None:
    limits = Limits()
    assert documented() == {each.name: getattr(limits, each.name) for each in fields(Limits)}
