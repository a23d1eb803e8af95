"""Medians over the runs, and the table: one row for each figure, what is asked of it beside it."""

from collections.abc import Sequence
from statistics import median

from benchmarks.figures import Case, Figure, Goal, Measured, Value
from benchmarks.targets import TARGETS

Results = dict[str, dict[str, list[Measured]]]
"""By case, then by target: one `Measured` for each run."""

OURS = "collabdoc"


def medians(results: Results, case: Case, figure: Figure) -> dict[str, Value]:
    """By target; a lower bound where one of the runs was one."""
    found = {}
    for target, runs in results.get(case.name, {}).items():
        values = [run[figure.name] for run in runs if figure.name in run]
        if values:
            middle = median(value.value for value in values)
            found[target] = Value(middle, any(value.is_lower_bound for value in values))
    return found


def best_peer(values: dict[str, Value], figure: Figure) -> str | None:
    """Of the servers with a document and without persistence."""
    names = [
        name
        for name in values
        if not TARGETS[name].is_ours and not TARGETS[name].persists and TARGETS[name].has_document
    ]
    choose = max if figure.more_is_better else min
    return choose(names, key=lambda name: values[name].value, default=None)


def table(results: Results, cases: Sequence[Case]) -> str:
    """In Markdown, with columns that line up as plain text too."""
    others = [name for name in TARGETS if name != OURS and any(name in results.get(case.name, {}) for case in cases)]
    rows = [["figure", "unit", OURS, "x best peer", "x relay", "asked", "reached", *others]]
    for case in cases:
        for figure in case.figures:
            values = medians(results, case, figure)
            if values:
                rows.append([*_own_columns(values, figure), *(_written(values.get(name)) for name in others)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _own_columns(values: dict[str, Value], figure: Figure) -> list[str]:
    own, relay = values.get(OURS), values.get("relay")
    best = best_peer(values, figure)
    peer = values[best] if best else None
    compared = {"best peer": peer, "relay": relay, "itself": None}
    asked = " and ".join(_asked(goal, figure) for goal in figure.goals)
    reached = [_is_reached(own, goal, compared[goal.of], figure) for goal in figure.goals]
    verdict = "" if None in reached or not reached else "yes" if all(reached) else "no"
    return [figure.name, figure.unit, _written(own), _ratio(own, peer), _ratio(own, relay), asked, verdict]


def _asked(goal: Goal, figure: Figure) -> str:
    bound = "at least" if figure.more_is_better else "at most"
    return f"{bound} {goal.amount:,g}" + ("" if goal.of == "itself" else f"x {goal.of}")


def _is_reached(own: Value | None, goal: Goal, other: Value | None, figure: Figure) -> bool | None:
    """None where it cannot be said."""
    if own is None or (other is None and goal.of != "itself"):
        return None
    bound = goal.amount * (other.value if other else 1)
    return own.value >= bound if figure.more_is_better else own.value <= bound


def _ratio(own: Value | None, other: Value | None) -> str:
    return f"{own.value / other.value:.2f}" if own and other and other.value else ""


def _written(value: Value | None) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value.value) >= 1000 else 1 if abs(value.value) >= 100 else 2
    return (">= " if value.is_lower_bound else "") + f"{value.value:,.{digits}f}"
