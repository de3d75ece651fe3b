"""How many connections the descriptors of a process allow."""

import resource
from collections.abc import Iterator

import pytest

from ohia.server.descriptors import most_connections, most_sockets, raise_limit


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def bound(soft: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("soft", "wanted", "most"),
    [
        (1024, None, 896),  # an eighth is the application's
        (1024, 20_000, 896),
        (1024, 100, 100),
        (200, None, 168),  # at least 32
        (20_000, None, 18_976),  # at most 1,024
        (10, None, 1),
    ],
)
def test_some_descriptors_are_kept_for_the_application(
    soft: int, wanted: int | None, most: int
) -> None:
    bound(soft)
    assert most_connections(wanted) == most


@pytest.mark.parametrize("soft", [10, 60, 1024])
def test_connections_that_are_refused_have_a_little_more_room(soft: int) -> None:
    bound(soft)
    most, connections = most_sockets(), most_connections(None)
    assert most is not None
    assert connections is not None
    assert connections <= most < soft


def test_the_limit_is_raised_to_the_hard_one() -> None:
    bound(100)
    raise_limit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard
