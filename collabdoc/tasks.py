"""The tasks of the helper process, which knows nothing of its server but what it is told on standard input.

Lengths in 4 bytes, big-endian. To here: a length and one msgpack value, `[task, [bytes of the snapshot, of each
update], [argument, ...]]`, then the snapshot and the updates. Back: 1 byte (1: a result, 0: the reason why there is
none), a length and the result or the reason.
"""

import signal
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgpack

from collabdoc.memory import give_back

REQUEST, ANSWER = struct.Struct(">I"), struct.Struct(">?I")


def main() -> None:
    """Tasks from standard input until it ends; arguments are the most bytes of memory and seconds of a task."""
    _limit_memory(int(sys.argv[1]))
    timeout_s = float(sys.argv[2])
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while len(head := stdin.read(REQUEST.size)) == REQUEST.size:
        (head_bytes,) = REQUEST.unpack(head)
        good, result = _do(stdin, head_bytes, timeout_s)
        stdout.write(ANSWER.pack(good, len(result)))
        stdout.write(result)
        stdout.flush()
        del result  # else it waits here for the next task
        give_back()


def _do(stdin: BinaryIO, head_bytes: int, timeout_s: float) -> tuple[bool, bytes]:
    task, sizes, arguments = msgpack.unpackb(stdin.read(head_bytes))
    snapshot, *updates = [stdin.read(size) for size in sizes]
    _arm(timeout_s)
    try:
        answer = True, _TASKS[task](snapshot, updates, *arguments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  # a panic of pycrdt is no Exception; the reason is the answer
        answer = False, f"{type(error).__name__}: {error!s:.500}".encode(errors="replace")
    _arm(0)
    return answer


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on this platform: the time limit remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _arm(timeout_s: float) -> None:
    """Let the system end this process in so many seconds; 0: not any more. No Python runs within an endless task."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, timeout_s)


def _compact(snapshot: bytes, updates: list[bytes]) -> bytes:
    from collabdoc.document import compact

    return compact(snapshot, updates)


def _export(snapshot: bytes, updates: list[bytes], format_: str) -> bytes:
    from collabdoc.content import export_document
    from collabdoc.document import EMPTY_UPDATE, Document

    # As the live document took them, one by one: merged they may not load, or to something else.
    whole = Document(snapshot, updates).diff(EMPTY_UPDATE[:1])
    return export_document(whole, format_)


_TASKS: dict[str, Callable[..., bytes]] = {"compact": _compact, "export": _export}
