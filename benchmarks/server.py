"""A target that runs, alone, on its core."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.targets import Launcher, Target

STARTED_WITHIN_S = 60.0
STOPPED_WITHIN_S = 30.0
_POLL_S = 0.02
_SETTLE_S = 0.3


class Failed(Exception):
    """A server or the generator did not do what the measurement needs."""


@dataclass(frozen=True, slots=True)
class Server:
    """`folder` holds what it keeps on the disk."""

    target: Target
    pid: int
    port: int
    folder: Path

    def cpu_s(self) -> float:
        return machine.cpu_s(self.pid)

    def settled_cpu_s(self) -> float:
        """The same with what it still does for those who have their answer. Blocks."""
        time.sleep(_SETTLE_S)
        return self.cpu_s()

    def memory_bytes(self) -> dict[str, int]:
        return machine.memory_bytes(self.pid)


@contextmanager
def temporary_folder(launcher: Launcher) -> Iterator[Path]:
    """In the cache, because /tmp is often memory, where a commit costs nothing."""
    with tempfile.TemporaryDirectory(dir=launcher.cache.folder, prefix="data-") as folder:
        yield Path(folder)


@contextmanager
def running(launcher: Launcher, target: Target, folder: Path | None = None) -> Iterator[Server]:
    """Start it; killed in the end. A `folder` of the caller's survives it."""
    port = _free_port()
    with temporary_folder(launcher) as own_folder:
        place = folder or own_folder
        launch = launcher.launch(target, port, place)
        log = own_folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                launch.command,
                cwd=place,
                env={**os.environ, **launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=machine.pinned_to(machine.SERVER_CORE),
            )
        try:
            _wait_until_it_listens(process, port, target, log)
            yield Server(target, process.pid, port, place)
            if process.poll() not in {None, 0, -signal.SIGTERM}:
                raise Failed(f"{target.name} died: {_tail(log)}")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def stop(server: Server) -> None:
    """Ask it to stop, so that it writes what it has not yet written; returns when it is gone."""
    os.kill(server.pid, signal.SIGTERM)
    deadline_s = time.monotonic() + STOPPED_WITHIN_S
    while machine.is_running(server.pid):
        if time.monotonic() > deadline_s:
            raise Failed(f"{server.target.name} did not stop within {STOPPED_WITHIN_S:.0f} s")
        time.sleep(_POLL_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, target: Target, log: Path) -> None:
    deadline_s = time.monotonic() + STARTED_WITHIN_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise Failed(f"{target.name} does not listen on port {port}: {_tail(log)}")
        time.sleep(_POLL_S)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
