"""`python -m benchmarks.plot RESULTS.json > plot.svg`: a bar for each server, for each figure."""

import html
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.figures import Figure, Value
from benchmarks.report import OURS, Results, medians

_WIDTH, _BAR, _GAP, _NAMES, _NUMBERS = 760, 16, 4, 170, 110
_OURS_COLOUR, _OTHERS_COLOUR = "#2563eb", "#94a3b8"


def read(path: Path) -> Results:
    """The results of a run as it wrote them."""
    told = json.loads(path.read_text())["results"]
    return {
        case: {
            target: [{name: Value(**value) for name, value in run.items()} for run in runs]
            for target, runs in by_target.items()
        }
        for case, by_target in told.items()
    }


def svg(results: Results) -> str:
    """One panel below the other."""
    parts: list[str] = []
    top = 10
    for case in CASES.values():
        for figure in case.figures:
            values = medians(results, case, figure)
            if len(values) > 1:
                parts += _panel(figure, values, top)
                top += 30 + len(values) * (_BAR + _GAP) + 14
    size = f'width="{_WIDTH}" height="{top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    return "\n".join([head, f'<rect {size} fill="white"/>', *parts, "</svg>"])


def _panel(figure: Figure, values: dict[str, Value], top: int) -> Iterator[str]:
    better = "more is better" if figure.more_is_better else "less is better"
    yield f'<text x="10" y="{top + 14}" font-weight="bold">{html.escape(figure.name)} ({figure.unit}; {better})</text>'
    longest = max(value.value for value in values.values()) or 1
    for row, (name, value) in enumerate(values.items()):
        y = top + 24 + row * (_BAR + _GAP)
        width = (_WIDTH - _NAMES - _NUMBERS) * value.value / longest
        colour = _OURS_COLOUR if name == OURS else _OTHERS_COLOUR
        told = ("≥ " if value.is_lower_bound else "") + f"{value.value:,.2f}".rstrip("0").rstrip(".")
        yield f'<text x="{_NAMES - 8}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>'
        yield f'<rect x="{_NAMES}" y="{y}" width="{max(width, 1):.1f}" height="{_BAR}" fill="{colour}"/>'
        yield f'<text x="{_NAMES + width + 6:.1f}" y="{y + 12}">{told}</text>'


if __name__ == "__main__":
    print(svg(read(Path(sys.argv[1]))))
