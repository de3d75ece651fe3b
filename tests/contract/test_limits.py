"""The table of limits: in the docs as it is here, and about servers that exist."""

from pathlib import Path

from .servers import FOREIGN, LIMITS, NETWORK

PAGE = Path(__file__).parents[2] / "docs" / "servers.md"

COLUMNS = ("ohia", "uvicorn", "uvicorn-h11", "hypercorn", "granian")


def table() -> str:
    """Return the limits as the docs show them."""
    lines = [
        f"| | {' | '.join(COLUMNS)} |",
        f"| --- |{' --- |' * len(COLUMNS)}",
    ]
    for limit in LIMITS.values():
        cells = ("differs" if name in limit.servers else "same" for name in COLUMNS)
        lines.append(f"| {limit.says} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_docs_show_this_table() -> None:
    assert f"\n{table()}\n" in PAGE.read_text(), f"docs/servers.md shall contain:\n{table()}"


def test_limits_are_those_of_servers_that_are_tested() -> None:
    assert all(limit.servers <= FOREIGN <= set(NETWORK) for limit in LIMITS.values())
