"""Runs the clients that others use."""

from collections.abc import Awaitable, Callable, Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.clients.program import Program
from tests.clients.project import CLIENTS
from tests.conftest import ServerFactory
from tests.server.conftest import hang_up

__all__ = ["hang_up"]

RunProgram = Callable[..., Awaitable[Program]]


@pytest.fixture
def run_program(io_loop: IOLoop, start_server: ServerFactory, node: str) -> Iterator[RunProgram]:
    """Run a script of this folder, `await run_program("yjs.mjs", ...)`; it ends before the test's servers do."""
    running: list[Program] = []

    async def run(script: str, *arguments: str) -> Program:
        program = await Program.start(node, str(CLIENTS / script), *arguments)
        running.append(program)
        return program

    yield run
    for program in running:
        io_loop.run_sync(program.stop)
