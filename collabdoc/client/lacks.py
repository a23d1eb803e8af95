"""What to send after OPENED: everything that the server lacks, and no more.

State vectors do not cover deletes, and every diff carries the document's whole delete set (113 KB for a document of
250,000 edits). So a client with nothing to tell sends nothing, and one that was offline sends its own unsaved edits,
deletes included. Only where the server lacks something else does the whole diff go: it crashed before it committed what
others had already seen, which for deletes nothing shows.
"""

from collabdoc.errors import ProtocolError
from collabdoc.protocol.lib0 import read_state_vector
from collabdoc.protocol.update import check_update
from collabdoc.replica import Replica


def what_server_lacks(
    replica: Replica, state_vector: bytes, unsaved: bytes | None, *, heard_deletes: bool
) -> bytes | None:
    """The update for a server at this state vector, None where it lacks nothing.

    `unsaved` are the own edits that are not SAVED; `heard_deletes` says that others deleted something since the last
    OPENED, of which nobody knows whether it was committed.
    """
    if heard_deletes:
        return replica.diff(state_vector)
    server = read_state_vector(state_vector, max_clients=2**31)
    missing = {client: clock for client, clock in replica.clocks().items() if clock > server.get(client, 0)}
    if not missing:
        return unsaved
    if unsaved is not None:
        try:
            ends = check_update(unsaved, server).ends
        except ProtocolError:
            return replica.diff(state_vector)
        if all(ends.get(client, 0) >= clock for client, clock in missing.items()):
            return unsaved
    return replica.diff(state_vector)
