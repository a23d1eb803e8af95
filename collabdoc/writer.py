"""Ordered batches, commit, then acknowledgement.

1. One thread owns the store's writing side. Work is done in the order in which it was given; all appends that wait
   are committed together.
2. A submitter hears of a commit in the loop's thread, after it. Nothing is reported that was not committed.
3. A commit that fails is tried again, unchanged, while new edits are refused; one whose failure a retry would hide
   (`StoreStopped`) ends all writing. So memory stays bounded and nothing is silently buffered.
4. Edits of a document that the store does not have are reported as such, and cost no other document its commit.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from collabdoc.config import Limits
from collabdoc.errors import StoreError, StoreStopped
from collabdoc.store.base import Append, Store

log = logging.getLogger(__name__)

RETRY_S = 1.0
_LEAST = 0.5
"""For so much of `commit_ms` edits gather in any case."""
_ALONG_S = 0.015
"""So long a commit that is due waits, at most, for an edit that takes it along."""
_Result = TypeVar("_Result")

Submission = tuple[Append, Callable[[int | None], None]]
"""Edits of one document, and who hears of their commit, or (None) that the store has no such document."""


@dataclass(slots=True)
class _Work:
    """Edits of one document, or a call of the store that keeps its place among them."""

    submitted_s: float
    size_bytes: int
    append: Append | None
    committed: Callable[[int | None], None] | None
    call: Callable[[], Any] | None = None
    future: "asyncio.Future[Any] | None" = None


class Writer:
    """Feeds a store from the loop; `async with` starts and stops its thread."""

    def __init__(self, store: Store, limits: Limits, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._limits = limits
        self._monotonic = monotonic
        self._waiting: deque[_Work] = deque()
        self._waiting_edits = self._waiting_calls = self._waiting_bytes = 0
        self._oldest_s: float | None = None  # kept beside the queue: the loop reads it without the lock
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)  # entering which is two calls of Python more
        self._is_idle = False
        # While the next commit waits for edits: when it is due, and when it is if `commit_edits` have come.
        self._due_s = self._due_with_many_s = math.inf
        self._stopping = False
        self._failing: str | None = None
        self.has_ended = False
        """Whether edits that wait will never be committed."""
        self._thread = threading.Thread(target=self._run, name="collabdoc-writer", daemon=True)

    async def __aenter__(self) -> "Writer":
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what waits, as far as the store lets, and end the thread."""
        with self._lock:
            self._stopping = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    def submit(self, submissions: Iterable[Submission]) -> None:
        """Queue edits; each callback is called in the loop with the sequence number of the last of its edits.

        Once writing has ended they are dropped: nobody is told that they are saved, and their authors keep them.
        """
        now_s = self._monotonic()
        self._put([_Work(now_s, sum(map(len, append.updates)), append, tell) for append, tell in submissions])

    async def call(self, function: Callable[[], _Result]) -> _Result:
        """Run a writing call of the store after all that was submitted before it. Raises what it raises."""
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        if not self._put([_Work(self._monotonic(), 0, None, None, function, future)]):
            raise StoreStopped("nothing can be written any more, the server is stopping or its disk failed")
        return await future

    def refusal(self) -> str | None:
        """Why no edit can be taken now; None where it can."""
        if self._failing is not None:
            return f"edits cannot be saved now: {self._failing}"
        if self._waiting_bytes > self._limits.writer_queue_bytes:
            return f"edits cannot be saved now: {self._waiting_bytes} bytes wait for the disk"
        oldest_s = self._oldest_s
        if oldest_s is not None and self._monotonic() - oldest_s > self._limits.max_commit_lag_s:
            return f"edits cannot be saved now: the disk is more than {self._limits.max_commit_lag_s:g} s behind"
        return None

    def _put(self, works: Sequence[_Work]) -> bool:
        if not works:
            return True
        with self._lock:
            if self._stopping:
                return False
            if not self._waiting:
                self._oldest_s = works[0].submitted_s
            self._waiting.extend(works)
            self._count(works, 1)
            # Else it looks by itself, and waking it would only cost the loop its turn.
            if self._is_idle or (self._due_s < math.inf and self._is_due()):
                self._wake.notify()
            return True

    def _count(self, works: Iterable[_Work], sign: int) -> None:
        for work in works:
            if work.append is None:
                self._waiting_calls += sign
            else:
                self._waiting_edits += sign * len(work.append.updates)
                self._waiting_bytes += sign * work.size_bytes

    def _is_due(self) -> bool:
        """Whether the next commit has waited for edits long enough, for so many as there are."""
        many = self._waiting_edits >= self._limits.commit_edits
        due_s = self._due_with_many_s if many else self._due_s
        return self._stopping or self._waiting_calls > 0 or self._monotonic() >= due_s

    # In the writer's thread

    def _run(self) -> None:
        try:
            while group := self._take_group():
                begun_s = self._monotonic()
                if group[0].append is None:
                    self._run_call(group[0])
                else:
                    edits = self._commit(group)
                    self._pause(begun_s, edits)
        except StoreError as error:
            log.critical("writing has ended, restart the server when the disk is well: %s", error)
            self._end(error)
        except Exception as error:
            log.critical("writing has ended over a fault of the store, restart the server", exc_info=True)
            self._end(StoreStopped(f"{type(error).__name__}: {error}"))

    def _take_group(self) -> list[_Work]:
        """Wait for work; none where all is done and no more will come."""
        with self._lock:
            self._is_idle = True
            self._wake.wait_for(lambda: self._waiting or self._stopping)
            self._is_idle = False
            return self._next_group()

    def _pause(self, begun_s: float, edits: int) -> None:
        """After a commit of so many edits let some gather for the next, which costs the same for one as for many.

        One edit alone may be of somebody who waits for each, and many gain nothing by more. Once a commit is due, the
        first edit that comes takes it along: behind that one's turn of the loop the processor is awake. A commit out of
        its sleep takes a third more of it.
        """
        gather_s = self._limits.commit_ms / 1000
        with self._lock:
            self._due_with_many_s = begun_s + _LEAST * gather_s
            self._due_s = self._due_with_many_s if edits == 1 else begun_s + gather_s
            self._wake.wait_for(self._is_due, timeout=max(0.0, self._due_s - self._monotonic()) + _ALONG_S)
            self._due_s = math.inf

    def _next_group(self) -> list[_Work]:
        """The appends at the head of the queue, or the one call that is there. They stay queued until done."""
        group: list[_Work] = []
        rows = 0
        for work in self._waiting:
            if work.append is None:
                return group or [work]
            rows += len(work.append.updates)
            if group and rows > self._limits.commit_rows:
                break
            group.append(work)
        return group

    def _commit(self, group: Sequence[_Work]) -> int:
        """How many edits that were. Raises the `StoreError` over which writing ends."""
        appends = _joined([work.append for work in group if work.append is not None])
        while True:
            try:
                last_seqs = dict(zip([append.document for append in appends], self._store.append(appends), strict=True))
                break
            except StoreStopped:
                raise
            except StoreError as error:
                self._report_failure(str(error))
                with self._lock:
                    if self._wake.wait_for(lambda: self._stopping, timeout=RETRY_S):
                        log.critical("stopping with %d edits that could not be saved", len(group))
                        raise
        if self._failing is not None:
            log.warning("edits can be saved again")
        self._finish(group, lambda: self._report(group, last_seqs))
        return sum(len(append.updates) for append in appends)

    def _run_call(self, work: _Work) -> None:
        assert work.call is not None
        future = work.future
        assert future is not None
        try:
            result = work.call()
        except StoreStopped:
            raise  # what it began to write may be lost, and with it all that is committed after it
        except Exception as error:  # noqa: BLE001  # handed to whoever awaits the call
            self._finish([work], lambda failure=error: _settle(future, None, failure))  # type: ignore[misc]
        else:
            self._finish([work], lambda: _settle(future, result, None))

    def _finish(self, group: Sequence[_Work], report: Callable[[], None]) -> None:
        with self._lock:
            for _ in group:
                self._waiting.popleft()
            self._count(group, -1)
            self._oldest_s = self._waiting[0].submitted_s if self._waiting else None
        self._failing = None
        self._loop.call_soon_threadsafe(report)

    def _report(self, group: Sequence[_Work], last_seqs: dict[str, int | None]) -> None:
        """In the loop: tell each submitter its last sequence number, later ones of a document the higher."""
        left = dict.fromkeys(last_seqs, 0)
        for work in group:
            assert work.append is not None
            left[work.append.document] += len(work.append.updates)
        for work in group:
            assert work.append is not None
            assert work.committed is not None
            document = work.append.document
            left[document] -= len(work.append.updates)
            last_seq = last_seqs[document]
            try:
                work.committed(None if last_seq is None else last_seq - left[document])
            except Exception:  # one document's trouble is not to cost others their SAVED
                log.exception("document %a: a commit could not be reported", document)

    def _report_failure(self, reason: str) -> None:
        if self._failing is None:
            log.error("edits cannot be saved: %s", reason)
        self._failing = reason

    def _end(self, error: StoreError) -> None:
        self._report_failure(str(error))
        with self._lock:
            self._stopping = self.has_ended = True
            calls = [work.future for work in self._waiting if work.future is not None]
        for future in calls:
            self._loop.call_soon_threadsafe(_settle, future, None, error)


def _joined(appends: Sequence[Append]) -> list[Append]:
    """One append a document, its updates in order and the last of its titles."""
    updates: dict[str, list[bytes]] = {}
    meta: dict[str, tuple[str, str]] = {}
    for append in appends:
        updates.setdefault(append.document, []).extend(append.updates)
        if append.meta is not None:
            meta[append.document] = append.meta
    return [Append(document, batch, meta.get(document)) for document, batch in updates.items()]


def _settle(future: "asyncio.Future[Any]", result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
