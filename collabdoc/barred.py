"""Documents that nobody gets until the server's operator has seen to them: what is stored of them is damaged, or the
server stood still over them.
"""

import math
from collections.abc import Callable

from collabdoc.errors import Unreadable
from collabdoc.quarantine import Quarantine

_LOOK_AGAIN_S = 60.0
"""Not sooner: some clients ask ten times a second. To repair a data folder the server has to be stopped anyway."""


class Barred:
    """Of one server."""

    def __init__(self, quarantine: Quarantine, monotonic: Callable[[], float]) -> None:
        self._quarantine = quarantine
        self._monotonic = monotonic
        self._damaged: dict[str, float] = {}
        """Until when each is not looked at again."""

    def check_reading(self, name: str) -> None:
        """Raise `Unreadable` where the document is not to be loaded."""
        if name in self._damaged:
            if self._monotonic() < self._damaged[name]:
                raise _damaged()
            del self._damaged[name]
        if quarantined := self._quarantine.of(name):
            quarantined.check_reading()

    def check_making(self, name: str) -> None:
        """Raise also where nobody could write in what is made: what bars the name is of a document that is gone."""
        self.check_reading(name)
        if quarantined := self._quarantine.of(name):
            quarantined.check_writing()

    def add(self, name: str) -> Unreadable:
        """What is stored of it is damaged; what to tell those who want it."""
        self._damaged[name] = self._monotonic() + _LOOK_AGAIN_S
        return _damaged()

    def add_for_good(self, name: str) -> Unreadable:
        """The same where its row may have gone while it was open: made anew it would look empty. A restart tells."""
        self._damaged[name] = math.inf
        return _damaged()

    def lift(self, name: str) -> None:
        """It was deleted."""
        self._damaged.pop(name, None)


def _damaged() -> Unreadable:
    return Unreadable("the document is damaged on the server, its operator has to repair it")
