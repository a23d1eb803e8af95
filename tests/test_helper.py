"""The helper process: what it does, and that nothing that happens in it reaches the server."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pycrdt import Text

from collabdoc.document import EMPTY_UPDATE, compact, make_meta, make_update
from collabdoc.errors import HelperError
from collabdoc.helper import Helper, _cut
from tests.protocol.crafting import first, section, update

MIB = 1024 * 1024

TYPED = update(section(1, 0, first("hello")))
# yrs passes all earlier values of a key for each one that claims to be the first: a square of their number.
ENDLESS = update(section(2, 0, *[b"\x28\x01\x04meta\x05title\x01\x7e"] * 50_000))


def run(story: Callable[[Helper], Awaitable[None]], *, memory_bytes: int = 1024 * MIB, timeout_s: float = 20.0) -> None:
    async def tell() -> None:
        async with Helper(memory_bytes=memory_bytes, timeout_s=timeout_s) as helper:
            await story(helper)

    asyncio.run(tell())


def typed(text: str) -> bytes:
    return make_update(lambda doc: doc.get("content", type=Text).insert(0, text))


def own_memory_bytes(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:")) * 1024


async def works(helper: Helper) -> bool:
    return await helper.compact(EMPTY_UPDATE, [TYPED]) == compact(EMPTY_UPDATE, [TYPED])


def test_it_compacts_and_exports_as_the_server_would() -> None:
    async def story(helper: Helper) -> None:
        plan = make_meta(title="Plan", kind="text")
        updates = [typed("ä text 😀\n"), TYPED]
        snapshot = await helper.compact(plan, updates)
        assert snapshot == compact(plan, updates)
        assert (await helper.export(plan, updates, "text")).decode() == "ä text 😀\n"
        assert await helper.export(snapshot, [], "text") == await helper.export(plan, updates, "text")
        assert await helper.export(plan, updates, "yjs") == snapshot

    run(story)


def test_an_empty_document_exports_too() -> None:
    async def story(helper: Helper) -> None:
        assert await helper.export(EMPTY_UPDATE, [], "text") == b""

    run(story)


def test_large_documents_go_there_and_back() -> None:
    async def story(helper: Helper) -> None:
        large = typed("x" * (20 * MIB))
        assert await helper.compact(EMPTY_UPDATE, [large]) == large

    run(story)


@pytest.mark.skipif(sys.platform != "linux", reason="it is glibc that keeps memory")
def test_what_a_task_took_is_not_kept_for_the_next_one() -> None:
    async def story(helper: Helper) -> None:
        assert await works(helper)
        assert helper._process is not None
        before = own_memory_bytes(helper._process.pid)
        pieces = await helper.compact(EMPTY_UPDATE, [update(section(1, 0, *[first("x")] * 20_000))])
        assert await helper.compact(pieces, [typed("x" * (20 * MIB))])
        async with asyncio.timeout(5):  # it does that behind the answer
            while own_memory_bytes(helper._process.pid) > before + 4 * MIB:
                await asyncio.sleep(0.01)

    run(story)


def test_it_is_given_much_in_pieces_for_which_others_need_not_wait() -> None:
    small, large = [bytes([number]) * 1000 for number in range(200)], bytes(range(256)) * 1000
    for contents in ([], [b""], small, [large], [b"", large, *small, large[:-1], b"", large]):
        pieces = list(_cut(contents))
        assert b"".join(pieces) == b"".join(contents)
        assert max(map(len, pieces)) <= 64 * 1024
        assert len(pieces) <= 2 + len(b"".join(contents)) // (32 * 1024)


def test_the_loop_goes_round_while_much_goes_there_and_back() -> None:
    async def story(helper: Helper) -> None:
        large = typed("x" * (20 * MIB))
        assert await works(helper)
        task = asyncio.ensure_future(helper.compact(large, []))
        longest_s = 0.0
        while not task.done():
            began_s = time.thread_time()
            await asyncio.sleep(0)
            longest_s = max(longest_s, time.thread_time() - began_s)
        assert await task == large
        assert longest_s < 0.01  # in one go 0.05 s and more

    run(story)


def test_tasks_that_are_given_at_once_are_done_one_by_one() -> None:
    async def story(helper: Helper) -> None:
        texts = [f"text {number}" for number in range(5)]
        exports = [helper.export(EMPTY_UPDATE, [typed(text)], "text") for text in texts]
        assert [export.decode() for export in await asyncio.gather(*exports)] == texts

    run(story)


def test_a_task_that_fails_gives_its_reason_and_the_next_one_works() -> None:
    async def story(helper: Helper) -> None:
        with pytest.raises(HelperError, match="DocumentBroken"):
            await helper.compact(EMPTY_UPDATE, [b"\xff\xff"])
        with pytest.raises(HelperError, match="UnknownFormat"):
            await helper.export(EMPTY_UPDATE, [], "docx")
        process = helper._process
        assert await works(helper)
        assert helper._process is process

    run(story)


def test_a_task_without_end_is_ended_and_the_next_one_works() -> None:
    async def story(helper: Helper) -> None:
        with pytest.raises(HelperError, match="more than 3 s"):
            await helper.compact(TYPED, [ENDLESS])
        assert await works(helper)

    run(story, timeout_s=3.0)


def test_a_task_that_takes_all_memory_is_ended_and_the_next_one_works() -> None:
    async def story(helper: Helper) -> None:
        with pytest.raises(HelperError):
            await helper.compact(EMPTY_UPDATE, [typed("x" * (100 * MIB))])
        assert await works(helper)

    run(story, memory_bytes=400 * MIB)


@pytest.mark.parametrize("when", ["in a task", "between two tasks"])
def test_a_helper_that_dies_is_replaced(when: str) -> None:
    async def story(helper: Helper) -> None:
        assert await works(helper)
        process = helper._process
        assert process is not None
        if when == "in a task":
            task = asyncio.ensure_future(helper.compact(TYPED, [ENDLESS]))
            await asyncio.sleep(0)  # it is being written
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(HelperError, match="crashed"):
                await task
        else:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
        assert await works(helper)

    run(story)


def test_who_gave_up_waiting_leaves_no_answer_for_the_next() -> None:
    async def story(helper: Helper) -> None:
        assert await works(helper)
        task = asyncio.ensure_future(helper.export(EMPTY_UPDATE, [typed("not for you")], "text"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await helper.export(EMPTY_UPDATE, [typed("for you")], "text") == b"for you"

    run(story)


def test_it_leaves_the_processor_to_who_types() -> None:
    async def story(helper: Helper) -> None:
        assert await works(helper)
        assert helper._process is not None
        assert os.getpriority(os.PRIO_PROCESS, helper._process.pid) > os.getpriority(os.PRIO_PROCESS, 0)

    run(story)


def test_leaving_ends_the_process() -> None:
    processes: list[asyncio.subprocess.Process] = []

    async def story(helper: Helper) -> None:
        assert await works(helper)
        assert helper._process is not None
        processes.append(helper._process)

    run(story)
    assert processes[0].returncode == -signal.SIGKILL
