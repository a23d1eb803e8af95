"""A loop on which server and clients have times that are a small part of what they are elsewhere.

1. While the machine runs other programs, the loop's clock stands still: a line is silent because its other end is, not
   because nobody got to read it. Otherwise a busy machine would lose one line after the other.
2. In the end the server is to hold nothing that nobody has open.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar
from unittest.mock import patch

from collabdoc.config import Limits
from collabdoc.server.app import Server
from collabdoc.server.loop import ServerLoop
from tests.reliability.polls import Poll, asked_by

LIMITS = Limits(
    silence_s=0.9,
    ping_s=0.35,
    keep_alive_s=0.25,
    room_idle_s=0.5,
    goaway_spread_s=0.01,
    # So that some who come back get the log's tail, and some a difference; and that snapshots are made meanwhile.
    resume_entries=15,
    snapshot_updates=40,
)
_EMPTIED_WITHIN_S = 20.0
_SLACK_S = 0.002
"""So much later than asked for the system may wake us without having run somebody else."""

# Those that no setting has.
_TIMES: Mapping[str, Mapping[str, Any]] = {
    "collabdoc.client.backoff": {"BASE_S": 0.05},
    "collabdoc.client.liveness": {"QUIET_S": 0.3, "PATIENCE_S": 0.3, "PATIENCE_AWAKE_S": 0.2},
    "collabdoc.client.presence": {"RENEWAL_S": 0.8},
    "collabdoc.client.socket": {"CONNECT_S": 0.6, "CLOSE_S": 0.2},
    "collabdoc.server.connection": {"_CLOSE_S": 0.3},
    "collabdoc.server.engine": {"_ROUND_S": 0.05},
    "collabdoc.server.hocuspocus": {"_AGAIN_S": (0.1, 0.5)},
    "collabdoc.server.yjs": {"_LATE_S": 0.1},
}

_Result = TypeVar("_Result")


def run_quickly(work: Coroutine[Any, Any, _Result]) -> tuple[_Result, list[str]]:
    """What the work gives, and what was logged as an error meanwhile: no network makes one."""
    errors = _Errors()
    clock = _Clock()
    with contextlib.ExitStack() as stack:
        for module, times in _TIMES.items():
            stack.enter_context(patch.multiple(module, **times))
        stack.enter_context(patch("time.monotonic", clock.now_s))
        logging.getLogger().addHandler(errors)
        stack.callback(logging.getLogger().removeHandler, errors)
        stack.enter_context(asked_by(clock.poll()))
        return stack.enter_context(asyncio.Runner(loop_factory=ServerLoop)).run(work), errors.messages


async def let_go_of_all(server: Server) -> None:
    """Wait until the server holds no connection and no document. Raises `AssertionError` where that does not come."""
    http = server._http._connections  # also those that have not shaken hands
    try:
        async with asyncio.timeout(_EMPTIED_WITHIN_S):
            while http or server.context.sockets or server.rooms.count:
                await asyncio.sleep(0.02)
    except TimeoutError:
        kept = f"{len(http)} connections, {len(server.context.sockets)} sockets, {server.rooms.count} documents"
        raise AssertionError(f"the server keeps {kept} that nobody has open") from None


class _Clock:
    """Counts what the loop's thread worked, and what it waited as far as it asked to wait."""

    def __init__(self) -> None:
        self._real_s = time.monotonic
        self._until_s = 0.0
        self._worked_s = time.thread_time()

    def now_s(self) -> float:
        """In the loop's thread."""
        return self._until_s + time.thread_time() - self._worked_s

    def poll(self) -> type[Poll]:
        """By which the loop waits."""
        clock = self

        class Waiting(Poll):
            def poll(self, timeout_s: float | None, most: int) -> list[tuple[int, int]]:
                clock._until_s = clock.now_s()
                began_s = clock._real_s()
                found = super().poll(timeout_s, most)
                waited_s = clock._real_s() - began_s
                clock._until_s += waited_s if timeout_s is None else min(waited_s, max(0.0, timeout_s) + _SLACK_S)
                clock._worked_s = time.thread_time()
                return found

        return Waiting


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))
