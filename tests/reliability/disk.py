"""Let the disk fail under a server that is written to, and look what is refused, what is read, and what is lost.

    python -m tests.reliability.disk --seconds 10 --seed 1
    python -m tests.reliability.disk --fault full --seconds 60

For so many seconds the server's disk is full, read-only, gives errors for writes or for reads, takes 5 s for a commit,
or does not confirm what it was to keep (fsync fails). `small` is a file system in memory that is really full, but for
some pages, which the server fills itself; it needs root, and is left out without. Meanwhile edits have to be refused
with a reason, or be saved; documents have to be read; and once the disk is well again, everything that waits has to be
saved by itself. After an fsync that failed nothing may be reported saved until the server is started again. In the end
the server is killed with -9, and no edit that was reported saved may be missing.
"""

import argparse
import asyncio
import errno
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pycrdt import Text
from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect

from collabdoc.client import connect
from collabdoc.document import make_update
from collabdoc.protocol import native
from collabdoc.protocol.messages import Closed, Open, Opened, Rejected, Saved, Update
from tests.process import ServerProcess
from tests.reliability import faults
from tests.reliability.crash import Writer, read_documents
from tests.reliability.small_disk import SmallDisk, no_small_disk

FAULTS = {
    "full": {"write_error": errno.ENOSPC},
    "read-only": {"write_error": errno.EROFS},
    "write errors": {"write_error": errno.EIO},
    "read errors": {"read_error": errno.EIO},
    "slow": {"sync_delay_ms": 5_000},
    "unconfirmed": {"sync_error": errno.EIO},
}
SMALL = "small"
_WELL = {"write_error": 0, "read_error": 0, "sync_delay_ms": 0, "sync_error": 0}
_CLIENTS = 6
_ANSWERED_WITHIN_S = 20.0
_RECOVERED_WITHIN_S = 60.0
_HELD_AFTER_S = 3.0
_HELD = "held"


class FailingDisk:
    """One that pretends."""

    def __init__(self, fault: str, folder: Path) -> None:
        self.data = folder / "data"
        self._fault = FAULTS[fault]
        self._faults = faults.Faults(faults.build(folder), self.data, folder / "control")
        self.environment = self._faults.environment

    def fail(self) -> None:
        self._faults.set(**self._fault)

    def mend(self) -> None:
        self._faults.set(**_WELL)


@contextmanager
def disk_that_fails(fault: str, seed: int, folder: Path) -> Iterator[FailingDisk | SmallDisk]:
    if fault == SMALL:
        with SmallDisk(folder, random.Random(seed)) as disk:
            yield disk
    else:
        yield FailingDisk(fault, folder)


class Company:
    """A server, those who write to it, and what they found wrong."""

    def __init__(self, fault: str, seed: int, disk: FailingDisk | SmallDisk) -> None:
        self.fault = fault
        self.broken: list[str] = []
        self.refusals: set[str] = set()
        self.writers = [Writer(number, random.Random(f"{seed} {number}")) for number in range(_CLIENTS)]
        self.disk = disk
        self.server = ServerProcess(disk.data, environment=disk.environment)

    async def run(self, seconds: float) -> None:
        await asyncio.to_thread(self.server.start)
        clients = [connect(self.server.url, max_backoff_s=0.5) for _ in self.writers]
        for client in clients:
            await client.__aenter__()
        tasks = [asyncio.create_task(w.run(client)) for w, client in zip(self.writers, clients, strict=True)]
        await self._within(_RECOVERED_WITHIN_S, lambda: min(self.saved()) > 20, "no edit was saved")
        self.disk.fail()
        await self._while_failing(seconds)
        self.disk.mend()
        if self.fault == "unconfirmed":
            await self._look_for_pretence()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        edits = [len(writer.edits) for writer in self.writers]
        await self._within(_RECOVERED_WITHIN_S, lambda: self.saved() == edits, "what waited was not saved by itself")
        saved = self.saved()
        self.server.kill()
        texts = await asyncio.to_thread(read_documents, self.disk.data)
        for writer, count in zip(self.writers, saved, strict=True):
            lost = writer.missing(texts.get(writer.name, ""), count)
            self.broken += [f"{what} was saved and is missing" for what in lost]
        for client in clients:
            with suppress(Exception):
                await client.__aexit__(None, None, None)

    def saved(self) -> list[int]:
        return [len(w.edits) - w.document.unsaved if w.document else 0 for w in self.writers]

    async def _while_failing(self, seconds: float) -> None:
        ends_s = time.monotonic() + seconds
        while (not self.refusals and self.fault not in ("slow", "read errors")) or time.monotonic() < ends_s:
            answer = await self._ask("an edit", self._edit)
            if self.fault not in ("slow", "read errors") and answer not in (None, _HELD):
                self.refusals.add(answer)
            if self.fault != "read errors":
                await self._ask("reading", self._read)
            if time.monotonic() > ends_s + _ANSWERED_WITHIN_S:
                self.broken.append("edits were not refused")
                return
            await asyncio.sleep(0.2)

    async def _look_for_pretence(self) -> None:
        """The disk says that it is well again, and still nothing may be reported saved."""
        saved = self.saved()
        if await self._ask("an edit", self._edit) is None:
            self.broken.append("an edit was saved after an fsync that failed")
        await self._ask("reading", self._read)
        if self.saved() != saved:
            self.broken.append("edits were reported saved after an fsync that failed")
        self.server.kill()
        texts = await asyncio.to_thread(read_documents, self.disk.data)
        for writer, count in zip(self.writers, saved, strict=True):
            self.broken += [f"{what} was saved and is missing" for what in writer.missing(texts[writer.name], count)]
        await asyncio.to_thread(self.server.start)

    async def _edit(self) -> str | None:
        """Why an edit of a newcomer was refused; None where it was saved, `_HELD` where it waits for the disk."""
        socket = await websocket_connect(
            self.server.url.replace("http", "ws") + "/ws", subprotocols=[native.SUBPROTOCOL]
        )
        try:
            async with asyncio.timeout(_HELD_AFTER_S):
                await socket.write_message(native.encode_client(Open(1, self.writers[0].name, b"\x00")), binary=True)
                while isinstance(frame := await socket.read_message(), bytes):
                    match native.decode_server(frame):
                        case Opened():
                            update = make_update(lambda doc: doc.get("probe", type=Text).insert(0, "x"))
                            await socket.write_message(native.encode_client(Update(1, 1, update)), binary=True)
                        case Saved():
                            return None
                        case Rejected(_, _, _, reason) | Closed(_, _, reason):
                            return str(reason)
        except TimeoutError:
            return _HELD  # taken before the disk was known to fail
        finally:
            socket.close()
        raise AssertionError("the server closed the line")

    async def _read(self) -> None:
        """A newcomer's copy, and an export."""
        async with connect(self.server.url) as client:
            document = await client.open(self.writers[0].name)
            await document.synced()
            assert str(document.doc.get("content", type=Text)), "a newcomer got an empty document"
        name = self.writers[0].name
        response = await AsyncHTTPClient().fetch(f"{self.server.url}/api/documents/{name}/content?format=text")
        assert response.body, "an export is empty"

    async def _ask(self, what: str, question: Callable[[], Awaitable[str | None]]) -> str | None:
        try:
            async with asyncio.timeout(_ANSWERED_WITHIN_S):
                return await question()
        except Exception as error:
            self.broken.append(f"{what} failed: {type(error).__name__}: {error}")
            return ""

    async def _within(self, seconds: float, condition: Callable[[], bool], otherwise: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            self.broken.append(otherwise)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="how long the disk fails, each time (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="replays the same edits (default: 1)")
    parser.add_argument("--fault", choices=[*FAULTS, SMALL], help="one of them (default: all)")
    arguments = parser.parse_args()
    broken = 0
    for fault in [arguments.fault] if arguments.fault else [*FAULTS, SMALL]:
        if fault == SMALL and (reason := no_small_disk()):
            print(f"{fault}: left out, {reason}", file=sys.stderr)
            continue
        with (
            tempfile.TemporaryDirectory() as folder,
            disk_that_fails(fault, arguments.seed, Path(folder)) as disk,
        ):
            company = Company(fault, arguments.seed, disk)
            asyncio.run(company.run(arguments.seconds))
        edits = sum(len(writer.edits) for writer in company.writers)
        print(f"{fault}: {edits} edits, {len(company.broken)} broken promises, refused with {sorted(company.refusals)}")
        print(*company.broken, sep="\n", flush=True)
        broken += len(company.broken)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
