"""When the water is high: a small model of the harbour's tides."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, tau

LUNAR_DAY = timedelta(hours=24, minutes=50)


@dataclass(frozen=True)
class Constituent:
    """One wave of the tide, as the harbour office measured it."""

    name: str
    amplitude_m: float
    period: timedelta
    phase: float = 0.0

    def height_m(self, since: timedelta) -> float:
        turns = since / self.period - self.phase
        return self.amplitude_m * cos(tau * turns)


HARBOUR = (
    Constituent("M2", 1.42, LUNAR_DAY / 2),
    Constituent("S2", 0.48, timedelta(hours=12), phase=0.11),
    Constituent("K1", 0.12, timedelta(hours=23.93), phase=0.35),
)


def height_m(when: datetime, epoch: datetime) -> float:
    """The water above the chart's zero, in metres."""
    return 2.1 + sum(wave.height_m(when - epoch) for wave in HARBOUR)
