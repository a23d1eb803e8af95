"""What a server does of the number of files that the system lets it have."""

import asyncio
import contextlib
import resource
import socket
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPError
from tornado.iostream import StreamClosedError

from collabdoc.server import files
from collabdoc.server.app import Server
from collabdoc.server.files import OUR_FILES
from tests.process import SERVE, ServerProcess
from tests.server.wire import Wire

pytestmark = pytest.mark.gen_test(timeout=60)

_FILES = OUR_FILES + 40


def limited_to(files: int, most: int) -> tuple[str, str]:
    """Python with so many files, that may have so many."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {most}))"
    return "-c", f"{limit}\nfrom collabdoc.cli import main; main()"


def files_of(server: ServerProcess) -> str:
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    return next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3]


def test_a_server_may_have_all_the_files_that_the_system_lets_it_have(tmp_path: Path) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with ServerProcess(tmp_path, program=(*limited_to(256, most), *SERVE[2:])) as server:
        assert files_of(server) == str(most)


async def test_who_finds_no_file_left_is_turned_away_and_who_is_in_opens_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (*limited_to(_FILES, _FILES), *SERVE[2:])
    with ServerProcess(tmp_path / "data", program=program, log=log) as server:
        came = []
        while (wire := await comes(server)) is not None:
            came.append(wire)
        assert 20 <= len(came) < 40
        await came[0].opens("has-to-be-read")
        came.pop().socket.close()
        while await comes(server) is None:
            await asyncio.sleep(0.01)
    said = log.read_text()
    assert f"the system lets the server have {_FILES} files" in said
    assert "connections are turned away" in said


async def comes(server: ServerProcess) -> Wire | None:
    """None where it was turned away: in words, or by the end of the line, which may overtake them."""
    try:
        return await Wire.connect(server)
    except (HTTPError, StreamClosedError, ConnectionResetError):
        return None


def test_of_a_crowd_few_are_let_in_in_a_turn_and_all_in_the_end() -> None:
    turns: list[int] = []
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listening.setblocking(False)
        door = files._Door(listening)
        crowd = 5 * files.LET_IN_PER_TURN + 1
        for _ in range(crowd):
            stack.enter_context(socket.create_connection(listening.getsockname()))
        while sum(turns) < crowd:
            turns.append(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    stack.enter_context(door.accept()[0])
                    turns[-1] += 1
    assert turns == [files.LET_IN_PER_TURN] * 5 + [1]


async def test_a_crowd_of_requests_is_answered(server: Server) -> None:
    asked = [AsyncHTTPClient(force_instance=True).fetch(f"{server.url}/healthz") for _ in range(50)]
    assert {answer.code for answer in await asyncio.gather(*asked)} == {200}
