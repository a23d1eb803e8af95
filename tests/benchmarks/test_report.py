"""The table: medians, ratios, and whether what was asked is reached."""

from xml.etree import ElementTree

from benchmarks.figures import Case, Figure, Goal, Measured, Value
from benchmarks.plot import svg
from benchmarks.report import Results, best_peer, medians, table

SPEED = Figure("speed", "1/s", more_is_better=True, goals=(Goal(2, "best peer"),))
DELAY = Figure("delay", "ms", more_is_better=False, goals=(Goal(1.5, "relay"), Goal(0.5, "best peer")))
CASE = Case("case", (SPEED, DELAY), lambda _: True, lambda *_: {})


def runs(*speeds: float, delay: float = 1) -> list[Measured]:
    return [{"speed": Value(speed), "delay": Value(delay)} for speed in speeds]


RESULTS: Results = {
    "case": {
        "collabdoc": runs(10, 900, 300, delay=3),
        "hocuspocus": runs(100, delay=4),
        "hocuspocus-sqlite": runs(5000),
        "y-websocket": runs(50, delay=8),
        "tornado": runs(6000),
        "relay": runs(1000, delay=2),
    }
}


def cells(row: int) -> list[str]:
    return [cell.strip() for cell in table(RESULTS, [CASE]).splitlines()[row].split("|")[1:-1]]


def test_the_median_of_the_runs_counts_and_stays_a_lower_bound() -> None:
    assert medians(RESULTS, CASE, SPEED)["collabdoc"] == Value(300)
    bounded: Results = {"case": {"relay": [{"speed": Value(1)}, {"speed": Value(3, is_lower_bound=True)}]}}
    assert medians(bounded, CASE, SPEED)["relay"] == Value(2, is_lower_bound=True)
    assert ">= 2.00" in table(bounded, [CASE])


def test_the_best_peer_has_a_document_and_no_persistence() -> None:
    assert best_peer(medians(RESULTS, CASE, SPEED), SPEED) == "hocuspocus"


def test_a_row_says_ratios_and_whether_all_that_is_asked_is_reached() -> None:
    assert cells(2)[:7] == ["speed", "1/s", "300.0", "3.00", "0.30", "at least 2x best peer", "yes"]
    asked = "at most 1.5x relay and at most 0.5x best peer"
    assert cells(3)[:7] == ["delay", "ms", "3.00", "0.75", "1.50", asked, "no"]


def test_what_cannot_be_compared_is_left_open() -> None:
    alone: Results = {"case": {"collabdoc": runs(300)}}
    row = table(alone, [CASE]).splitlines()[2].split("|")
    assert [cell.strip() for cell in row[4:8]] == ["", "", "at least 2x best peer", ""]


def test_a_plot_has_a_bar_for_each_server_of_a_figure() -> None:
    speeds: dict[str, list[Measured]] = {
        name: [{"fanout-10: delivered/s": Value(value)}] for name, value in {"collabdoc": 10, "relay": 20}.items()
    }
    drawing = ElementTree.fromstring(svg({"fanout-10": speeds}))
    bars = [rect.get("width") for rect in drawing.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert len(bars) == 2
    assert float(bars[1] or 0) == 2 * float(bars[0] or 0)
