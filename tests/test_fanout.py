"""One frame to many sockets: who took it, who did not, and by how much; compiled as in Python."""

import socket
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from errno import EAGAIN, EBADF, EPIPE

import pytest

from collabdoc.fanout import LIBRARY, Seat, SendToEach, load, send_in_python
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


@contextmanager
def seated(*descriptors: int) -> Iterator["array[int]"]:
    """The numbers of seats for these."""
    seats = [Seat() for _ in descriptors]
    for seat, descriptor in zip(seats, descriptors, strict=True):
        seat.descriptor = descriptor
    yield array("i", [seat.number for seat in seats])


def fill(ours: socket.socket) -> None:
    while True:
        try:
            ours.send(bytes(65_536))
        except BlockingIOError:
            return


def test_each_peer_gets_the_frame(send: SendToEach, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    with seated(*(ours.fileno() for ours, _ in pairs)) as seats:
        assert send(seats, b"a frame") == []
    assert [theirs.recv(100) for _, theirs in pairs] == [b"a frame"] * 5


def test_it_tells_of_each_that_did_not_take_it_and_the_others_get_it(
    send: SendToEach, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    (full, _), _, (ends, gone), *_ = pairs
    fill(full)
    gone.close()
    descriptors = [-1, *(ours.fileno() for ours, _ in pairs)]
    with seated(*descriptors) as seats:
        assert send(seats, b"a frame") == [(0, -EBADF), (1, -EAGAIN), (3, -EPIPE)]
    assert [theirs.recv(100) for _, theirs in (pairs[1], *pairs[3:])] == [b"a frame"] * 3
    assert ends.fileno() == descriptors[3], "nothing is closed here"


def test_it_tells_how_much_of_a_frame_was_taken(
    send: SendToEach, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    ours, theirs = pairs[0]
    frame = bytes(range(256)) * 40_000
    with seated(ours.fileno()) as seats:
        ((place, took),) = send(seats, frame)
    assert place == 0
    assert 0 < took < len(frame)
    theirs.setblocking(False)
    read = b"".join(iter(lambda: _read(theirs), b""))
    assert read == frame[:took]


def test_nobody_is_sent_nothing(send: SendToEach) -> None:
    assert send(array("i"), b"a frame") == []


def test_a_seat_is_anothers_only_when_nobody_has_it_any_more() -> None:
    first = Seat()
    first.descriptor, number, kept = 7, first.number, first
    del first
    others = [Seat() for _ in range(200)]
    assert number not in [seat.number for seat in others]
    assert kept.descriptor == 7, "also when the table has grown"
    del kept
    again = [Seat() for _ in range(200)]
    assert number in [seat.number for seat in again]
    assert {seat.descriptor for seat in again} == {-1}, "the next one is not sent what was for the one before"


def _read(theirs: socket.socket) -> bytes:
    try:
        return theirs.recv(65_536)
    except BlockingIOError:
        return b""
