"""One frame to many sockets: who took it, who did not, and by how much; compiled as in Python."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from errno import EAGAIN, EBADF, EPIPE

import pytest

from collabdoc.fanout import LIBRARY, SendToEach, load, send_in_python
from tests.conftest import skip_without


@pytest.fixture(params=["compiled", "in Python"])
def send(request: pytest.FixtureRequest) -> SendToEach:
    if request.param == "in Python":
        return send_in_python
    if not LIBRARY.exists():
        skip_without("a C compiler, by which fanout.c was to be compiled,")
    return load(LIBRARY)


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Ours, which do not block, and those of their peers."""
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(5)]
        for ours, theirs in made:
            ours.setblocking(False)
            stack.enter_context(ours)
            stack.enter_context(theirs)
        yield made


def fill(ours: socket.socket) -> None:
    while True:
        try:
            ours.send(bytes(65_536))
        except BlockingIOError:
            return


def test_each_peer_gets_the_frame(send: SendToEach, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    assert send([ours.fileno() for ours, _ in pairs], b"a frame") == []
    assert [theirs.recv(100) for _, theirs in pairs] == [b"a frame"] * 5


def test_it_tells_of_each_that_did_not_take_it_and_the_others_get_it(
    send: SendToEach, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    (full, _), _, (ends, gone), *_ = pairs
    fill(full)
    gone.close()
    descriptors = [-1, *(ours.fileno() for ours, _ in pairs)]
    assert send(descriptors, b"a frame") == [(0, -EBADF), (1, -EAGAIN), (3, -EPIPE)]
    assert [theirs.recv(100) for _, theirs in (pairs[1], *pairs[3:])] == [b"a frame"] * 3
    assert ends.fileno() == descriptors[3], "nothing is closed here"


def test_it_tells_how_much_of_a_frame_was_taken(
    send: SendToEach, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    ours, theirs = pairs[0]
    frame = bytes(range(256)) * 40_000
    ((place, took),) = send([ours.fileno()], frame)
    assert place == 0
    assert 0 < took < len(frame)
    theirs.setblocking(False)
    read = b"".join(iter(lambda: _read(theirs), b""))
    assert read == frame[:took]


def test_nobody_is_sent_nothing(send: SendToEach) -> None:
    assert send([], b"a frame") == []


def _read(theirs: socket.socket) -> bytes:
    try:
        return theirs.recv(65_536)
    except BlockingIOError:
        return b""
