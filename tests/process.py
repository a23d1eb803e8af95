"""A server in a process of its own, for tests that kill it."""

import os
import signal
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

        `log` is where what it logs is added; None: nowhere.
        """
        self.data = data
        self.program = program
        self.flags = flags
        self.environment = environment or {}
        self.port = port
        self.log = log or Path(os.devnull)
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
        command = [sys.executable, *self.program, "--port", str(self.port), "--data", str(self.data)]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*command, *self.flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.environment},
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on http://"), f"the server said {line!r}"
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
