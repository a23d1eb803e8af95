"""A process that takes updates as the server does, so that one that never ends is a failed test and not a stuck run."""

import multiprocessing
import os
import resource
from collections.abc import Sequence
from multiprocessing.connection import Connection

from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import DocumentBroken, ProtocolError
from collabdoc.protocol.lib0 import read_state_vector
from collabdoc.protocol.update import check_update
from collabdoc.steps import finish

TIMEOUT_S = 10.0
MEMORY_BYTES = 2048 * 1024 * 1024


class Applier:
    """`with` starts and ends the process."""

    def __enter__(self) -> "Applier":
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()
        self._process.close()

    def verdict(self, taken: Sequence[bytes], update: bytes) -> str:
        """What becomes of an update in a document that has taken others: refused, applied, or what is wrong."""
        try:
            self._connection.send((list(taken), update))
            if self._connection.poll(TIMEOUT_S):
                return str(self._connection.recv())
            wrong = f"took more than {TIMEOUT_S} s"
        except (EOFError, OSError):
            wrong = "killed the process"
        self.__exit__()
        self.__enter__()
        return wrong


def _serve(connection: Connection) -> None:
    os.environ["RUST_BACKTRACE"] = "0"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # panics are told there too, at length
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    while True:
        try:
            taken, update = connection.recv()
        except EOFError:
            return
        connection.send(_verdict(taken, update))


def _verdict(taken: list[bytes], update: bytes) -> str:
    document = Document(EMPTY_UPDATE, taken)
    before = dict(document.clocks)
    try:
        info = finish(document.check_in_steps(update))
    except ProtocolError as error:
        if document.clocks != before:
            return "a refused update changed the document"
        return f"refused: {error.reason}"
    try:
        is_new = document.apply(update, info)
        return _compare(document, [*taken, update] if is_new else taken)
    except DocumentBroken as error:
        return f"broken: {error}"
    except BaseException as error:  # a panic of pycrdt is no Exception
        return f"{type(error).__name__}: {error}"


def _compare(document: Document, log: list[bytes]) -> str:
    """Whether those who get the document from the server have what those have who got the updates."""
    whole = document.diff(EMPTY_UPDATE[:1])
    newcomer = Document(whole)
    if not newcomer.clocks == document.clocks == _clocks_inside(document):
        return f"a newcomer has the clocks {newcomer.clocks}, the server {document.clocks}"
    check_update(whole, {})  # what a client sends who brings the document back
    snapshot = compact(EMPTY_UPDATE, log)
    if Document(snapshot).clocks != document.clocks:
        return "a snapshot has other clocks"
    return "applied"


def _clocks_inside(document: Document) -> dict[int, int]:
    return read_state_vector(document.state_vector(), max_clients=10_000)
