"""Fixtures: a peer of each server in turn."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol, TypeVar

import pytest

from .application import make_app
from .clients import MemoryPeer, NetworkPeer, Peer
from .servers import ALL, IN_LOOP, IN_MEMORY, LIMITS, NETWORK, START, running

T = TypeVar("T")


class Differing(Protocol):
    """What to expect of the server at hand."""

    def __call__(self, limit: str, ordinary: T, *, instead: T) -> T:
        """Return `ordinary`, or `instead` on a server that has `limit`."""
        ...


SkipOn = Callable[[str], None]
"""Skip on a server that has this limit, for what cannot be asked there at all."""


@pytest.fixture(scope="session")
def ports(request: pytest.FixtureRequest) -> Iterator[dict[str, int]]:
    """Start the servers that this run asks for, all at once, and stop them at the end."""
    asked_for = {server_of(item) for item in request.session.items}
    with running([name for name in START if name in asked_for]) as ports:
        yield ports


def server_of(item: pytest.Item) -> str | None:
    """Return the server that a test talks to, if it does."""
    parameters: dict[str, str] = getattr(getattr(item, "callspec", None), "params", {})
    return parameters.get("server") or parameters.get("network_server")


@pytest.fixture(params=ALL)
def server(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=NETWORK)
def network_server(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def peer_of(server: str, request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    if server == IN_MEMORY:
        async with MemoryPeer.of(make_app()) as memory:
            yield memory
    elif server == IN_LOOP:
        async with make_app().listen(0, grace=1) as listening:
            assert listening.port is not None
            yield NetworkPeer(listening.port)
    else:
        yield NetworkPeer(request.getfixturevalue("ports")[server])


@pytest.fixture
async def peer(server: str, request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    async for each in peer_of(server, request):
        yield each


@pytest.fixture
async def network_peer(
    network_server: str, request: pytest.FixtureRequest
) -> AsyncIterator[NetworkPeer]:
    async for each in peer_of(network_server, request):
        assert isinstance(each, NetworkPeer)
        yield each


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Return a word that no other test uses."""
    return "".join(each if each.isalnum() else "-" for each in request.node.name)


@pytest.fixture
def differing(request: pytest.FixtureRequest) -> Differing:
    """Tell what to expect of the server at hand, and note the limit for the matrix."""
    name = server_of(request.node)

    def choose(limit: str, ordinary: T, *, instead: T) -> T:
        if name not in LIMITS[limit].servers:
            return ordinary
        request.node.user_properties.append(("limit", limit))
        return instead

    return choose


@pytest.fixture
def skip_on(request: pytest.FixtureRequest) -> SkipOn:
    """Skip what a limit of the server at hand makes impossible."""
    name = server_of(request.node)

    def skip(limit: str) -> None:
        if name in LIMITS[limit].servers:
            request.node.user_properties.append(("limit", limit))
            pytest.skip(f"{name}: {LIMITS[limit].says}")

    return skip


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what is the same and what differs, test by server: OHIA_MATRIX=1."""
    if "OHIA_MATRIX" not in os.environ:
        return
    rows: dict[str, dict[str, str]] = {}
    for outcome in ("passed", "skipped", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            add_cell(rows, report)
    terminalreporter.section("test by server: . the same, else the limit, ! failed")
    for test, cells in rows.items():
        differing = {name: cell for name, cell in cells.items() if cell != "."}
        terminalreporter.line(f"{test:80} {'; '.join(map(': '.join, differing.items())) or '.'}")


def add_cell(rows: dict[str, dict[str, str]], report: pytest.TestReport) -> None:
    """Add one result to its row; the server's name stands in the brackets behind the test's."""
    test, _, parameters = report.nodeid.partition("::")[2].partition("[")
    known = sorted(ALL, key=len, reverse=True)
    server = next((each for each in known if each in parameters), None)
    if server is None:
        return
    limits = dict.fromkeys(str(value) for key, value in report.user_properties if key == "limit")
    row = rows.setdefault(test, {})
    if row.get(server, ".") == ".":
        row[server] = "!" if report.failed else ", ".join(limits) or "."
