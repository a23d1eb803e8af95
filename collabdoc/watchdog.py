"""A process beside the server that starts it again when its loop stands still or it dies.

1. The process that was called watches, and forks the one that serves: a restart costs no imports, and connections that
   come meanwhile wait in the listening sockets, which stay open.
2. What pycrdt was busy with in a process that was killed or crashed goes in quarantine before the next start.
3. A signal to stop is handed on; a second one kills. The exit code is the server's. One that ends before it ever
   served, or by itself without a fault, is not started again.
4. Where the watchdog is killed the server goes with it: there is never one that nobody watches.
5. As the first process of a container it is given the orphans of a server that died, and lets go of them as they end.
"""

import ctypes
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from collabdoc.quarantine import Quarantine
from collabdoc.underway import Underway

log = logging.getLogger(__name__)

BEAT_S = 0.25
_BEAT, _REST = b".", b"z"
_STOPPING = (signal.SIGINT, signal.SIGTERM)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Heart:
    """The server's side."""

    pipe: int
    is_first: bool
    """Whether this is the first life of the server."""

    def beat(self) -> bool:
        """Say that the loop goes round; False where the watchdog is no more."""
        return self._say(_BEAT)

    def rest(self) -> None:
        """Say that it will not beat any more: the server is stopping."""
        self._say(_REST)

    def _say(self, what: bytes) -> bool:
        try:
            os.write(self.pipe, what)
        except BlockingIOError:  # a watchdog that was stopped for hours
            pass
        except BrokenPipeError:
            return False
        return True


@dataclass(slots=True)
class _Life:
    """One process that served."""

    pid: int
    pipe: int
    served: bool = False
    rests: bool = False
    stood_still: bool = False


class Watchdog:
    """`run` forks the server, and again whenever it has to."""

    def __init__(
        self, sockets: Sequence[socket.socket], underway: Underway, quarantine: Quarantine, *, stall_s: float
    ) -> None:
        self._sockets = sockets
        self._underway = underway
        self._quarantine = quarantine
        self._stall_s = stall_s
        self._stopped_by: int | None = None
        self._life: _Life | None = None

    def run(self) -> Heart:
        """Returns in each process that is to serve; the one that watches ends here, with `SystemExit`."""
        is_first = True
        while True:
            # A signal waits until each of the two is who it is: else the server takes one for the watchdog's.
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
            self._end_if_stopped()  # while there was nobody to hand it on to
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(reading)
                os.set_blocking(writing, False)
                _become_the_watched()
                return Heart(writing, is_first)
            os.close(writing)
            self._life = life = _Life(pid, reading)
            for number in _STOPPING:
                signal.signal(number, self._stop)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            self._watch(life)
            os.close(reading)
            self._life = None  # before the wait: behind it the number may be nobody's, or another's
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if code < 0:
                self._end_if_stopped()
            if self._stopped_by is not None or not life.served or code == 0:
                sys.exit(code if code >= 0 else 128 - code)
            self._put_aside(life, code)
            is_first = False

    def _watch(self, life: _Life) -> None:
        """Until the server has ended. Silence is counted in rounds: where both were stopped, so was the count."""
        silent = 0
        while True:
            readable, _, _ = select.select([life.pipe], [], [], BEAT_S)
            if readable:
                said = os.read(life.pipe, 4096)
                if not said:
                    return
                life.served, silent = True, 0
                life.rests = life.rests or _REST in said
            elif life.served and not life.rests and self._stopped_by is None:
                silent += 1
                if silent * BEAT_S >= self._stall_s and not life.stood_still:
                    life.stood_still = True
                    os.kill(life.pid, signal.SIGKILL)
            _let_go_of_orphans(life.pid)

    def _end_if_stopped(self) -> None:
        if self._stopped_by is not None:
            sys.exit(128 + self._stopped_by)

    def _put_aside(self, life: _Life, code: int) -> None:
        why = f"stood still for {self._stall_s:g} s" if life.stood_still else f"ended with {code}"
        log.critical("the server %s and is started again", why)
        if work := self._underway.take():
            doing = (
                "reading or loading it" if work.update is None else f"applying an update of {len(work.update)} bytes"
            )
            path = self._quarantine.put(work)
            log.critical("document %a: it was %s; kept in %s", work.document, doing, path)

    def _stop(self, number: int, _: FrameType | None) -> None:
        is_second = self._stopped_by is not None
        self._stopped_by = number
        for listening in self._sockets:
            listening.close()
        if self._life is not None:
            os.kill(self._life.pid, signal.SIGKILL if is_second else number)


def _become_the_watched() -> None:
    watching = os.getppid()
    os.setsid()  # Ctrl-C in a terminal is for the watchdog, which hands it on
    for number in _STOPPING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != watching:
            sys.exit(1)


def _let_go_of_orphans(server: int) -> None:
    """Of all that have ended but the server, whose end `run` waits for."""
    if sys.platform != "linux":
        return
    look = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while (ended := os.waitid(os.P_ALL, 0, look)) is not None and ended.si_pid != server:
        os.waitpid(ended.si_pid, 0)
