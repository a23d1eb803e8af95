"""The event loop of a server of its own, and the queue before its door."""

import asyncio
import contextlib
import selectors
import socket

from collabdoc.config import Settings
from collabdoc.server.app import bind
from collabdoc.server.loop import SOCKETS_PER_TURN, new_event_loop

CROWD = 2 * SOCKETS_PER_TURN + 10


def test_a_turn_looks_after_some_of_a_crowd_and_the_next_after_those_who_waited() -> None:
    async def turns() -> list[list[int]]:
        loop = asyncio.get_running_loop()
        heard: list[list[int]] = []
        for number, (near, far) in enumerate(pairs):
            loop.add_reader(near, lambda place: heard[-1].append(place), number)
            far.send(b"for ever ready, for nobody reads it")
        for _ in range(4):
            heard.append([])
            await asyncio.sleep(0)
        return heard[1:]  # its own turn comes before theirs

    with contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(CROWD)]
        for near, far in pairs:
            stack.enter_context(near)
            stack.enter_context(far)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            first, second, third = runner.run(turns())
    assert len(first) == len(second) == SOCKETS_PER_TURN
    assert {*first, *second, *third} == set(range(CROWD))


def test_all_who_come_back_at_once_find_a_place_to_wait() -> None:
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(each) for each in bind(Settings(port=0))]
        waiting = selectors.DefaultSelector()
        stack.callback(waiting.close)
        for _ in range(1_000):
            comes = stack.enter_context(socket.socket())
            comes.setblocking(False)
            comes.connect_ex(listening[0].getsockname())
            waiting.register(comes, selectors.EVENT_WRITE)
        assert len(waiting.select(timeout=0.5)) == 1_000, "who finds none tries again after a second"
