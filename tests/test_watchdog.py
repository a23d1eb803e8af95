"""The watchdog, on real processes: a server that stands still or dies comes back, and not to the same end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient

from collabdoc.config import Limits
from collabdoc.document import EMPTY_UPDATE, make_meta
from collabdoc.protocol.messages import Closed, Open, Opened, Rejected, Saved, Update
from collabdoc.quarantine import FOLDER, Quarantine
from collabdoc.store.base import Append, Snapshot
from collabdoc.store.sqlite import SqliteStore
from collabdoc.underway import Underway
from collabdoc.watchdog import BEAT_S, Watchdog, _Life
from tests.limits import bounds
from tests.process import ServerProcess
from tests.protocol.crafting import first, section, update
from tests.server.conftest import hang_up
from tests.server.wire import Wire, text_of, typed
from tests.standing import STILL, WATCHED

pytestmark = [
    pytest.mark.gen_test(timeout=60),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
]

__all__ = ["hang_up"]

BASE = update(section(1, 0, first("a")))
STILL_STANDING = section(2, 0, first(STILL))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    monkeypatch.setenv("COLLABDOC_LIMITS__STALL_S", "1.5")
    with ServerProcess(tmp_path, program=WATCHED) as running:
        yield running


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def served_by(server: ServerProcess) -> int:
    """The process that serves now."""
    (serving,) = children(server.pid)
    return serving


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def is_there(pid: int) -> bool:
    """Also one that has ended, as long as nobody has let go of it."""
    return Path(f"/proc/{pid}").exists()


def is_alive(pid: int) -> bool:
    try:
        return state(pid) != "Z"
    except FileNotFoundError:
        return False


def has_waiting(pid: int, number: signal.Signals) -> bool:
    (pending,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("ShdPnd:")]
    return bool(int(pending.split()[1], 16) & 1 << number - 1)


async def until_closed(*wires: Wire) -> None:
    for wire in wires:
        while not isinstance(await wire.hears_any(), tuple):
            pass


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL, signal.SIGSEGV])
async def test_a_server_that_stands_still_or_dies_comes_back_and_no_connection_is_refused(
    server: ServerProcess, number: signal.Signals
) -> None:
    before = served_by(server)
    alice = await Wire.connect(server)
    await alice.opens("a")
    alice.says(Update(1, 1, typed("hi")))
    await alice.hears(Saved)
    os.kill(before, number)
    assert (await AsyncHTTPClient().fetch(f"{server.url}/healthz")).code == 200
    assert served_by(server) != before
    opened = await (await Wire.connect(server)).opens("a")
    assert text_of(opened.update) == "hi"
    assert not (server.data / FOLDER).exists()


async def test_an_update_over_which_it_stood_still_is_not_taken_again_in_whatever_it_comes(
    server: ServerProcess,
) -> None:
    mallory, bob, carol = [await Wire.connect(server) for _ in range(3)]
    await mallory.opens("a")
    await carol.opens("another")
    mallory.says(Update(1, 1, BASE))
    await mallory.hears(Saved)
    await bob.opens("a")
    carol.says(Update(1, 1, typed("mine")))
    await carol.hears(Saved)

    mallory.says(Update(1, 2, update(STILL_STANDING)))
    await until_closed(mallory, bob, carol)
    for again in (update(STILL_STANDING), update(section(3, 0, b"\x84\x01\x00\x01b"), STILL_STANDING)):
        mallory = await Wire.connect(server)
        await mallory.opens("a")
        mallory.says(Update(1, 1, again))
        assert (await mallory.hears(Rejected)).code == 4400
        assert "quarantine" in (await mallory.hears(Closed)).reason
    bob, carol = [await Wire.connect(server) for _ in range(2)]
    await bob.opens("a")
    bob.says(Update(1, 1, update(section(4, 0, b"\x84\x01\x00\x01b"))))
    await bob.hears(Saved)
    assert text_of((await carol.opens("another")).update) == "mine"
    (kept,) = (server.data / FOLDER).iterdir()
    assert '"document": "a"' in kept.read_text()


async def test_a_document_that_cannot_be_read_is_refused_after_some_tries(server: ServerProcess) -> None:
    server.terminate()
    store = SqliteStore(server.data)
    store.create("a")
    store.append([Append("a", (make_meta(title="", kind="text"),), None)])
    row = store.get("a")
    assert row is not None
    store.put_snapshot(Snapshot("a", row.epoch, row.seq, update(STILL_STANDING)), keep_entries=0, keep_bytes=0)
    store.close()
    server.start()
    for _ in range(2):
        mallory = await Wire.connect(server)
        mallory.says(Open(1, "a", b"\x00"))
        await until_closed(mallory)
    mallory, bob = [await Wire.connect(server) for _ in range(2)]
    mallory.says(Open(1, "a", b"\x00"))
    closed = await mallory.hears(Closed)
    assert (closed.code, "operator" in closed.reason) == (4423, True)
    assert isinstance(await bob.opens("another"), Opened)
    assert len(list((server.data / FOLDER).iterdir())) == 2
    server.terminate()
    for kept in (server.data / FOLDER).iterdir():
        kept.unlink()
    store = SqliteStore(server.data)
    store.put_snapshot(Snapshot("a", row.epoch, row.seq, EMPTY_UPDATE), keep_entries=0, keep_bytes=0)
    store.close()
    server.start()
    assert isinstance(await (await Wire.connect(server)).opens("a"), Opened)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_both(server: ServerProcess, number: signal.Signals) -> None:
    serving = served_by(server)
    os.kill(server.pid, number)
    assert server.wait() == 0
    assert not is_alive(serving)


def test_a_signal_to_all_processes_stops_in_order(server: ServerProcess) -> None:
    for pid in (served_by(server), server.pid):
        os.kill(pid, signal.SIGTERM)
    assert server.wait() == 0


def test_a_signal_to_the_server_alone_ends_both(server: ServerProcess) -> None:
    os.kill(served_by(server), signal.SIGTERM)
    assert server.wait() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_a_server_that_does_not_stop(
    server: ServerProcess, number: signal.Signals, code: int
) -> None:
    serving = served_by(server)
    os.kill(serving, signal.SIGSTOP)
    while state(serving) != "T":
        time.sleep(0.01)
    os.kill(server.pid, number)
    while not has_waiting(serving, number):
        time.sleep(0.01)
    os.kill(server.pid, number)
    assert server.wait() == code
    assert not is_alive(serving)


ENDS_AS_A_SIGNAL_COMES = """
import os, pathlib, signal
from collabdoc.quarantine import Quarantine
from collabdoc.underway import Underway
from collabdoc.watchdog import Watchdog

wait = os.waitpid

def wait_and_be_signalled(pid, options):
    ended = wait(pid, options)
    os.kill(os.getpid(), signal.SIGTERM)
    return ended

os.waitpid = wait_and_be_signalled
Watchdog([], Underway(1), Quarantine(pathlib.Path(), 1), stall_s=60).run()
os._exit(0)
"""


@bounds("stall_s")
@pytest.mark.parametrize(("silent_rounds", "is_ended"), [(5, False), (6, True)])
def test_a_server_is_ended_that_says_nothing_for_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_rounds: int, *, is_ended: bool
) -> None:
    rounds = iter([b"x", *[None] * silent_rounds, b"x", *[None] * silent_rounds, b""])
    said: list[bytes] = []

    def select(*_: object) -> tuple[list[int], list[int], list[int]]:
        if (next_said := next(rounds)) is None:
            return [], [], []
        said.append(next_said)
        return [0], [], []

    killed: list[int] = []
    monkeypatch.setattr("select.select", select)
    monkeypatch.setattr("os.read", lambda *_: said[-1])
    monkeypatch.setattr("os.kill", lambda pid, _: killed.append(pid))
    monkeypatch.setattr("collabdoc.watchdog._let_go_of_orphans", lambda _: None)
    watchdog = Watchdog([], Underway(1), Quarantine(tmp_path, 1), stall_s=Limits(stall_s=6 * BEAT_S).stall_s)
    watchdog._watch(_Life(pid=7, pipe=0))
    assert killed == ([7] if is_ended else [])


def test_a_signal_just_as_the_server_has_ended_is_no_fault() -> None:
    command = [sys.executable, "-c", ENDS_AS_A_SIGNAL_COMES]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")


SIGNALLED_AS_IT_FORKS = """
import os, pathlib, signal
from collabdoc.quarantine import Quarantine
from collabdoc.underway import Underway
from collabdoc.watchdog import Watchdog

fork, forks = os.fork, 0

def fork_and_be_signalled():
    global forks
    forks += 1
    if forks == 1:
        return fork()
    os.kill(os.getpid(), signal.SIGTERM)
    pid = fork()
    while pid == 0 and signal.SIGTERM not in signal.sigpending():  # until the other has handed it on
        pass
    return pid

os.fork = fork_and_be_signalled
heart = Watchdog([], Underway(1), Quarantine(pathlib.Path(), 1), stall_s=60).run()
heart.beat()
os._exit(1 if heart.is_first else 0)
"""


def test_a_signal_in_the_moment_in_which_the_server_is_started_again_is_not_lost() -> None:
    command = [sys.executable, "-c", SIGNALLED_AS_IT_FORKS]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 128 + signal.SIGTERM


# What the first process of a container is by itself.
GIVEN_ORPHANS = """
import ctypes
from collabdoc.cli import main

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
main()
"""


async def test_the_first_process_of_a_container_lets_go_of_what_a_dead_server_had_started(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, program=("-c", GIVEN_ORPHANS, "serve")) as server:
        alice = await Wire.connect(server)
        await alice.opens("a")
        await AsyncHTTPClient().fetch(f"{server.url}/api/documents/a/content?format=text")
        (helper,) = children(served_by(server))
        os.kill(served_by(server), signal.SIGKILL)
        while is_there(helper):
            await asyncio.sleep(0.01)
        assert (await AsyncHTTPClient().fetch(f"{server.url}/healthz")).code == 200


def test_a_watchdog_that_is_killed_takes_the_server_along(server: ServerProcess) -> None:
    serving = served_by(server)
    server.kill()
    while is_alive(serving):
        time.sleep(0.01)
    server.start()


def test_a_server_that_cannot_start_is_not_started_again(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1.json").write_text("{")
    command = [sys.executable, "-m", "collabdoc", "serve", "--port", "0", "--data", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "1.json cannot be read" in result.stderr
