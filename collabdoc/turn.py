"""The end of a turn of the event loop: what was asked for during it is done once, together and in order.

1. Documents hand out what they gathered, then sockets send what they were handed, then the log gets it: peers never
   wait for the writer's thread to be woken.
2. One callback serves all of them: of a thousand documents or sockets each costs a place in a list.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

_Item = TypeVar("_Item", bound=Hashable)


class Stage(Generic[_Item]):
    """One kind of work. Its owner says once how it is done, `do(items)`, which raises nothing that it can help."""

    __slots__ = ("_due", "_schedule", "do")

    def __init__(self, schedule: Callable[[], None]) -> None:
        self._schedule = schedule
        self._due: dict[_Item, None] = {}
        self.do: Callable[[Collection[_Item]], None] | None = None

    def add(self, item: _Item) -> None:
        """Do it with this item, too, at the end of this turn."""
        if not self._due:
            self._schedule()
        self._due[item] = None

    def run(self) -> None:
        if not self._due:
            return
        due, self._due = self._due, {}
        assert self.do is not None
        try:
            self.do(due)
        except Exception:
            log.exception("the end of a turn was not seen to")


class Turn:
    """The stages of one loop."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._call_last = getattr(loop, "call_last", loop.call_soon)
        self._is_scheduled = False
        self.flush: Stage[Any] = Stage(self._schedule)
        """Of documents."""
        self.send: Stage[Any] = Stage(self._schedule)
        """Of sockets."""
        self.store: Stage[Any] = Stage(self._schedule)
        """Of edits."""
        self.read_s = 0.0
        """The processor's time that was spent in this turn on reading documents for those who open them or lag."""

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._call_last(self._run)

    def _run(self) -> None:
        try:
            self.flush.run()
            self.send.run()
            self.store.run()
        finally:  # a panic of pycrdt is no `Exception`, and is not to silence every document
            self._is_scheduled = False
            self.read_s = 0.0
            # What a stage left for one before it.
            if self.flush._due or self.send._due or self.store._due:
                self._schedule()
