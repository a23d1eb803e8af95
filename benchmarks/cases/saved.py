"""Acknowledged edits: 100 documents with one client each, so that nothing but taking and acknowledging is measured."""

from dataclasses import asdict, replace

from benchmarks.figures import Bench, Case, Figure, Goal, Measured, Value
from benchmarks.load import Load, generate
from benchmarks.saturation import SAVES, saturate
from benchmarks.server import Failed, running
from benchmarks.targets import Target

_LOAD = Load(clients=1, documents=100)
_STEADY_RATE = 2000.0


def _acknowledging(target: Target) -> bool:
    return target.acknowledges


def _measure_most(bench: Bench, target: Target) -> Measured:
    load = replace(_LOAD, warmup_s=0.2, seconds=0.4) if bench.is_quick else _LOAD
    return {"saved: acknowledged/s": saturate(bench, target, load, name="saved", start=1000, wanted=SAVES)}


def _measure_steady(bench: Bench, target: Target) -> Measured:
    load = replace(_LOAD, rate=_STEADY_RATE, seconds=0.5 if bench.is_quick else 5.0)
    with running(bench.launcher, target) as server:
        outcome = generate(bench.launcher.cache, server, load)
    if outcome.saved.count < outcome.edits:
        raise Failed(f"{target.name} acknowledged {outcome.saved.count} of {outcome.edits} edits at 2,000 a second")
    return {"saved: p99 at 2,000/s": Value(outcome.saved.p99_ms, detail=asdict(outcome))}


CASES = (
    Case(
        "saved",
        (Figure("saved: acknowledged/s", "1/s", more_is_better=True, goals=(Goal(10_000),)),),
        _acknowledging,
        _measure_most,
    ),
    Case(
        "saved-steady",
        (Figure("saved: p99 at 2,000/s", "ms", more_is_better=False, goals=(Goal(50),)),),
        _acknowledging,
        _measure_steady,
    ),
)
