"""A client in a process of its own, which is told what to do and tells what it saw, one JSON object a line."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any

MAX_LINE_BYTES = 64 * 1024 * 1024


class Program:
    """`does` gives orders, `tells` waits for what came of them."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []
        """Everything that it told, oldest first."""

    @classmethod
    async def start(cls, *command: str) -> "Program":
        return cls(await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=MAX_LINE_BYTES))

    def does(self, order: str, **details: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": order, **details}).encode() + b"\n")

    async def tells(self, event: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """The next event of a kind that fits, of those that no earlier call has passed."""
        assert self._process.stdout is not None
        while True:
            line = await self._process.stdout.readline()
            assert line, f"the client ended while {event} was waited for; it told {self.told}"
            self.told.append(json.loads(line))
            if self.told[-1]["event"] == event and fits(self.told[-1]):
                return self.told[-1]

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()
