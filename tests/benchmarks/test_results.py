"""What the macro benchmark makes of its samples; its modules are found by their folder."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MACRO = Path(__file__).parents[2] / "benchmarks" / "macro"
Load = Callable[[str], ModuleType]


@pytest.fixture
def load() -> Iterator[Load]:
    """What imports a module of the benchmark; other folders have modules of the same names."""
    names = {file.stem for file in MACRO.glob("[!_]*.py")}
    others = {name: sys.modules.pop(name) for name in names & sys.modules.keys()}
    sys.path.insert(0, str(MACRO))
    yield importlib.import_module
    sys.path.remove(str(MACRO))
    for name in names & sys.modules.keys():
        del sys.modules[name]
    sys.modules.update(others)


@pytest.fixture
def results(load: Load) -> ModuleType:
    return load("results")


@pytest.fixture
def tables(load: Load) -> ModuleType:
    return load("tables")


def sample(number: int, cpu: float, *, run: str = "first") -> dict[str, Any]:
    """A thousand requests in a second, for so many microseconds of CPU each."""
    figures = {"requests": 1000, "seconds": 1.0, "cpu": cpu / 1000, "p99": 2.0}
    return {"run": run, "round": number, **figures}


def store_of(results: ModuleType, path: Path, **costs: list[float]) -> Any:
    """A store with the costs of each subject of `hello`, by round."""
    store = results.read(path / "none.json")
    for subject, figures in costs.items():
        for number, cost in enumerate(figures):
            results.add(store, "hello", subject, sample(number, cost))
    return store


def test_a_ratio_is_that_of_the_rounds_not_of_the_medians(results: ModuleType) -> None:
    ours = [sample(0, 10), sample(1, 30), sample(2, 20)]
    theirs = [sample(0, 20), sample(1, 20), sample(2, 100)]
    assert results.paired(ours, theirs, results.cpu) == pytest.approx((0.5, 0.2, 1.5, 3))


def test_samples_of_different_rounds_or_runs_have_no_ratio(results: ModuleType) -> None:
    ours = [sample(0, 10), sample(1, 10)]
    assert results.paired(ours, [sample(2, 10)], results.cpu) is None
    assert results.paired(ours, [sample(0, 10, run="second")], results.cpu) is None


def test_a_new_run_replaces_its_own_workload_and_subject_only(
    results: ModuleType, tmp_path: Path
) -> None:
    store = store_of(results, tmp_path, ohia=[10, 11], koa=[20])
    results.fail(store, "hello", "ohia", "first", "it broke")
    results.add(store, "hello", "ohia", sample(0, 5, run="second"))
    results.write(tmp_path / "kept.json", store)
    kept = results.read(tmp_path / "kept.json")
    assert kept["entries"]["hello"]["ohia"] == {
        "run": "second",
        "samples": [sample(0, 5, run="second")],
        "failures": [],
    }
    assert results.samples_of(kept, "hello", "koa") == [sample(0, 20)]


def test_a_run_that_fails_leaves_no_older_figures(results: ModuleType, tmp_path: Path) -> None:
    store = store_of(results, tmp_path, ohia=[10])
    results.fail(store, "hello", "ohia", "second", "no answer")
    assert results.samples_of(store, "hello", "ohia") == []


def test_a_workloads_table_has_the_cheapest_first(
    results: ModuleType, tables: ModuleType, tmp_path: Path
) -> None:
    stores = {"3.11": store_of(results, tmp_path, koa=[20, 40], ohia=[10, 10])}
    names = {"ohia": "ohia", "koa": "Koa"}
    assert tables.workload_table(
        stores, "hello", tables.Reference("hello", "koa"), names
    ).splitlines() == [
        "|  | requests/s | CPU us/request | of Koa | p99, ms | core |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| ohia | 1,000 | 10.0 | 0.38 (0.25 to 0.50) | 2.0 | 1% |",
        "| Koa | 1,000 | 30.0 | 1.00 (1.00 to 1.00) | 2.0 | 3% |",
    ]


def test_what_failed_is_listed_with_its_cause(
    results: ModuleType, tables: ModuleType, tmp_path: Path
) -> None:
    store = store_of(results, tmp_path, koa=[20])
    store["facts"]["left_out"] = ["nginx"]
    results.fail(store, "hello", "koa", "first", "ServerError: no answer\nTraceback\nKeyError: 1")
    assert tables.failure_list({"3.11": store}).splitlines() == [
        "- nginx, Python 3.11: not to be had on this machine.",
        "- koa, hello, Python 3.11, 1 of 2 samples: `ServerError: no answer ... KeyError: 1`",
    ]


def test_generated_parts_leave_the_words_around_them(load: Load) -> None:
    report = load("report")
    page = "Before.\n<!-- begin aims -->\nold\n<!-- end aims -->\nAfter.\n"
    filled = "Before.\n<!-- begin aims -->\n\nnew\n<!-- end aims -->\nAfter.\n"
    assert report.fill(page, {"aims": "new"}) == filled
    assert report.fill(filled, {"aims": "new"}) == filled
    with pytest.raises(ValueError, match="begin growth"):
        report.fill(page, {"growth": "new"})


def test_every_part_has_its_place_on_the_page(
    results: ModuleType, load: Load, tmp_path: Path
) -> None:
    report = load("report")
    store = store_of(results, tmp_path, ohia=[10], koa=[20])
    store["facts"] |= load("machine").facts() | {"versions": {}, "left_out": []}
    filled = report.fill(report.PAGE.read_text(), report.parts({"3.11": store}))
    assert "| hello, of Koa | 0.6 | 0.5 | 0.50, as aimed |" in filled
    assert report.bar_chart(store).startswith("<svg ")


def test_lines_of_a_chart_keep_their_names_apart(load: Load) -> None:
    chart = load("chart")
    assert chart.spread([50, 10, 12], least=14) == [50, 10, 24]
    lines = [chart.Line("ohia", "ohia", {1: 5.0, 10: 8.0}), chart.Line("koa", "node", {1: 9.0})]
    panel = chart.lines("Layers", "us", lines, powers=(True, False))
    assert panel.content.count("<polyline") == 2
