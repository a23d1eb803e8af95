"""A server in a process of its own, for tests that kill it."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

STARTED_WITHIN_S = 30

WATCHED = ("-m", "collabdoc", "serve")
SERVE = (*WATCHED, "--no-watchdog")


class ServerProcess:
    """`collabdoc serve` on a data folder; may be killed and started again on the same port."""

    def __init__(
        self,
        data: Path,
        *flags: str,
        port: int = 0,
        program: tuple[str, ...] = SERVE,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """`program` is another one with the same flags; `environment` is added to this process's own.

        `log` is where what it logs is added; None: beside its data.
        """
        self.data = data
        self.program = program
        self.flags = flags
        self.environment = environment or {}
        self.port = port
        self.log = log or data.with_name(f"errors.{data.name}")
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "ServerProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once the server says that it listens."""
        self.launch()
        self.listens()

    def launch(self) -> None:
        """Begin to start it."""
        command = [sys.executable, *self.program, "--port", str(self.port), "--data", str(self.data)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*command, *self.flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.environment},
            )

    def listens(self) -> None:
        """Wait until the server that was launched says so."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on http://"), f"the server said {line!r}: {self.log.read_text()[-1000:]}"
        self.port = int(line.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Of the process that was called: with a watchdog, that one."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a power cut would: no goodbye."""
        assert self._process is not None
        self._process.kill()
        self.wait()

    def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Until it has ended; its exit code."""
        assert self._process is not None
        assert self._process.stdout is not None
        code = self._process.wait(timeout=STARTED_WITHIN_S)
        self._process.stdout.read()  # what a watchdog had started is gone, too
        self._process.stdout.close()
        self._process = None
        return code


def lasting_port() -> int:
    """A free port for a server that is away at times: the system gives it to no connection meanwhile."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, first)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
