"""For scripts: one document edited in a `with` block, without a word of asyncio.

The loop runs only when the block is entered and left, so the document stands still in between, and what the block does
leaves as one edit.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from collabdoc.client.connection import Client, connect
from collabdoc.client.document import LiveDocument
from collabdoc.errors import UsageError

_Result = TypeVar("_Result")


@contextmanager
def edit(url: str, name: str, *, token: str | None = None, timeout_s: float = 60.0) -> Iterator[LiveDocument]:
    """Open a document at `url`, give it to the block, and come back once all that the block did is saved.

    Raises `Refused` where the server says no, `TimeoutError` where opening or saving takes longer than `timeout_s`, and
    `UsageError` where this thread runs a loop already (in async code and notebooks: `async with connect(...)`). Where
    the block raises, nothing of it is sent.
    """
    _check_no_loop()
    with asyncio.Runner() as runner:
        client = connect(url, token=token)
        runner.run(client.__aenter__())
        try:
            document = runner.run(_within(timeout_s, client.open(name), client))
            yield document
            runner.run(_within(timeout_s, document.saved(), client))
        except BaseException:
            client.hang_up()  # before the loop runs again: an edit that waits in it is not to leave
            raise
        finally:
            runner.run(client.__aexit__(None, None, None))


def _check_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError("this thread runs an event loop already: use `async with connect(...)`, or another thread")


async def _within(timeout_s: float, work: Coroutine[Any, Any, _Result], client: Client) -> _Result:
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except TimeoutError:
        trouble = client.trouble
        why = f": {trouble.reason}" if trouble else ""
        raise TimeoutError(f"the server did not answer within {timeout_s:g} s{why}") from None
