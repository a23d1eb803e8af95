"""Installs the clients, once for all tests and again when the lock file changes."""

import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from tests.clients.program import Program
from tests.conftest import ServerFactory, skip_without
from tests.server.conftest import hang_up

__all__ = ["hang_up"]

HERE = Path(__file__).parent

RunProgram = Callable[..., Awaitable[Program]]


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js, which finds the packages of this folder."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        skip_without("Node.js")
    assert program is not None
    assert npm is not None
    lock, stamp = HERE / "package-lock.json", HERE / "node_modules" / "made-of.json"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        subprocess.run([npm, "ci", "--no-progress"], cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        shutil.copy(lock, stamp)
    return program


@pytest.fixture
def run_program(io_loop: IOLoop, start_server: ServerFactory, node: str) -> Iterator[RunProgram]:
    """Run a script of this folder, `await run_program("yjs.mjs", ...)`; it ends before the test's servers do."""
    running: list[Program] = []

    async def run(script: str, *arguments: str) -> Program:
        program = await Program.start(node, str(HERE / script), *arguments)
        running.append(program)
        return program

    yield run
    for program in running:
        io_loop.run_sync(program.stop)
