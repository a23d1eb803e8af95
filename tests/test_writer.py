"""The writer: order, commits of many at once, and what it does when the disk does not."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from collabdoc import writer as writer_module
from collabdoc.config import Limits
from collabdoc.errors import StoreError, StoreStopped
from collabdoc.store.base import Append, Store
from collabdoc.writer import Writer
from tests.limits import bounds

MISSING = "missing"


class Disk:
    """A store of which only the writing side exists. It counts, and it waits or fails when told to."""

    def __init__(self) -> None:
        self.commits: list[list[tuple[str, list[bytes], tuple[str, str] | None]]] = []
        self.seqs: dict[str, int] = {}
        self.failures: list[Exception] = []
        self.gate = threading.Event()
        self.gate.set()
        self.tries = 0
        self.tried = threading.Semaphore(0)

    def append(self, appends: Sequence[Append]) -> list[int | None]:
        self.tries += 1
        self.tried.release()
        assert self.gate.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        self.commits.append([(append.document, list(append.updates), append.meta) for append in appends])
        for append in appends:
            self.seqs[append.document] = self.seqs.get(append.document, 0) + len(append.updates)
        return [None if append.document == MISSING else self.seqs[append.document] for append in appends]

    @property
    def written(self) -> list[bytes]:
        return [update for commit in self.commits for _, updates, _ in commit for update in updates]


class Desk:
    """A writer on a disk, and what it has told."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.disk = Disk()
        self.now_s = 0.0
        self.told: list[tuple[str, int | None]] = []
        self.writer = Writer(cast(Store, self.disk), limits or Limits(), monotonic=lambda: self.now_s)

    def submit(self, *updates: bytes, to: str = "d", meta: tuple[str, str] | None = None) -> None:
        self.writer.submit([(Append(to, updates, meta), lambda seq: self.told.append((to, seq)))])

    @property
    def sizes(self) -> list[int]:
        """How many edits each commit had."""
        return [sum(len(updates) for _, updates, _ in commit) for commit in self.disk.commits]

    async def heard(self, count: int) -> None:
        """So many submitters were told."""
        while len(self.told) < count:
            await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Everything submitted so far is committed and told."""
        await self.writer.call(lambda: None)

    async def tried(self) -> None:
        """The disk was asked for one more commit."""
        assert await asyncio.to_thread(self.disk.tried.acquire, timeout=10)

    async def ended(self) -> None:
        """Writing has ended, as whoever calls is told."""
        with pytest.raises(StoreStopped):
            await self.writer.call(lambda: None)


@asynccontextmanager
async def a_desk(limits: Limits | None = None) -> AsyncIterator[Desk]:
    desk = Desk(limits)
    async with desk.writer:
        yield desk
        desk.disk.gate.set()


def run(story: Callable[[Desk], Awaitable[None]], limits: Limits | None = None) -> Desk:
    async def tell() -> Desk:
        async with a_desk(limits) as desk:
            await story(desk)
        return desk

    return asyncio.run(tell())


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "RETRY_S", 0.001)


# Order


def test_edits_are_committed_in_order_and_each_submitter_hears_its_own_number() -> None:
    async def story(desk: Desk) -> None:
        desk.submit(b"a", b"b")
        desk.submit(b"x", to="other")
        desk.submit(b"c")
        await desk.settled()
        assert desk.disk.written == [b"a", b"b", b"c", b"x"]
        assert desk.told == [("d", 2), ("other", 1), ("d", 3)]
        desk.submit(b"e")
        await desk.settled()
        assert desk.told[3:] == [("d", 4)]

    run(story)


def test_what_waits_is_committed_together_with_one_append_a_document() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"first")
        await desk.tried()
        for number in range(100):
            desk.submit(b"%d" % number, to=f"d{number % 2}")
        desk.disk.gate.set()
        await desk.settled()
        assert desk.disk.tries == 2
        assert [(name, len(updates)) for name, updates, _ in desk.disk.commits[1]] == [("d0", 50), ("d1", 50)]
        assert desk.told[1:] == [(f"d{number % 2}", number // 2 + 1) for number in range(100)]

    run(story)


@bounds("commit_ms")
@pytest.mark.parametrize(("edits", "waits_s"), [(1, 1800.0), (2, 3600.0)])
@pytest.mark.parametrize("is_over", [False, True])
def test_the_next_commit_waits_for_edits_and_half_as_long_after_one_alone(
    *, edits: int, waits_s: float, is_over: bool
) -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(*[b"first"] * edits)
        await desk.tried()
        desk.now_s += waits_s if is_over else waits_s - 1
        desk.disk.gate.set()
        await desk.heard(1)
        desk.submit(b"second")
        if is_over:
            await desk.heard(2)
        else:
            await asyncio.sleep(0.02)  # long enough to commit it, if it were committed
        desk.submit(b"third")

    desk = run(story, Limits(commit_ms=3_600_000))
    assert desk.sizes == ([edits, 1, 1] if is_over else [edits, 2])


def test_a_commit_that_is_due_goes_with_the_first_edit_that_comes_then() -> None:
    async def story(desk: Desk) -> None:
        desk.submit(b"first", b"second")
        await desk.heard(1)
        desk.submit(b"third")
        desk.now_s += 3599
        desk.submit(b"fourth")
        await asyncio.sleep(0.02)  # long enough to commit them, if they were committed
        assert desk.sizes == [2]
        desk.now_s += 1
        desk.submit(b"fifth")
        await desk.heard(4)
        assert desk.sizes == [2, 3]

    run(story, Limits(commit_ms=3_600_000))


def test_edits_gather_between_two_commits_and_a_stop_does_not_wait_for_more() -> None:
    async def story(desk: Desk) -> None:
        desk.submit(b"first")
        await desk.heard(1)
        for number in range(100):
            desk.submit(b"%d" % number)
            await asyncio.sleep(0)

    desk = run(story, Limits(commit_ms=3_600_000, commit_edits=101))
    assert desk.sizes == [1, 100]


@bounds("commit_edits")
@pytest.mark.parametrize(("edits", "waits_s"), [(63, 3600.0), (64, 1800.0)])
def test_where_so_many_wait_half_the_time_is_enough(edits: int, waits_s: float) -> None:
    async def story(desk: Desk) -> None:
        desk.submit(b"first", b"second")
        await desk.heard(1)
        desk.submit(*[b"x"] * (edits - 2))
        desk.now_s += waits_s - 1
        desk.submit(b"x")
        await asyncio.sleep(0.02)  # long enough to commit them, if they were committed
        assert desk.sizes == [2]
        desk.now_s += 1
        desk.submit(b"x")
        await desk.heard(4)
        assert desk.sizes == [2, edits]

    run(story, Limits(commit_ms=3_600_000))


def test_edits_that_came_during_a_commit_count_among_those_that_wait() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"first", b"second")
        await desk.tried()
        desk.submit(*[b"x"] * 64)
        desk.now_s += 1800
        desk.disk.gate.set()
        await desk.heard(2)
        assert desk.sizes == [2, 64]

    run(story, Limits(commit_ms=3_600_000))


def test_a_call_does_not_wait_for_edits_to_gather() -> None:
    async def story(desk: Desk) -> None:
        desk.submit(b"first")
        await desk.heard(1)
        desk.submit(b"second")
        assert await desk.writer.call(lambda: list(desk.disk.written)) == [b"first", b"second"]

    run(story, Limits(commit_ms=3_600_000))


def test_the_last_title_of_a_commit_counts() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"first")
        await desk.tried()
        desk.submit(b"a", meta=("A", "text"))
        desk.submit(b"b", meta=("B", "text"))
        desk.submit(b"c")
        desk.disk.gate.set()
        await desk.settled()
        assert desk.disk.commits[1] == [("d", [b"a", b"b", b"c"], ("B", "text"))]

    run(story)


@bounds("commit_rows")
def test_a_commit_holds_so_many_edits_and_no_more() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"first")
        await desk.tried()
        for count in (2, 3, 1, 9):
            desk.submit(*[b"x"] * count)
        desk.disk.gate.set()
        await desk.settled()
        assert [len(commit[0][1]) for commit in desk.disk.commits] == [1, 5, 1, 9]

    run(story, Limits(commit_rows=5))


def test_a_call_keeps_its_place_among_the_edits() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"before")
        seen = asyncio.ensure_future(desk.writer.call(lambda: list(desk.disk.written)))
        await asyncio.sleep(0)
        desk.submit(b"after")
        desk.disk.gate.set()
        assert await seen == [b"before"]
        await desk.settled()
        assert desk.disk.written == [b"before", b"after"]
        assert desk.disk.tries == 2

    run(story)


def test_who_calls_hears_of_earlier_commits_first() -> None:
    async def story(desk: Desk) -> None:
        desk.submit(b"a")
        await desk.writer.call(lambda: None)
        assert desk.told == [("d", 1)]

    run(story)


def test_a_call_gives_what_it_returns_or_raises_and_writing_goes_on() -> None:
    async def story(desk: Desk) -> None:
        assert await desk.writer.call(lambda: 42) == 42

        def fail() -> None:
            raise StoreError("not now")

        with pytest.raises(StoreError, match="not now"):
            await desk.writer.call(fail)
        with pytest.raises(ZeroDivisionError):
            await desk.writer.call(lambda: 1 // 0)
        desk.submit(b"a")
        await desk.settled()
        assert desk.disk.written == [b"a"]
        assert desk.writer.refusal() is None

    run(story)


def test_a_caller_who_gave_up_leaves_the_rest_alone() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"a")
        call = asyncio.ensure_future(desk.writer.call(lambda: None))
        await asyncio.sleep(0)
        call.cancel()
        desk.disk.gate.set()
        await desk.settled()
        assert desk.told == [("d", 1)]

    run(story)


def test_the_store_is_written_in_one_thread_that_is_not_the_loops() -> None:
    threads: list[threading.Thread] = []

    async def story(desk: Desk) -> None:
        for _ in range(3):
            await desk.writer.call(lambda: threads.append(threading.current_thread()))

    run(story)
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()


# Failing


def test_nothing_is_told_before_the_commit() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"a")
        await desk.tried()
        await asyncio.sleep(0)
        assert desk.told == []

    assert run(story).told == [("d", 1)]


def test_a_commit_that_failed_is_tried_again_unchanged_while_edits_are_refused() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.failures = [StoreError("disk full"), StoreError("disk still full")]
        desk.disk.gate.clear()
        desk.submit(b"a", meta=("T", "text"))
        await desk.tried()
        assert desk.writer.refusal() is None
        desk.disk.gate.set()
        await desk.settled()
        assert desk.disk.commits == [[("d", [b"a"], ("T", "text"))]]
        assert desk.disk.tries == 3
        assert desk.told == [("d", 1)]
        assert desk.writer.refusal() is None

    run(story)


def test_while_commits_fail_the_refusal_gives_the_reason() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.failures = [StoreError("disk full")] * 10_000
        desk.submit(b"a")
        await desk.tried()
        await desk.tried()
        assert desk.writer.refusal() == "edits cannot be saved now: disk full"
        assert desk.told == []

    run(story)


def test_edits_that_wait_while_commits_fail_are_committed_after_them() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.failures = [StoreError("disk full")] * 3
        desk.submit(b"a")
        await desk.tried()
        desk.submit(b"b")
        await desk.settled()
        assert desk.disk.written == [b"a", b"b"]
        assert desk.told == [("d", 1), ("d", 2)]

    run(story)


STOPPED = StoreStopped("the disk did not confirm a write")


async def stops_over_a_commit(desk: Desk) -> None:
    desk.disk.failures = [STOPPED]
    desk.submit(b"a")
    await desk.ended()


async def stops_over_a_call(desk: Desk) -> None:
    def fail() -> None:
        raise STOPPED

    with pytest.raises(StoreStopped, match="did not confirm"):
        await desk.writer.call(fail)


async def stops_over_a_fault_of_ours(desk: Desk) -> None:
    desk.disk.failures = [UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")]
    desk.submit(b"a")
    await desk.ended()


@pytest.mark.parametrize("stops", [stops_over_a_commit, stops_over_a_call, stops_over_a_fault_of_ours])
def test_what_a_retry_would_hide_ends_all_writing_for_good(stops: Callable[[Desk], Awaitable[None]]) -> None:
    async def story(desk: Desk) -> None:
        await stops(desk)
        refusal = desk.writer.refusal()
        assert refusal is not None
        tries = desk.disk.tries
        desk.submit(b"later")
        with pytest.raises(StoreStopped):
            await desk.writer.call(lambda: None)
        assert desk.disk.tries == tries
        assert desk.writer.refusal() == refusal

    desk = run(story)
    assert desk.told == []
    assert desk.disk.written == []


def test_calls_that_wait_behind_the_end_of_writing_fail_and_do_not_hang() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.failures = [STOPPED]
        desk.disk.gate.clear()
        desk.submit(b"a")
        await desk.tried()
        calls = [asyncio.ensure_future(desk.writer.call(lambda: None)) for _ in range(3)]
        await asyncio.sleep(0)
        desk.submit(b"b")
        desk.disk.gate.set()
        for outcome in await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10):
            assert isinstance(outcome, StoreStopped)

    assert run(story).told == []


def test_edits_of_a_document_that_is_not_there_cost_the_others_nothing() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"first")
        await desk.tried()
        desk.submit(b"a", to=MISSING)
        desk.submit(b"b")
        desk.submit(b"c", to=MISSING)
        desk.disk.gate.set()
        await desk.settled()
        assert desk.told[1:] == [(MISSING, None), ("d", 2), (MISSING, None)]
        assert desk.writer.refusal() is None

    run(story)


# Limits


@bounds("max_commit_lag_s")
def test_a_lagging_disk_refuses_edits_until_it_caught_up() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"a")
        await desk.tried()
        desk.now_s = 3.0
        desk.submit(b"b")
        desk.now_s = 6.0
        assert desk.writer.refusal() is None
        desk.now_s = 6.1
        assert "6 s behind" in (desk.writer.refusal() or "")
        desk.disk.gate.set()
        await desk.settled()
        assert desk.writer.refusal() is None

    run(story, Limits(max_commit_lag_s=6.0))


def test_an_idle_writer_never_lags() -> None:
    async def story(desk: Desk) -> None:
        desk.submit(b"a")
        await desk.settled()
        desk.now_s = 1000.0
        assert desk.writer.refusal() is None

    run(story)


@bounds("writer_queue_bytes")
def test_a_full_queue_refuses_edits_until_it_is_shorter() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"x" * 60, b"x" * 40)
        assert desk.writer.refusal() is None
        desk.submit(b"x")
        assert "101 bytes wait" in (desk.writer.refusal() or "")
        desk.disk.gate.set()
        await desk.settled()
        assert desk.writer.refusal() is None

    run(story, Limits(writer_queue_bytes=100))


# Stopping


def test_stopping_commits_and_tells_what_waits() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.gate.clear()
        desk.submit(b"a")
        await desk.tried()
        desk.submit(b"b")

    desk = run(story)
    assert desk.disk.written == [b"a", b"b"]
    assert desk.told == [("d", 1), ("d", 2)]


def test_stopping_while_commits_fail_gives_up_and_tells_nothing() -> None:
    async def story(desk: Desk) -> None:
        desk.disk.failures = [StoreError("disk full")] * 10_000
        desk.submit(b"a")
        await desk.tried()

    desk = run(story)
    assert desk.told == []


def test_after_stopping_edits_are_dropped_and_calls_refused() -> None:
    async def tell() -> Desk:
        async with a_desk() as desk:
            pass
        desk.submit(b"late")
        with pytest.raises(StoreStopped):
            await desk.writer.call(lambda: None)
        return desk

    assert asyncio.run(tell()).disk.tries == 0
