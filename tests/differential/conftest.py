"""One node process and one event loop for the whole run, and a summary of figures after it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from .driver import Driver, Unavailable, install
from .sides import Judge, Sides
from .wire import Wire

JUDGE = pytest.StashKey[Judge]()
TIMEOUT = 300  # seconds for one test: the first one installs, OHIA_EXAMPLES may be large


def pytest_configure(config: pytest.Config) -> None:
    config.stash[JUDGE] = Judge()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TIMEOUT))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    judge = config.stash[JUDGE]
    if not judge.cases:
        return
    terminalreporter.section("ohia beside npm")
    for area, cases in sorted(judge.cases.items()):
        terminalreporter.line(f"{area:24} {cases:6} cases  {judge.found[area]:4} unmeant")
    terminalreporter.line(f"{'together':24} {judge.cases.total():6} cases")
    for row, hits in sorted(judge.intended.items()):
        terminalreporter.line(f"  intended: {row:28} {hits:6}")


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    try:
        install()
    except Unavailable as reason:
        pytest.skip(f"the npm packages cannot be had: {reason}")
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture(scope="session")
def sides(driver: Driver, pytestconfig: pytest.Config) -> Iterator[Sides]:
    with asyncio.Runner() as runner:
        yield Sides(driver, runner, pytestconfig.stash[JUDGE])


@pytest.fixture(scope="session")
def wire(sides: Sides) -> Iterator[Wire]:
    wire = Wire()
    sides.runner.run(wire.start())
    yield wire
    sides.runner.run(wire.server.close())
