"""The event loop of a server of its own.

1. However many sockets have something, a turn looks after some of them. asyncio asks the system for all that are ready
   and handles them before it looks at anything else: where 500 clients bring 100 edits each, that is 50,000 edits in
   one turn, others wait for it, and to the watchdog the server stands still. The system hands out those that are ready
   in their order, so that nobody is passed over.
2. What is to be done at the end of a turn is done there, not in a turn of its own after the system was asked again.
3. What waits for a socket to have something is called when the system says that it has. asyncio makes a key, an event
   and an entry of its queue of that first, each time, and runs it in a context: eight calls of Python.
4. While nothing else is to be done, the system is asked again at once: back through asyncio are sixteen more.
5. Of asyncio's own steps few are taken in a turn, and while more wait it is told of nothing new, for some turns. Else a
   turn holds what all of a crowd's handshakes and requests have come to, and who types waits for 27 of them.
"""

import asyncio
import select
import selectors
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

SOCKETS_PER_TURN = 128
STEPS_PER_TURN = 2
"""Of asyncio's: of a request or a handshake one takes up to 0.5 ms."""
OTHERS_PER_TURN = 1
"""Of the sockets that asyncio waits for."""
SOCKETS_PER_SHARE = 8
"""Where more are heard a turn is longer, and holds more of asyncio's for each so many: else that got ever less time."""
PASSED_OVER_TURNS = 16
"""So many in a row at most: there may be work that has a step in each."""


class ServerLoop(asyncio.SelectorEventLoop):
    """Elsewhere `call_soon` does what `call_last` does here, in the next turn, and `add_reader` what `watch` does."""

    def __init__(self) -> None:
        selector = selectors.DefaultSelector()
        self._some: _Some | None = None
        if hasattr(selectors, "EpollSelector") and isinstance(selector, selectors.EpollSelector):
            self._some = selector._selector = _Some(selector._selector, self._hear, self._idle_s)  # type: ignore[attr-defined]  # its `select.epoll`
        super().__init__(selector)
        if self._some is not None:  # else what is watched takes steps, too
            self._ready = self._some.ready  # asyncio's name for its queue, the same in all versions so far
        self._last: list[Callable[[], object]] = []

    def watch(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call this in each turn in which there is something to read, until `unwatch`, before it is closed."""
        if self._some is None:
            self.add_reader(descriptor, callback)
        else:
            self._some.watch(descriptor, callback)

    def unwatch(self, descriptor: int) -> None:
        """Also of one that is not watched."""
        if self._some is None:
            self.remove_reader(descriptor)
        else:
            self._some.unwatch(descriptor)

    def call_last(self, callback: Callable[[], object]) -> None:
        """Call this at the end of the turn that is under way, or of the next one where that is at its end."""
        self._last.append(callback)

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]  # asyncio's own name for a turn, the same in all versions so far
        self._end_turn()

    def _hear(self, came: list[int]) -> None:
        """Call those who wait for these, before asyncio looks at anything else, and end the turn for them."""
        assert self._some is not None
        watched = self._some.watched
        for descriptor in came:
            if callback := watched.get(descriptor):  # else another of them has ended that
                try:
                    callback()
                except BaseException as error:  # noqa: BLE001  # pycrdt's panic is one
                    self._tell_of(error, "what was to be read was not")
        self._end_turn()

    def _idle_s(self) -> float | None:
        """How long asyncio has nothing to do, as it reckons before it asks the system; None: until something comes."""
        if self._ready or self._stopping:  # type: ignore[attr-defined]  # asyncio's, as is the next, the same in all versions so far
            return 0.0
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return max(0.0, timers[0].when() - self.time()) if timers else None

    def _end_turn(self) -> None:
        if not self._last:
            return
        due, self._last = self._last, []
        for callback in due:
            try:
                callback()
            except BaseException as error:  # noqa: BLE001  # pycrdt's panic is one
                self._tell_of(error, "the end of a turn failed")
        if self._last:  # which is not to wait until something else happens
            self.call_soon(_nothing)

    def _tell_of(self, error: BaseException, message: str) -> None:
        """As asyncio tells of what its own callbacks raise."""
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise error
        self.call_exception_handler({"message": message, "exception": error})


class _Ready(deque[asyncio.Handle]):
    """asyncio's queue. It does as much in a turn as it finds there, and finds no more than it may do.

    Nothing is taken out for that: other threads put commits into it meanwhile, and all are to stay in their order.
    """

    most = STEPS_PER_TURN

    def __len__(self) -> int:
        return min(super().__len__(), self.most)


class _Some:
    """An `epoll` that tells of some at a time, and asyncio only of those that asyncio waits for, of few."""

    def __init__(self, epoll: Any, hear: Callable[[list[int]], None], idle_s: Callable[[], float | None]) -> None:
        self._epoll = epoll
        self._hear = hear
        self._idle_s = idle_s
        self._passed_over = 0
        self.ready = _Ready()
        self._others: dict[int, int] = {}  # what asyncio is to be told of, and what of each
        self.watched: dict[int, Callable[[], object]] = {}
        for name in ("register", "modify", "close", "fileno"):
            setattr(self, name, getattr(epoll, name))

    def unregister(self, descriptor: int) -> None:
        self._others.pop(descriptor, None)
        self._epoll.unregister(descriptor)

    def watch(self, descriptor: int, callback: Callable[[], object]) -> None:
        if descriptor not in self.watched:
            self._epoll.register(descriptor, select.EPOLLIN)
        self.watched[descriptor] = callback

    def unwatch(self, descriptor: int) -> None:
        if self.watched.pop(descriptor, None):
            self._epoll.unregister(descriptor)

    def poll(self, timeout_s: float | None, _: int) -> list[tuple[int, int]]:
        while True:
            came: list[int] = []
            for descriptor, events in self._epoll.poll(0.0 if self._others else timeout_s, SOCKETS_PER_TURN):
                if descriptor in self.watched:
                    came.append(descriptor)
                else:
                    self._others[descriptor] = events
            if came:
                self._hear(came)
                timeout_s = self._idle_s()
            if self._others or not came or timeout_s == 0.0:
                return self._take_others(max(1, len(came) // SOCKETS_PER_SHARE))

    def _take_others(self, share: int) -> list[tuple[int, int]]:
        self.ready.most = STEPS_PER_TURN * share
        if len(self.ready) == self.ready.most and self._passed_over < PASSED_OVER_TURNS:
            self._passed_over += 1
            return []
        self._passed_over = 0
        taken = list(islice(self._others.items(), OTHERS_PER_TURN * share))
        for descriptor, _ in taken:
            del self._others[descriptor]
        return taken


def _nothing() -> None: ...
