"""What a case gives: figures, and what is asked of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.targets import Launcher, Target


@dataclass(frozen=True, slots=True)
class Value:
    """One measured number. `is_lower_bound`: the generator was the limit. `detail` goes into the JSON alone."""

    value: float
    is_lower_bound: bool = False
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Goal:
    """`amount` times the best peer without persistence, times the relay, or in the figure's own unit."""

    amount: float
    of: Literal["best peer", "relay", "itself"] = "itself"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `goals` are at least or at most, by whether `more_is_better`."""

    name: str
    unit: str
    more_is_better: bool
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """What a case needs. `best_before` remembers the rate that a target bore, so that the next run begins near it."""

    launcher: Launcher
    is_quick: bool = False
    best_before: dict[tuple[str, str], float] = field(default_factory=dict)


Measured = dict[str, Value]
"""Of one run of one case against one target, by the name of the figure."""


@dataclass(frozen=True, slots=True)
class Case:
    """`measure` starts the target itself, as often as it needs to."""

    name: str
    figures: tuple[Figure, ...]
    applies_to: Callable[[Target], bool]
    measure: Callable[[Bench, Target], Measured]
