"""The highest rate that a server bears: doubled until it does not, then halved in between.

1. Borne means: everything arrived, 99 % of it within 200 ms of when it was due, and what is outstanding did not grow.
2. A rate counts as too high only when it failed twice: a shared machine stumbles.
3. A server that failed is started anew, so that no step pays for an earlier one's backlog. A new server gets a second
   of light load first, because V8 compiles what has become hot.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from math import inf, sqrt

from benchmarks.figures import Bench, Value
from benchmarks.install import say
from benchmarks.load import Latency, Load, Outcome, generate
from benchmarks.server import Failed, Server, running
from benchmarks.targets import Target

MOST_P99_MS = 200.0
_WARM_UP_SHARE = 0.25
_GROWTH, _GROWTH_NEAR = 2.0, 1.2
_PRECISION = 1.06
_QUICK_STEPS = 2
_QUICK_MOST_P99_MS = 60_000.0  # whether it works at all, on a machine that others use
_LEAST_RATE = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the search is for: `latency` that is bounded, and `per_s` that is reported."""

    latency: Callable[[Outcome], Latency]
    expected: Callable[[Outcome], int]
    per_s: Callable[[Outcome], float]


DELIVERIES = Wanted(lambda outcome: outcome.latency, lambda outcome: outcome.expected, lambda o: o.delivered_per_s)
SAVES = Wanted(lambda outcome: outcome.saved, lambda outcome: outcome.edits, lambda o: o.saved_per_s)


def is_borne(outcome: Outcome, wanted: Wanted, most_p99_ms: float = MOST_P99_MS) -> bool:
    """Whether the server kept up."""
    latency = wanted.latency(outcome)
    growth = outcome.backlog_end - outcome.backlog_middle
    return (
        latency.count >= wanted.expected(outcome)
        and latency.p99_ms < most_p99_ms
        and growth <= outcome.expected / outcome.seconds * most_p99_ms / 1000
        and not outcome.failure
    )


def next_rate(low: float, high: float, growth: float) -> float:
    """The rate to try after `low` was borne (0: none yet) and `high` was too much (infinite: none yet)."""
    if high == inf:
        return low * growth
    return sqrt(low * high) if low else high / growth


def saturate(bench: Bench, target: Target, load: Load, *, name: str, start: float, wanted: Wanted) -> Value:
    """`name` of the case remembers where the search ended; `start` is the first rate of the first run."""
    known = bench.best_before.get((name, target.name))
    growth = _GROWTH_NEAR if known else _GROWTH
    low, high, best, is_lower_bound = 0.0, inf, None, False
    with _Steps(bench, target, load, wanted) as steps:
        rate = known or start
        while high / (low or 1e-9) > _PRECISION:
            outcome = steps.take(rate) or (None if bench.is_quick else steps.take(rate))
            was_busy = steps.generator_was_busy
            if outcome:
                low, best = rate, outcome
                is_lower_bound = is_lower_bound or was_busy
            else:
                high, is_lower_bound = rate, was_busy  # what is too much may be so for the generator
            if (best is None and rate < _LEAST_RATE) or (bench.is_quick and steps.taken >= _QUICK_STEPS):
                break
            rate = next_rate(low, high, growth)
    if best is None:
        raise Failed(f"{target.name} bore no rate of {name}, down to {high:.0f} edits/s")
    bench.best_before[name, target.name] = low
    return Value(wanted.per_s(best), is_lower_bound or high == inf, {"rate": low, **asdict(best)})


class _Steps:
    """One server for as long as it bears what it gets."""

    def __init__(self, bench: Bench, target: Target, load: Load, wanted: Wanted) -> None:
        self._bench = bench
        self._target = target
        self._load = load
        self._wanted = wanted
        self._stack = ExitStack()
        self._server: Server | None = None
        self.taken = 0
        self.generator_was_busy = False

    def __enter__(self) -> "_Steps":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take(self, rate: float) -> Outcome | None:
        """The outcome, where the server bore the rate."""
        outcome = None
        is_new = self._server is None
        if self._server is None:
            self._server = self._stack.enter_context(running(self._bench.launcher, self._target))
        try:
            if is_new and not self._bench.is_quick:
                self._generate(self._server, rate * _WARM_UP_SHARE)
            outcome = self._generate(self._server, rate)
        except Failed as failed:
            say(f"    {rate:,.0f} edits/s: {failed}")
        most_p99_ms = _QUICK_MOST_P99_MS if self._bench.is_quick else MOST_P99_MS
        borne = outcome is not None and is_borne(outcome, self._wanted, most_p99_ms)
        if outcome is not None:
            self.generator_was_busy = outcome.generator_was_busy
            say(f"    {rate:,.0f} edits/s: {'borne' if borne else 'too much'}, {_told(outcome, self._wanted)}")
        if not borne:
            self._stop()
        return outcome if borne else None

    def _generate(self, server: Server, rate: float) -> Outcome:
        self.taken += 1
        clients = self._load.documents * self._load.clients
        load = replace(
            self._load,
            rate=rate,
            document=f"{self._load.document}-{self.taken}",
            first_client_id=self._load.first_client_id + self.taken * clients,
        )
        return generate(self._bench.launcher.cache, server, load)

    def _stop(self) -> None:
        self._server = None
        try:
            self._stack.close()
        except Failed as failed:
            say(f"    {failed}")


def _told(outcome: Outcome, wanted: Wanted) -> str:
    latency = wanted.latency(outcome)
    missing = wanted.expected(outcome) - latency.count
    return (
        f"{wanted.per_s(outcome):,.0f}/s, p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms, {missing} missing, "
        f"generator {outcome.generator_cpu_share:.0%}, server {outcome.server_cpu_s / outcome.seconds:.0%}, "
        f"others on its core {outcome.others_cpu_s / outcome.seconds:.0%}"
        + (f", {outcome.failure}" if outcome.failure else "")
    )
