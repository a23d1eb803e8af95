"""The connection's states and every move between them, as two literal tables: those of the browser's provider.

The line is the socket, which all documents of a client share; a channel is one document on it. What a program is told
follows from both (status.py). An event that a state does not list is stale, and leaves the state as it is. A browser
also knows a line that is `offline`: nothing tells a Python program that its machine has no network.
"""

from collections.abc import Mapping
from typing import Literal, TypeVar

LineState = Literal["idle", "connecting", "up", "waiting", "refused"]
"""`idle`: nobody wants a socket; `waiting`: lost, backing off; `refused`: only a new start tries again."""
LineEvent = Literal["start", "up", "lose", "refuse", "stop"]

LINE: Mapping[LineState, Mapping[LineEvent, LineState]] = {
    "idle": {"start": "connecting"},
    "connecting": {"up": "up", "lose": "waiting", "refuse": "refused", "stop": "idle"},
    "up": {"lose": "waiting", "refuse": "refused", "stop": "idle"},
    "waiting": {"start": "connecting", "stop": "idle"},
    "refused": {"start": "connecting", "stop": "idle"},
}

ChannelState = Literal["away", "opening", "open", "waiting", "refused", "replaced"]
"""`away`: no line; `waiting`: the server closed the channel for a while, backing off."""
ChannelEvent = Literal["open", "opened", "back-off", "leave", "refuse", "replace", "restart"]

CHANNEL: Mapping[ChannelState, Mapping[ChannelEvent, ChannelState]] = {
    "away": {"open": "opening", "refuse": "refused"},
    "opening": {"opened": "open", "back-off": "waiting", "leave": "away", "refuse": "refused", "replace": "replaced"},
    "open": {"back-off": "waiting", "leave": "away", "refuse": "refused", "replace": "replaced"},
    "waiting": {"open": "opening", "leave": "away", "refuse": "refused"},
    "refused": {"restart": "away"},
    "replaced": {},
}

_State = TypeVar("_State", bound=str)
_Event = TypeVar("_Event", bound=str)


def move(table: Mapping[_State, Mapping[_Event, _State]], state: _State, event: _Event) -> _State | None:
    """The state after an event; None where the event is stale."""
    return table[state].get(event)
