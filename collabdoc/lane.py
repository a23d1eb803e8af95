"""Long work of one loop, a slice of it in a turn: between two slices everybody else is served.

1. A turn of the loop holds at most one slice, and one of what has just begun, however much there is to do; who has more
   than that takes turns. A slice is about as long as others took of the processor since the last, within bounds: where
   little else is to be done nobody waits long, and where much is, what is long gets half of the time, or some less.
2. A step that could not be cut any shorter is followed by a rest, of its owner and of all who took such a step, so that
   they have one part in ten of the loop's time together.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from collabdoc.steps import Steps

SLICE_S, SHORTEST_SLICE_S = 0.001, 0.0005
LONG_S = 0.02
"""A step that takes the processor longer is followed by a rest."""
_REST = 9
"""How many times as long the rest is."""

_Work = tuple[Steps[None], "asyncio.Future[None]"]


class Lane:
    """For all documents and sockets of one loop."""

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, cpu_s: Callable[[], float] = time.thread_time
    ) -> None:
        """`cpu_s` is the processor's time: where the machine is busy with others, nobody here is to rest for it."""
        self._monotonic = monotonic
        self._cpu_s = cpu_s
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Work] = deque()
        self._resting: deque[_Work] = deque()
        self._rested_s = 0.0
        self._since_cpu_s = 0.0  # when others had their turn again
        self._timer: asyncio.Handle | None = None
        self._is_next = False  # in the next turn, whatever comes
        self._at_once_until_s: float | None = None  # in this turn

    async def run(self, steps: Steps[None]) -> None:
        """Take all steps: at once if a turn's first slice has time for it, else in turn. Raises what they raise."""
        until_s = self._at_once_until_s
        if until_s is None:
            until_s = self._at_once_until_s = self._monotonic() + SLICE_S
            self._loop.call_soon(self._end_turn)
        if self._monotonic() >= until_s or any(self._monotonic() >= until_s for _ in steps):
            await self.start(steps)

    def start(self, steps: Steps[None], *, is_slow: bool = False) -> "asyncio.Future[None]":
        """Take all steps, from the next turn on. The future is done after the last, or raises what one raised.

        What is known to be slow waits until all that was slow has been rested for.
        """
        work = steps, self._loop.create_future()
        if not self._waiting:
            self._since_cpu_s = self._cpu_s()
        (self._resting if is_slow else self._waiting).append(work)
        self._schedule()
        return work[1]

    def rest(self, took_s: float) -> bool:
        """Count what was done in one go; whether it was slow."""
        is_slow = took_s > LONG_S
        if is_slow:
            self._rested_s = max(self._rested_s, self._monotonic()) + _REST * took_s
        return is_slow

    def _end_turn(self) -> None:
        self._at_once_until_s = None

    def _schedule(self) -> None:
        if self._is_next:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._waiting:
            self._timer = self._loop.call_later(0, self._let_pass)
        elif self._resting:
            self._timer = self._loop.call_later(self._rested_s - self._monotonic(), self._let_pass)

    def _let_pass(self) -> None:
        # What was just read goes out at the beginning of the next turn: before this, not after it.
        self._timer, self._is_next = None, True
        self._loop.call_soon(self._take_slice)

    def _take_slice(self) -> None:
        self._is_next = False
        # By the clock others seem to have taken long where it was other programs that did.
        others_s = self._cpu_s() - self._since_cpu_s
        until_s = self._monotonic() + min(max(others_s, SHORTEST_SLICE_S), SLICE_S)
        if self._resting and self._rested_s <= until_s:
            self._waiting.appendleft(self._resting.popleft())
        while self._waiting:
            self._take(self._waiting.popleft(), until_s)
            if self._monotonic() >= until_s:
                break
        self._since_cpu_s = self._cpu_s()
        self._schedule()

    def _take(self, work: _Work, until_s: float) -> None:
        steps, done = work
        if done.done():  # whoever waits for it was cancelled
            return
        began_s = self._cpu_s()
        error: BaseException | None = None
        has_more = False
        try:
            has_more = any(self._monotonic() >= until_s for _ in steps)
        except BaseException as raised:  # noqa: BLE001  # handed to whoever waits for it
            error = raised
        is_slow = self.rest(self._cpu_s() - began_s)
        if has_more:
            (self._resting if is_slow else self._waiting).append(work)
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(None)
