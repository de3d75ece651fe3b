"""Both sides of the comparison, and the judge of what they say."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .comparing import Difference, compare, compare_contexts
from .driver import Driver
from .intended import INTENDED, Rule
from .ohia_side import run_context
from .wire import Wire

__all__ = ["Judge", "Sides"]


class Judge:
    """Counts cases and differences, and raises for those that nobody meant."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.found: Counter[str] = Counter()  # per area, those that nobody meant
        self.intended: Counter[str] = Counter()  # per row of docs/differences.md

    def settle(self, area: str, case: Mapping[str, Any], found: Iterable[Difference]) -> None:
        """Pass what is meant; raise AssertionError with the case for the rest."""
        self.cases[area] += 1
        news = []
        for difference in found:
            row, rule = rule_of(difference)
            if rule is None:
                news.append(f"{difference}")
                continue
            self.intended[row] += 1
            if rule.ends_case:
                break
        if news:
            self.found[area] += 1
            raise AssertionError("\n".join([*news, json.dumps(case, ensure_ascii=False)]))


def rule_of(difference: Difference) -> tuple[str, Rule | None]:
    """Return the row of docs/differences.md that `difference` belongs to, and its rule."""
    for row, rules in INTENDED.items():
        for rule in rules:
            if rule.recognises(difference):
                return row, rule
    return "", None


class Sides:
    """npm on one side, ohia on the other."""

    def __init__(self, driver: Driver, runner: asyncio.Runner, judge: Judge) -> None:
        self.driver = driver
        self.runner = runner
        self.judge = judge

    def contexts(self, area: str, case: Mapping[str, Any]) -> None:
        """Run the steps of `case` on a context of each, and compare."""
        koa = self.driver.ask("ctx", **case)
        ohia = self.runner.run(run_context(case))
        self.judge.settle(area, case, compare_contexts(case, koa, ohia))

    def over_the_wire(self, area: str, case: Mapping[str, Any], wire: Wire) -> None:
        """Do as `contexts`, with ohia behind its own server; framing is compared too."""
        koa = self.driver.ask("ctx", **case)
        ohia = self.runner.run(wire.run_context(case))
        self.judge.settle(area, case, compare_contexts(case, koa, ohia, framing=True))

    def answers(self, area: str, case: Mapping[str, Any], koa: Any, ohia: Any) -> None:
        """Compare two plain answers, objects with the same keys."""
        self.judge.settle(area, case, compare(case, koa, ohia))
