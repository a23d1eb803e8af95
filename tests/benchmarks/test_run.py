"""`python -m benchmarks.run`, as an owner runs it."""

import json
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.install import Cache

CASES = ("fanout-10", "idle", "rejoin", "open")


def test_a_quick_run_gives_every_figure_of_collabdoc_and_the_relay(
    cache: Cache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [part for case in CASES for part in ("--case", case)]
    code = run.main(["--quick", "--json", "--cache", str(cache.folder), "--results", str(tmp_path), *cases])
    told = capsys.readouterr()
    assert code == 0, told.err
    report = json.loads(told.out)
    assert report["failures"] == []
    measured = {case: sorted(by_target) for case, by_target in report["results"].items()}
    both, ours = ["collabdoc", "relay"], ["collabdoc"]
    assert measured == {"fanout-10": both, "idle": both, "rejoin": ours, "open": ours}
    figures = {name: value for results in report["results"].values() for name, value in results["collabdoc"][0].items()}
    # Two programs that use a library are charged half of it each: another test starts a server, and this one shrinks.
    idle = figures.pop("idle: memory")
    assert idle["detail"]["Rss"] > 0
    assert {name: value["value"] for name, value in figures.items() if value["value"] <= 0} == {}
    assert json.loads(next(tmp_path.iterdir()).read_text()) == report


def test_a_case_that_nobody_knows_is_refused_with_the_names_of_those_that_exist() -> None:
    with pytest.raises(SystemExit, match=r"no case is called fanout-7; there are: fanout-10, "):
        run.main(["--case", "fanout-7"])
