"""The life of a room: one table of states, and the one function that passes from one to another."""

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    LOADING = "loading"
    ACTIVE = "active"
    TAKING = "taking"
    """A large edit is taken, over several turns of the loop."""
    DRAINING = "draining"
    CLOSED = "closed"


BUSY = (State.LOADING, State.TAKING)
"""In these nobody reads the document, and edits wait."""

TRANSITIONS: Mapping[tuple[State, str], State] = {
    (State.LOADING, "loaded"): State.ACTIVE,
    (State.ACTIVE, "broke"): State.LOADING,
    (State.ACTIVE, "takes"): State.TAKING,
    (State.TAKING, "takes"): State.TAKING,
    (State.TAKING, "taken"): State.ACTIVE,
    (State.TAKING, "broke"): State.LOADING,
    (State.ACTIVE, "drain"): State.DRAINING,
    (State.LOADING, "drain"): State.DRAINING,
    (State.TAKING, "drain"): State.DRAINING,
    (State.ACTIVE, "close"): State.CLOSED,
    (State.LOADING, "close"): State.CLOSED,
    (State.TAKING, "close"): State.CLOSED,
    (State.DRAINING, "close"): State.CLOSED,
}


def transition(state: State, event: str) -> State:
    """The state after an event; a KeyError is a fault of ours."""
    return TRANSITIONS[state, event]
