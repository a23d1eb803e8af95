"""The event loop of a server of its own: however many sockets have something, a turn looks after some of them.

asyncio asks the system for all that are ready and handles them before it looks at anything else. Where 500 clients
bring 100 edits each, that is 50,000 edits in one turn: others wait for it, and to the watchdog the server stands still.
The system hands out those that are ready in their order, so that nobody is passed over.
"""

import asyncio
import selectors
from typing import Any

SOCKETS_PER_TURN = 128


def new_event_loop() -> asyncio.AbstractEventLoop:
    selector = selectors.DefaultSelector()
    if hasattr(selectors, "EpollSelector") and isinstance(selector, selectors.EpollSelector):
        selector._selector = _Some(selector._selector)  # type: ignore[attr-defined]  # its `select.epoll`
    return asyncio.SelectorEventLoop(selector)


class _Some:
    """An `epoll` that tells of some at a time."""

    def __init__(self, epoll: Any) -> None:
        self._epoll = epoll
        for name in ("register", "unregister", "modify", "close", "fileno"):
            setattr(self, name, getattr(epoll, name))

    def poll(self, timeout_s: float | None, most: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = self._epoll.poll(timeout_s, min(most, SOCKETS_PER_TURN))
        return found
