"""The end of a turn of the event loop: what was asked for during it is done once, together."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

_Item = TypeVar("_Item", bound=Hashable)


class Turn(Generic[_Item]):
    """Does one thing with each of the items that were added, in their order, before the loop waits again.

    One callback serves all of them: of a thousand documents or sockets each costs a place in a list.
    """

    def __init__(self, do: Callable[[_Item], None]) -> None:
        self._do = do
        self._loop = asyncio.get_running_loop()
        self._due: dict[_Item, None] = {}

    def add(self, item: _Item) -> None:
        if not self._due:
            self._loop.call_soon(self._run)
        self._due[item] = None

    def _run(self) -> None:
        due, self._due = self._due, {}
        for item in due:
            try:
                self._do(item)
            except Exception:
                log.exception("%r could not be seen to", item)
