"""What a request costs must not rise unnoticed: `benchmarks/guard`, and that it does notice."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(find_spec("uvloop") is None, reason="it counts beside uvloop"),
]

GUARD = Path(__file__).parents[1] / "benchmarks" / "guard"
UNRECORDED = 77
Figures = dict[str, int]

# Workloads of a careless application, given to the part that looks at what requests leave.
CARELESS = """
import sys
sys.path.insert(0, sys.argv[1])
from report import left_behind
from workloads import WORKLOADS

kept = []

async def keep(ctx):
    kept.append(object())
    ctx.body = "Hello World"

async def tie(ctx):
    ctx.body = "Hello World"
    knot = []
    knot.append(knot)

for handler in (keep, tie):
    WORKLOADS[handler.__name__] = WORKLOADS["hello"]._replace(middleware=[handler])
print(*left_behind(["hello", "keep", "tie"]), sep="\\n")
"""


def run_python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python without what would be counted too: coverage, debug logs."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "DEBUG" and not name.startswith("COVERAGE_")
    }
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """What was recorded just now of the workload `hello`."""
    file = tmp_path_factory.mktemp("guard") / "record.json"
    done = run_python(GUARD, "hello", "--record", "--file", file)
    assert done.returncode == 0, done.stdout + done.stderr
    (workloads,) = json.loads(file.read_text()).values()
    figures: Figures = workloads["hello"]
    return figures


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "record.json"


def write_record(file: Path, figures: Figures) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}{sys.abiflags}"
    file.write_text(json.dumps({python: {"hello": figures}}))


def test_no_request_costs_more_than_was_recorded() -> None:
    done = run_python(GUARD)
    if done.returncode == UNRECORDED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("measure", ["instructions", "calls", "bytes"])
def test_a_rise_above_five_percent_fails(measure: str, recorded: Figures, file: Path) -> None:
    less = recorded[measure] * 9 // 10
    write_record(file, recorded | {measure: less})
    done = run_python(GUARD, "hello", "--file", file)
    assert done.returncode == 1
    assert f"hello: {recorded[measure]} {measure}, recorded {less} (+" in done.stdout
    assert "make guard-record" in done.stdout


def test_a_smaller_rise_passes(recorded: Figures, file: Path) -> None:
    write_record(file, recorded | {"instructions": recorded["instructions"] * 97 // 100})
    done = run_python(GUARD, "hello", "--file", file)
    assert done.returncode == 0
    assert "make guard-record" not in done.stdout


def test_a_fall_passes_and_is_told(recorded: Figures, file: Path) -> None:
    write_record(file, recorded | {"instructions": recorded["instructions"] * 2})
    done = run_python(GUARD, "hello", "--file", file)
    assert done.returncode == 0
    assert "(-50.0%)\n" in done.stdout
    assert "make guard-record" in done.stdout


def test_a_workload_without_a_record_fails(recorded: Figures, file: Path) -> None:
    write_record(file, recorded)
    done = run_python(GUARD, "json", "--file", file)
    assert done.returncode == 1
    assert "recorded 0" in done.stdout


def test_a_python_without_a_record_is_told(file: Path) -> None:
    done = run_python(GUARD, "hello", "--file", file)
    assert done.returncode == UNRECORDED
    assert done.stdout.startswith("nothing is recorded for Python 3.")


def test_what_requests_leave_is_told() -> None:
    done = run_python("-c", CARELESS, GUARD)
    kept, tied = done.stdout.splitlines()
    assert kept.startswith("keep: 1.")
    assert tied == "tie: 512 objects that only the cycle collector frees"
