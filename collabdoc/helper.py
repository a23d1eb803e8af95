"""A helper process with limits of memory and time, for work that a crafted document could make endless.

Compaction, and reading content for an export, walk structures that clients made; some of them never end, or take all
memory, inside pycrdt and with the interpreter's lock held. So they run here: when a task takes too long or the process
dies, the task fails, the process is replaced, and the server never noticed.

What is said to the process and by it (`tasks.py`) goes piece by piece: to copy 24 MiB once held the loop up for 20 ms.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence

import msgpack

from collabdoc.errors import HelperError
from collabdoc.tasks import ANSWER, REQUEST

PROGRAM = """import os
if hasattr(os, "nice"):
    os.nice(10)
from collabdoc.tasks import main
main()
"""
"""Where server and helper have one core, whoever types comes before a snapshot, which gets a tenth of it at least; and
before what a helper that starts has to import, a tenth of a second of the processor's time. With a fourth of it, the
server waited for its core for more than 1 ms 169 times in 30 s of an attack; with a tenth 59 times."""
_PIECE_BYTES = 64 * 1024
"""What a pipe holds."""
_GRACE_S = 1.0
"""A helper whose server is gone ends by itself so much later than the server would have ended it."""


class Helper:
    """Runs tasks one at a time in a process that is started when needed."""

    def __init__(self, *, memory_bytes: int, timeout_s: float) -> None:
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> "Helper":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kill()

    async def compact(self, snapshot: bytes, updates: Sequence[bytes]) -> bytes:
        """`document.compact`. Raises `HelperError`."""
        return await self._run("compact", [snapshot, *updates])

    async def export(self, snapshot: bytes, updates: Sequence[bytes], format_: str) -> bytes:
        """The document's content in a format of `content.FORMATS`. Raises `HelperError`."""
        return await self._run("export", [snapshot, *updates], format_)

    async def _run(self, task: str, contents: Sequence[bytes], *arguments: str) -> bytes:
        head = msgpack.packb([task, [*map(len, contents)], arguments])
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    process = await self._started()
                    assert process.stdin is not None
                    assert process.stdout is not None
                    process.stdin.write(REQUEST.pack(len(head)) + head)
                    for piece in _cut(contents):
                        process.stdin.write(piece)
                        await process.stdin.drain()
                        await asyncio.sleep(0)  # a helper that reads as fast as this writes is not to hold others up
                    good, length = ANSWER.unpack(await process.stdout.readexactly(ANSWER.size))
                    pieces = [piece async for piece in _read_pieces(process.stdout, length)]
            except TimeoutError:
                await self._kill()
                raise HelperError(f"the task took more than {self._timeout_s:g} s") from None
            except (OSError, asyncio.IncompleteReadError):
                await self._kill()
                raise HelperError("the task took too much memory or crashed") from None
            except asyncio.CancelledError:
                await self._kill()  # its answer would be taken for the next task's
                raise
        # In a thread: joining lets others run meanwhile, where it is much.
        result = await asyncio.to_thread(b"".join, pieces) if len(pieces) > 1 else b"".join(pieces)
        if not good:
            raise HelperError(result.decode())
        return result

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is not None:
            await self._kill()  # it died between two tasks
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                PROGRAM,
                str(self._memory_bytes),
                str(self._timeout_s + _GRACE_S),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "RUST_BACKTRACE": "0"},
                start_new_session=True,  # Ctrl-C in a terminal is for the server, which then ends the helper
            )
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            # communicate, not wait: it also closes the pipes.
            await process.communicate()


def _cut(contents: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """All of these, one after the other, in pieces of at most a size."""
    gathered: list[bytes] = []
    size = 0
    for content in contents:
        if size + len(content) > _PIECE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
        if len(content) > _PIECE_BYTES:
            whole = memoryview(content)
            yield from (whole[start : start + _PIECE_BYTES] for start in range(0, len(whole), _PIECE_BYTES))
        else:
            gathered.append(content)
            size += len(content)
    yield b"".join(gathered)


async def _read_pieces(stream: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await stream.read(min(length, _PIECE_BYTES))
        if not piece:
            raise asyncio.IncompleteReadError(b"", length)
        yield piece
        length -= len(piece)
