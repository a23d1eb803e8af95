"""Long work in slices: one a turn of the loop, everybody else between two, and a rest after what took long."""

import asyncio
import socket
from contextlib import suppress

import pytest

from collabdoc.lane import LONG_S, SHORTEST_SLICE_S, SLICE_S, Lane
from collabdoc.steps import Steps

pytestmark = pytest.mark.gen_test(timeout=30)


class Clock:
    """Goes on by itself: as far as is asked for, with each look."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.now_s = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def work(name: str, steps: int, done: list[str], clock: Clock, step_s: float) -> Steps[None]:
    for _ in range(steps):
        done.append(name)
        clock.now_s += step_s
        yield


async def test_between_two_slices_others_have_their_turn() -> None:
    clock, done = Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=Clock())
    long = lane.start(work("long", 6, done, clock, SHORTEST_SLICE_S / 2))
    while not long.done():
        done.append("turn")
        await asyncio.sleep(0)
    slices = " ".join(done).split("turn")
    assert max(part.count("long") for part in slices) == 2
    assert done.count("long") == 6


@pytest.mark.parametrize(("took_ms", "slice_ms"), [(0, 0.5), (0.2, 0.5), (0.7, 0.7), (1, 1), (50, 1)])
async def test_a_slice_is_about_as_long_as_others_took_of_the_processor(took_ms: float, slice_ms: float) -> None:
    clock, cpu, done = Clock(), Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=cpu)
    long = lane.start(work("long", 1000, done, clock, 0.0001))
    slices, before = [], 0
    while not long.done():
        await asyncio.sleep(0)
        if len(done) > before:
            slices.append(len(done) - before)
            before = len(done)
            clock.now_s += 1.0  # of which other programs had the rest
            cpu.now_s += took_ms / 1000
    assert set(slices[1:-1]) <= {10 * slice_ms, 10 * slice_ms + 1}
    assert slices[0] in (5, 6), "nothing is known of others yet"


async def test_what_was_just_read_goes_out_before_the_next_slice() -> None:
    clock, done = Clock(), list[str]()
    loop, lane = asyncio.get_running_loop(), Lane(monotonic=clock, cpu_s=Clock())
    here, there = socket.socketpair()
    with here, there:

        def read() -> None:
            done.append(here.recv(1).decode())
            loop.call_soon(done.append, "sent")

        loop.add_reader(here, read)
        long = lane.start(work("slice", 100, done, clock, SLICE_S))
        while done.count("slice") < 50:
            await asyncio.sleep(0)
            if len(done) % 3 == 0:
                there.send(b"r")
        loop.remove_reader(here)
        await long
    said = " ".join(done)
    assert said.count("r sent") == said.count("r") > 10


async def test_who_has_more_to_do_takes_turns() -> None:
    clock, done = Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=Clock())
    await asyncio.gather(*(lane.start(work(name, 3, done, clock, SLICE_S)) for name in "ab"))
    assert done == ["a", "b", "a", "b", "a", "b"]


async def test_much_that_is_short_is_one_slice() -> None:
    clock, done = Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=Clock())
    many = [lane.start(work("short", 1, done, clock, 0.0)) for _ in range(100)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert all(each.done() for each in many)


async def test_what_is_short_is_done_at_once() -> None:
    clock, done = Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=Clock())
    running = lane.run(work("short", 3, done, clock, 0.0))
    with suppress(StopIteration):
        running.send(None)
    assert done == ["short"] * 3


async def test_what_begins_in_one_turn_shares_a_slice() -> None:
    clock, done = Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=Clock())
    running = [asyncio.create_task(lane.run(work(f"{number}", 1, done, clock, SLICE_S / 3))) for number in range(9)]
    await asyncio.sleep(0)
    assert len(done) == 3
    await asyncio.gather(*running)
    assert sorted(done) == [f"{number}" for number in range(9)]


@pytest.mark.parametrize(("took_s", "rests"), [(LONG_S, False), (1.01 * LONG_S, True)])
async def test_who_took_a_step_that_is_long_rests_while_others_go_on(took_s: float, *, rests: bool) -> None:
    clock, done = Clock(), list[str]()
    cpu = Clock()

    def slow() -> Steps[None]:
        for _ in range(2):
            done.append("slow")
            cpu.now_s += took_s
            clock.now_s += SLICE_S
            yield

    lane = Lane(monotonic=clock, cpu_s=cpu)
    first = lane.start(slow())
    others = lane.start(work("other", 3, done, clock, SLICE_S))
    await others
    assert (done.count("slow") == 1) is rests
    while not first.done():
        clock.now_s += 60
        await asyncio.sleep(0)
    assert done.count("slow") == 2


async def test_what_is_known_to_be_slow_waits_for_the_rest_of_others() -> None:
    clock, done = Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=Clock())
    assert lane.rest(2 * LONG_S)
    known = lane.start(work("known", 1, done, clock, 0.0), is_slow=True)
    await lane.start(work("other", 3, done, clock, SLICE_S))
    assert "known" not in done
    clock.now_s += 60
    await known


async def test_what_fails_or_is_given_up_is_told_to_its_owner_alone() -> None:
    clock, done = Clock(), list[str]()
    lane = Lane(monotonic=clock, cpu_s=Clock())

    def fails() -> Steps[None]:
        yield
        raise ValueError("a fault")

    bad, gone = lane.start(fails()), lane.start(work("gone", 3, done, clock, 0.0))
    good = lane.start(work("good", 3, done, clock, SLICE_S))
    gone.cancel()
    await good
    with pytest.raises(ValueError, match="a fault"):
        await bad
    assert done == ["good"] * 3
