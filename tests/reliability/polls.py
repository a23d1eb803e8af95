"""What an event loop asks the system, for programs that look at it or keep the time: a subclass of `Poll`.

Not the selector's `select`: the server's own loop hears sockets inside of that, and asks again before it returns.
"""

import select
import selectors
from contextlib import AbstractContextManager
from unittest.mock import patch


class Poll:
    """`select.epoll`, of which there are no subclasses."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        for name in ("register", "unregister", "modify", "close", "fileno"):
            setattr(self, name, getattr(self._epoll, name))

    def poll(self, timeout_s: float | None, most: int) -> list[tuple[int, int]]:
        return self._epoll.poll(timeout_s, most)


def asked_by(poll: type[Poll]) -> AbstractContextManager[object]:
    """Every loop that is made meanwhile asks the system by this."""
    return patch.object(selectors.EpollSelector, "_selector_cls", poll)  # its name in all versions so far
