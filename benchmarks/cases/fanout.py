"""Edits to peers: one document with many clients, and many documents with two clients each. Everybody types."""

from dataclasses import asdict, replace

from benchmarks.figures import Bench, Case, Figure, Goal, Measured, Value
from benchmarks.load import Load, generate
from benchmarks.saturation import DELIVERIES, saturate
from benchmarks.server import Failed, running
from benchmarks.targets import Target

_MODERATE = Load(clients=100, rate=100.0, warmup_s=1.0, seconds=5.0)


def _everyone(_: Target) -> bool:
    return True


def _saturated(name: str, load: Load, *, start: float, goal: float) -> Case:
    figure = Figure(f"{name}: delivered/s", "1/s", more_is_better=True, goals=(Goal(goal, "best peer"),))

    def measure(bench: Bench, target: Target) -> Measured:
        sized = load
        if bench.is_quick:
            sized = replace(load, documents=min(load.documents, 10), warmup_s=0.2, seconds=0.4)
        return {figure.name: saturate(bench, target, sized, name=name, start=start, wanted=DELIVERIES)}

    return Case(name, (figure,), _everyone, measure)


def _measure_moderate(bench: Bench, target: Target) -> Measured:
    load = replace(_MODERATE, warmup_s=0.2, seconds=0.5) if bench.is_quick else _MODERATE
    with running(bench.launcher, target) as server:
        outcome = generate(bench.launcher.cache, server, load)
    if outcome.delivered < outcome.expected:
        raise Failed(f"{target.name} delivered {outcome.delivered} of {outcome.expected}")
    detail = asdict(outcome)
    return {
        "moderate: CPU": Value(1e6 * outcome.server_cpu_s / outcome.delivered_in_window, detail=detail),
        "moderate: p50": Value(outcome.latency.p50_ms),
        "moderate: p99": Value(outcome.latency.p99_ms),
    }


CASES = (
    _saturated("fanout-10", Load(clients=10), start=1000, goal=1.5),
    _saturated("fanout-100", Load(clients=100), start=100, goal=3),
    _saturated("fanout-500", Load(clients=500), start=20, goal=3),
    Case(
        "moderate",
        (
            Figure("moderate: CPU", "s per million", False, (Goal(0.6, "best peer"), Goal(1.6, "relay"))),
            Figure("moderate: p50", "ms", False, (Goal(1.5, "relay"),)),
            Figure("moderate: p99", "ms", False, (Goal(0.5, "best peer"),)),
        ),
        _everyone,
        _measure_moderate,
    ),
    _saturated("documents", Load(clients=2, documents=500), start=1000, goal=5),
)
