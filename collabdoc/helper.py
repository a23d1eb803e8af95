"""A helper process with limits of memory and time, for work that a crafted document could make endless.

Compaction, and reading content for an export, walk structures that clients made; some of them never end, or take all
memory, inside pycrdt and with the interpreter's lock held. So they run here: when a task takes too long or the process
dies, the task fails, the process is replaced, and the server never noticed.

Wire, lengths in 4 bytes, big-endian. To the helper: a length and one msgpack value, `[task, [bytes of the snapshot, of
each update], [argument, ...]]`, then the snapshot and the updates. Back: 1 byte (1: a result, 0: the reason why there
is none), a length and the result or the reason. Both go piece by piece: to copy 24 MiB once held the loop up for 20 ms.
"""

import asyncio
import contextlib
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import BinaryIO

import msgpack

from collabdoc.errors import HelperError
from collabdoc.memory import give_back

_REQUEST, _ANSWER = struct.Struct(">I"), struct.Struct(">?I")
_PIECE_BYTES = 64 * 1024
"""What a pipe holds."""
_NICENESS = 5
"""Where server and helper have one core, whoever types comes before a snapshot, which gets a fourth of it at least."""
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
                    process.stdin.write(_REQUEST.pack(len(head)) + head)
                    for piece in _cut(contents):
                        process.stdin.write(piece)
                        await process.stdin.drain()
                        await asyncio.sleep(0)  # a helper that reads as fast as this writes is not to hold others up
                    good, length = _ANSWER.unpack(await process.stdout.readexactly(_ANSWER.size))
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
                "-m",
                "collabdoc.helper",
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


def main() -> None:
    """The helper process: tasks from standard input until it ends."""
    _limit_memory(int(sys.argv[1]))
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    timeout_s = float(sys.argv[2])
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while len(head := stdin.read(_REQUEST.size)) == _REQUEST.size:
        (head_bytes,) = _REQUEST.unpack(head)
        good, result = _do(stdin, head_bytes, timeout_s)
        stdout.write(_ANSWER.pack(good, len(result)))
        stdout.write(result)
        stdout.flush()
        del result  # else it waits here for the next task
        give_back()


def _do(stdin: BinaryIO, head_bytes: int, timeout_s: float) -> tuple[bool, bytes]:
    task, sizes, arguments = msgpack.unpackb(stdin.read(head_bytes))
    snapshot, *updates = [stdin.read(size) for size in sizes]
    _arm(timeout_s)
    try:
        answer = True, _TASKS[task](snapshot, updates, *arguments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  # a panic of pycrdt is no Exception; the reason is the answer
        answer = False, f"{type(error).__name__}: {error!s:.500}".encode(errors="replace")
    _arm(0)
    return answer


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on this platform: the time limit remains
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _arm(timeout_s: float) -> None:
    """Let the system end this process in so many seconds; 0: not any more. No Python runs within an endless task."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, timeout_s)


def _compact(snapshot: bytes, updates: list[bytes]) -> bytes:
    from collabdoc.document import compact

    return compact(snapshot, updates)


def _export(snapshot: bytes, updates: list[bytes], format_: str) -> bytes:
    from collabdoc.content import export_document
    from collabdoc.document import EMPTY_UPDATE, Document

    # As the live document took them, one by one: merged they may not load, or to something else.
    whole = Document(snapshot, updates).diff(EMPTY_UPDATE[:1])
    return export_document(whole, format_)


_TASKS: dict[str, Callable[..., bytes]] = {"compact": _compact, "export": _export}

if __name__ == "__main__":
    main()
