"""Long work of one loop, a slice of it in a turn: between two slices everybody else is served.

1. A turn of the loop holds at most one slice, however much there is to do; who has more than that takes turns.
2. A step that cannot be cut any shorter is followed by a rest as long as it took itself.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from collabdoc.steps import Steps

SLICE_S = 0.005


class Lane:
    """For all documents of one loop."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Steps[None], asyncio.Future[None]]] = deque()
        self._is_scheduled = False

    async def run(self, steps: Steps[None]) -> None:
        """Take all steps. Raises what they raise."""
        done = self._loop.create_future()
        self._waiting.append((steps, done))
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._take_slice)
        await done

    def _take_slice(self) -> None:
        began_s = self._monotonic()
        until_s = began_s + SLICE_S
        while self._waiting and self._monotonic() < until_s:
            steps, done = self._waiting.popleft()
            if done.done():  # whoever awaits it was cancelled
                continue
            try:
                if any(self._monotonic() >= until_s for _ in steps):
                    self._waiting.append((steps, done))
                else:
                    done.set_result(None)
            except BaseException as error:  # noqa: BLE001  # handed to whoever awaits it
                done.set_exception(error)
        took_s = self._monotonic() - began_s
        self._is_scheduled = bool(self._waiting)
        if self._waiting:
            self._loop.call_later(took_s if took_s > 2 * SLICE_S else 0, self._take_slice)
