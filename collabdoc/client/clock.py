"""What the client takes from the world it runs in: time, chance and timers. A test brings its own."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    def now_s(self) -> float:
        """Seconds since whenever."""

    def random(self) -> float:
        """At least 0, less than 1."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer: ...


class LoopClock:
    """The running loop's."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now_s(self) -> float:
        return self._loop.time()

    def random(self) -> float:
        return random.random()  # noqa: S311  # spreads load, hides nothing

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_s, callback)
