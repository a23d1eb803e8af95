"""One thread for the store's reading side, beside the writer's."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Result = TypeVar("_Result")


class Reader:
    """`async with` starts and stops the thread."""

    async def __aenter__(self) -> "Reader":
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="collabdoc-reader")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._executor.shutdown()

    async def call(self, read: Callable[[], _Result]) -> _Result:
        """Run a reading call of the store. Raises what it raises."""
        return await self._loop.run_in_executor(self._executor, read)
