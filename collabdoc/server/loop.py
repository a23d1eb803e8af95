"""The event loop of a server of its own.

1. However many sockets have something, a turn looks after some of them. asyncio asks the system for all that are ready
   and handles them before it looks at anything else: where 500 clients bring 100 edits each, that is 50,000 edits in
   one turn, others wait for it, and to the watchdog the server stands still. The system hands out those that are ready
   in their order, so that nobody is passed over.
2. What is to be done at the end of a turn is done there, not in a turn of its own after the system was asked again.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

SOCKETS_PER_TURN = 128


class ServerLoop(asyncio.SelectorEventLoop):
    """Elsewhere `call_soon` does what `call_last` does here, in the next turn."""

    def __init__(self) -> None:
        selector = selectors.DefaultSelector()
        if hasattr(selectors, "EpollSelector") and isinstance(selector, selectors.EpollSelector):
            selector._selector = _Some(selector._selector)  # type: ignore[attr-defined]  # its `select.epoll`
        super().__init__(selector)
        self._last: list[Callable[[], object]] = []

    def call_last(self, callback: Callable[[], object]) -> None:
        """Call this at the end of the turn that is under way, or of the next one where that is at its end."""
        self._last.append(callback)

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]  # asyncio's own name for a turn, the same in all versions so far
        if not self._last:
            return
        due, self._last = self._last, []
        for callback in due:
            try:
                callback()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001  # pycrdt's panic is one; asyncio tells of it in the same way
                self.call_exception_handler({"message": "the end of a turn failed", "exception": error})
        if self._last:  # which is not to wait until something else happens
            self.call_soon(_nothing)


class _Some:
    """An `epoll` that tells of some at a time."""

    def __init__(self, epoll: Any) -> None:
        self._epoll = epoll
        for name in ("register", "unregister", "modify", "close", "fileno"):
            setattr(self, name, getattr(epoll, name))

    def poll(self, timeout_s: float | None, most: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = self._epoll.poll(timeout_s, min(most, SOCKETS_PER_TURN))
        return found


def _nothing() -> None: ...
