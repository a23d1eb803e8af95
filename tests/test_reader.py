"""The store's reading thread."""

import threading

import pytest

from collabdoc.errors import StoreError
from collabdoc.reader import Reader

pytestmark = pytest.mark.gen_test


async def test_reads_run_in_one_thread_that_is_not_the_loops() -> None:
    async with Reader() as reader:
        threads = {await reader.call(threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_what_a_read_raises_is_raised_to_its_caller_and_the_next_is_served() -> None:
    def fail() -> None:
        raise StoreError("no disk")

    async with Reader() as reader:
        with pytest.raises(StoreError, match="no disk"):
            await reader.call(fail)
        assert await reader.call(lambda: 5) == 5


async def test_its_thread_ends_with_it() -> None:
    async with Reader() as reader:
        thread = await reader.call(threading.current_thread)
    assert not thread.is_alive()
