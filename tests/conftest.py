"""What all tests may use."""

import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from collabdoc.auth import Authenticator
from collabdoc.config import Limits, Settings, load_settings
from collabdoc.server.app import Server
from collabdoc.store.base import Store
from tests.clients.project import Project, install_clients
from tests.world import Person, World

ServerFactory = Callable[..., Awaitable[Server]]


def skip_without(what: str) -> None:
    """Skip a test whose service is missing; where `COLLABDOC_TEST_REQUIRE=all` that is a failure."""
    if os.environ.get("COLLABDOC_TEST_REQUIRE") == "all":
        pytest.fail(f"{what} is missing, and COLLABDOC_TEST_REQUIRE=all asks for it")
    pytest.skip(f"{what} is missing")


@pytest.fixture
def start_server(io_loop: IOLoop, tmp_path: Path) -> Iterator[ServerFactory]:
    """Start servers in this process; they are stopped after the test."""
    running: list[Server] = []

    async def start(
        *,
        limits: Limits | None = None,
        authenticator: Authenticator | None = None,
        store: Store | None = None,
        **flags: object,
    ) -> Server:
        settings: Settings = load_settings(
            {"port": 0, "data": tmp_path / "data", "limits": (limits or Limits()).model_dump(), **flags}
        )
        server = Server(settings, authenticator=authenticator, store=store)
        await server.__aenter__()
        running.append(server)
        return server

    yield start
    for server in reversed(running):
        io_loop.run_sync(server.__aexit__)


@pytest.fixture
def server(io_loop: IOLoop, start_server: ServerFactory) -> Server:
    started: Server = io_loop.run_sync(start_server)
    return started


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Person:
    return world.person("alice")


@pytest.fixture
def bob(world: World) -> Person:
    return world.person("bob")


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js, which finds the packages of the folder `clients`."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        skip_without("Node.js")
    assert program is not None
    install_clients()
    return program


@pytest.fixture(scope="session")
def project(node: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that somebody begins with our provider's tarball."""
    own = tmp_path_factory.getbasetemp()
    return Project((own if worker_id == "master" else own.parent) / "project")
