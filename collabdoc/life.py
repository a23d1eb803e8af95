"""The life of a room: one table of states, and the one function that passes from one to another."""

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    LOADING = "loading"
    ACTIVE = "active"
    TAKING = "taking"
    """A large edit is taken, over several turns of the loop."""
    DRAINING = "draining"
    LEAVING = "leaving"
    """It drains, and its document will not be read again: it was not loaded, or a large edit is half taken."""
    CLOSED = "closed"


BUSY = (State.LOADING, State.TAKING)
"""In these edits wait."""
READABLE = (State.ACTIVE, State.DRAINING)
ENDING = (State.DRAINING, State.LEAVING, State.CLOSED)

TRANSITIONS: Mapping[tuple[State, str], State] = {
    (State.LOADING, "loaded"): State.ACTIVE,
    (State.ACTIVE, "broke"): State.LOADING,
    (State.ACTIVE, "takes"): State.TAKING,
    (State.TAKING, "takes"): State.TAKING,
    (State.TAKING, "taken"): State.ACTIVE,
    (State.TAKING, "broke"): State.LOADING,
    (State.ACTIVE, "drain"): State.DRAINING,
    (State.LOADING, "drain"): State.LEAVING,
    (State.TAKING, "drain"): State.LEAVING,
    (State.ACTIVE, "close"): State.CLOSED,
    (State.LOADING, "close"): State.CLOSED,
    (State.TAKING, "close"): State.CLOSED,
    (State.DRAINING, "close"): State.CLOSED,
    (State.LEAVING, "close"): State.CLOSED,
}


def transition(state: State, event: str) -> State:
    """The state after an event; a KeyError is a fault of ours."""
    return TRANSITIONS[state, event]
