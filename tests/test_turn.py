"""The end of a turn: stages in their order, each thing once, and nothing that a fault takes along."""

import asyncio
from collections.abc import Collection

import pytest

from collabdoc.turn import Turn

pytestmark = pytest.mark.gen_test(timeout=10)


class Log:
    """A turn whose stages write down what they did."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.done: list[tuple[str, list[str]]] = []
        self.turn.flush.do = lambda items: self.note("flush", items)
        self.turn.send.do = lambda items: self.note("send", items)
        self.turn.store.do = lambda items: self.note("store", items)

    def note(self, stage: str, items: Collection[str]) -> None:
        self.done.append((stage, list(items)))


async def test_stages_are_done_in_order_and_each_thing_once() -> None:
    log = Log()
    log.turn.store.add("c")
    for item in ("b", "a", "b"):
        log.turn.send.add(item)
    log.turn.flush.add("d")
    assert log.done == []
    await asyncio.sleep(0)
    assert log.done == [("flush", ["d"]), ("send", ["b", "a"]), ("store", ["c"])]


async def test_what_a_stage_leaves_to_a_later_one_is_done_in_the_same_turn_and_to_an_earlier_in_the_next() -> None:
    log = Log()

    def flush(items: Collection[str]) -> None:
        log.note("flush", items)
        log.turn.send.add("x")

    def send(items: Collection[str]) -> None:
        log.note("send", items)
        log.turn.send.do = lambda again: log.note("send", again)
        log.turn.send.add("rest")

    log.turn.flush.do, log.turn.send.do = flush, send
    log.turn.flush.add("a")
    await asyncio.sleep(0)
    assert log.done == [("flush", ["a"]), ("send", ["x"])]
    await asyncio.sleep(0)
    assert log.done[2:] == [("send", ["rest"])]


async def test_a_stage_that_fails_takes_no_other_along_and_no_later_turn() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    for fault in (RuntimeError("a fault"), _Panic("of pycrdt")):
        log = Log()

        def fail(_: object, fault: BaseException = fault) -> None:
            raise fault

        log.turn.flush.do = fail
        log.turn.flush.add("a")
        log.turn.store.add("b")
        for _ in range(2):  # after a panic the rest is done in the next turn
            await asyncio.sleep(0)
        assert log.done == [("store", ["b"])]
        log.turn.store.add("c")
        await asyncio.sleep(0)
        assert log.done[1:] == [("store", ["c"])]


class _Panic(BaseException):
    """As pyo3's, which is no `Exception`."""
