"""The event loop of a server of its own, and the queue before its door."""

import asyncio
import contextlib
import functools
import selectors
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from collabdoc.config import Settings
from collabdoc.server.app import bind
from collabdoc.server.loop import (
    OTHERS_PER_TURN,
    PASSED_OVER_TURNS,
    SOCKETS_PER_SHARE,
    SOCKETS_PER_TURN,
    STEPS_PER_TURN,
    ServerLoop,
)

CROWD = 2 * SOCKETS_PER_TURN + 10


@contextlib.contextmanager
def socket_pairs(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(count)]
        for near, far in pairs:
            stack.enter_context(near)
            stack.enter_context(far)
        yield pairs


@pytest.mark.parametrize(("name", "some"), [("watch", SOCKETS_PER_TURN), ("add_reader", OTHERS_PER_TURN)])
def test_a_turn_looks_after_some_of_a_crowd_and_the_next_after_those_who_waited(name: str, some: int) -> None:
    async def turns() -> list[list[int]]:
        loop = asyncio.get_running_loop()
        heard: list[list[int]] = []
        for number, (near, far) in enumerate(pairs):
            hears = functools.partial(lambda place: heard[-1].append(place), number)
            getattr(loop, name)(near.fileno(), hears)
            far.send(b"for ever ready, for nobody reads it")
        for _ in range(2 + CROWD // some):
            heard.append([])
            await asyncio.sleep(0)
        for near, _ in pairs:
            getattr(loop, {"watch": "unwatch", "add_reader": "remove_reader"}[name])(near.fileno())
        return heard[1:]  # its own turn comes before theirs

    with socket_pairs(CROWD) as pairs, asyncio.Runner(loop_factory=ServerLoop) as runner:
        heard = runner.run(turns())
    assert [len(each) for each in heard[:-1]] == [some] * (len(heard) - 1)
    assert {place for each in heard for place in each} == set(range(CROWD))


def test_who_waits_for_a_turn_and_goes_is_not_called() -> None:
    async def story() -> list[int]:
        loop = asyncio.get_running_loop()
        heard: list[int] = []

        def hears(number: int) -> None:
            heard.append(number)
            if number == 0:
                for near, _ in pairs[1:]:
                    loop.remove_reader(near)

        for number, (near, far) in enumerate(pairs):
            loop.add_reader(near, hears, number)
            far.send(b"x")
        for _ in range(4):
            await asyncio.sleep(0)
        loop.remove_reader(pairs[0][0])
        return heard

    with socket_pairs(2 * OTHERS_PER_TURN) as pairs, asyncio.Runner(loop_factory=ServerLoop) as runner:
        heard = runner.run(story())
    assert set(heard) <= set(range(OTHERS_PER_TURN)), "those of the first turn were on their way"


def test_what_is_watched_is_called_in_each_turn_until_another_of_that_turn_or_itself_ends_it() -> None:
    async def turns() -> list[list[str]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ServerLoop)
        heard: list[list[str]] = []
        (a, b, c), far = [near.fileno() for near, _ in pairs], [far for _, far in pairs]

        def ends_both(name: str) -> None:
            heard[-1].append(name)
            loop.unwatch(a)
            loop.unwatch(b)

        loop.watch(a, lambda: heard[-1].append("replaced"))
        loop.watch(a, functools.partial(ends_both, "a"))
        loop.watch(b, functools.partial(ends_both, "b"))
        loop.watch(c, lambda: heard[-1].append("c"))
        for each in far:
            each.send(b"for nobody to read")
        for _ in range(3):
            heard.append([])
            await asyncio.sleep(0)
        loop.unwatch(a)  # which it is no more
        loop.unwatch(c)
        return heard

    with socket_pairs(3) as pairs, asyncio.Runner(loop_factory=ServerLoop) as runner:
        first, *later = runner.run(turns())
    assert sorted(first) in (["a", "c"], ["b", "c"])
    assert later == [["c"], ["c"]]


def noting_turns() -> tuple[ServerLoop, list[str]]:
    """The loop that runs, and where it notes each turn as it begins."""
    loop, done = asyncio.get_running_loop(), list[str]()
    assert isinstance(loop, ServerLoop)
    original = loop._run_once

    def run_once() -> None:
        done.append("turn")
        original()

    loop._run_once = run_once  # type: ignore[method-assign]
    return loop, done


def test_of_asyncios_steps_few_are_taken_in_a_turn_and_all_in_their_order() -> None:
    async def story() -> list[str]:
        loop, done = noting_turns()

        def step(number: int) -> None:
            done.append(str(number))
            if number < 5:  # behind those that were there before
                loop.call_soon(step, number + 10)

        for number in range(10):
            loop.call_soon(step, number)
        while "14" not in done:
            await asyncio.sleep(0)
        return done

    with asyncio.Runner(loop_factory=ServerLoop) as runner:
        done = runner.run(story())
    turns = " ".join(done).split("turn")
    assert max(len(turn.split()) for turn in turns) == STEPS_PER_TURN
    assert [each for each in done if each != "turn"] == [str(number) for number in range(15)]


def test_what_another_thread_puts_there_meanwhile_stays_in_its_order() -> None:
    """As commits are: those of a room are counted."""

    async def story() -> list[int]:
        loop = asyncio.get_running_loop()
        done: list[int] = []
        is_over = asyncio.Event()

        def busy() -> None:
            if not is_over.is_set():
                loop.call_soon(busy)

        def commit() -> None:
            for number in range(5_000):
                loop.call_soon_threadsafe(done.append, number)
            loop.call_soon_threadsafe(is_over.set)

        for _ in range(5 * STEPS_PER_TURN):
            loop.call_soon(busy)
        committing = threading.Thread(target=commit)
        committing.start()
        await is_over.wait()
        committing.join()
        return done

    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with asyncio.Runner(loop_factory=ServerLoop) as runner:
            assert runner.run(story()) == list(range(5_000))
    finally:
        sys.setswitchinterval(before_s)


def test_the_more_sockets_a_turn_hears_the_more_of_asyncios_steps_it_takes() -> None:
    async def story() -> list[str]:
        loop, done = noting_turns()
        for near, far in pairs:
            loop.watch(near.fileno(), lambda: None)
            far.send(b"for ever ready, for nobody reads it")
        await asyncio.sleep(0)
        for number in range(20 * STEPS_PER_TURN):
            loop.call_soon(done.append, str(number))
        while str(20 * STEPS_PER_TURN - 1) not in done:
            await asyncio.sleep(0)
        for near, _ in pairs:
            loop.unwatch(near.fileno())
        return done

    shares = 5
    with socket_pairs(shares * SOCKETS_PER_SHARE) as pairs, asyncio.Runner(loop_factory=ServerLoop) as runner:
        done = runner.run(story())
    steps = [len(turn.split()) for turn in " ".join(done).split("turn")]
    # One of each turn's is that of the one who waits for the last.
    assert max(steps) in (shares * STEPS_PER_TURN - 1, shares * STEPS_PER_TURN)
    assert len([each for each in steps if each]) <= 20 / shares + 2


def test_while_steps_wait_asyncio_is_told_of_nothing_new_but_not_for_ever() -> None:
    async def story() -> int:
        loop, done = noting_turns()
        heard = asyncio.Event()

        def busy() -> None:
            if not heard.is_set():
                loop.call_soon(busy)

        for _ in range(3 * STEPS_PER_TURN):
            loop.call_soon(busy)
        near, far = pairs[0]
        loop.add_reader(near, heard.set)
        far.send(b"x")
        async with asyncio.timeout(10):
            await heard.wait()
        loop.remove_reader(near)
        return done.count("turn")

    with socket_pairs(1) as pairs, asyncio.Runner(loop_factory=ServerLoop) as runner:
        turns = runner.run(story())
    assert PASSED_OVER_TURNS <= turns <= 4 * PASSED_OVER_TURNS


def test_while_only_what_is_watched_comes_the_system_is_asked_again_at_once_and_nobody_else_is_passed_over() -> None:
    async def story() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ServerLoop)
        heard: list[str] = []
        (near, far), (other, other_far) = pairs
        over, rounds = asyncio.Event(), 0
        original = loop._run_once

        def run_once() -> None:
            nonlocal rounds
            rounds += 1
            original()

        def answers(word: str, answer: bytes) -> None:
            heard.append(word)
            far.send(answer)

        def hears() -> None:
            heard.append(near.recv(1).decode())
            match heard[-1]:
                case "1" | "2" | "3":
                    far.send(str(int(heard[-1]) + 1).encode())
                case "4":
                    heard.append(f"{rounds} rounds")
                    loop.call_later(0.001, answers, "timer", b"5")
                case "5":
                    loop.call_soon(answers, "soon", b"6")
                case "6":
                    threading.Thread(target=loop.call_soon_threadsafe, args=(answers, "from a thread", b"7")).start()
                case "7":
                    loop.add_reader(other, over.set)
                    other_far.send(b"x")

        loop._run_once = run_once  # type: ignore[method-assign]  # counted
        loop.watch(near.fileno(), hears)
        far.send(b"1")
        await over.wait()
        loop.remove_reader(other)
        loop.unwatch(near.fileno())
        return heard

    with socket_pairs(2) as pairs, asyncio.Runner(loop_factory=ServerLoop) as runner:
        heard = runner.run(story())
    assert heard == ["1", "2", "3", "4", "1 rounds", "timer", "5", "soon", "6", "from a thread", "7"]


def test_what_is_watched_and_fails_is_told_of_and_takes_no_other_along() -> None:
    async def fail() -> tuple[list[BaseException], list[str]]:
        loop, told = a_loop_that_tells()
        done: list[str] = []
        (fails, far), (goes_on, far_too) = pairs
        loop.watch(fails.fileno(), functools.partial(_raise, _Panic()))
        loop.watch(goes_on.fileno(), lambda: done.append("the other"))
        far.send(b"a")
        far_too.send(b"a")
        await asyncio.sleep(0)
        for near, _ in pairs:
            loop.unwatch(near.fileno())
        return told, done

    with socket_pairs(2) as pairs, asyncio.Runner(loop_factory=ServerLoop) as runner:
        told, done = runner.run(fail())
    assert [type(each) for each in told] == [_Panic]
    assert done == ["the other"]


def test_the_end_of_a_turn_comes_before_the_system_is_asked_again_and_what_it_leaves_waits_for_nothing() -> None:
    async def order() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ServerLoop)
        done: list[str] = []

        def first() -> None:
            done.append("first")
            loop.call_last(lambda: done.append("left"))

        loop.call_last(first)
        loop.call_soon(lambda: done.append("next turn"))
        await asyncio.sleep(0)
        loop.call_later(5, done.append, "something else")
        while "left" not in done:
            await asyncio.sleep(0.001 if len(done) > 5 else 0)
        return done

    with asyncio.Runner(loop_factory=ServerLoop) as runner:
        assert runner.run(order())[:3] == ["first", "next turn", "left"]


def test_what_is_left_by_the_end_of_a_turn_is_done_though_nothing_else_happens() -> None:
    async def wait() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ServerLoop)
        done = asyncio.Event()
        loop.call_last(lambda: loop.call_last(done.set))
        await done.wait()

    with asyncio.Runner(loop_factory=ServerLoop) as runner:
        runner.run(asyncio.wait_for(wait(), 5))


def test_the_end_of_a_turn_that_fails_is_told_of_and_takes_no_other_along() -> None:
    async def fail() -> tuple[list[BaseException], list[str]]:
        loop, told = a_loop_that_tells()
        done: list[str] = []
        for fault in (RuntimeError(), _Panic()):
            loop.call_last(functools.partial(_raise, fault))
        loop.call_last(lambda: done.append("done"))
        await asyncio.sleep(0)
        return told, done

    with asyncio.Runner(loop_factory=ServerLoop) as runner:
        told, done = runner.run(fail())
    assert [type(each) for each in told] == [RuntimeError, _Panic]
    assert done == ["done"]


def a_loop_that_tells() -> tuple[ServerLoop, list[BaseException]]:
    """The loop that runs, and what it will be told that its callbacks have raised."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ServerLoop)
    told: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    return loop, told


class _Panic(BaseException):
    """As pycrdt's, which is no `Exception`."""


def _raise(fault: BaseException) -> None:
    raise fault


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
