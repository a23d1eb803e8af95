"""Hostile bytes for a running server, in every dialect and over HTTP, while two bystanders write in the same document.

    python -m tests.reliability.fuzz_server --seconds 60 --seed 1

The bystanders have to keep their connections, agree in the end and have everything saved. Told are how long an edit
takes from one to the other, during the attack and as long before and after it together, how long the server stood
still at most, as seen by one that pings all the time and by what one turn of its loop took of the processor, and how
its memory grew. Where there are two cores, the server has one, attackers and bystanders share the other. When an edit
comes is told by `ear.py`: the bystanders have to take what attackers write, too.
"""

import argparse
import asyncio
import concurrent.futures
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycrdt import Doc, Map
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from collabdoc.protocol import native
from collabdoc.protocol.messages import Closed, Open, Opened, Ping, Saved, Update, Updates
from tests.process import ServerProcess
from tests.reliability.attackers import DOCUMENTS, apart_from, attack, stand_back
from tests.reliability.ear import listening
from tests.reliability.turns import PROGRAM, Turns

MEMORY_DRIFT_BYTES = 20 * 2**20
LONGEST_TURN_MS = 250
_EVERY_S = 0.02
_ROOT, _KEY = "bystanders", "now"
_SETTLED_S = 4.0


@dataclass(slots=True)
class Figures:
    """Of one phase."""

    edits_ms: list[float] = field(default_factory=list)
    pings_ms: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return sorted(self.edits_ms)[int(len(self.edits_ms) * 0.99)]

    def __str__(self) -> str:
        return (
            f"{len(self.edits_ms)} edits, p50 {statistics.median(self.edits_ms):.1f} ms, p99 {self.p99_ms:.1f} ms, "
            f"longest {max(self.edits_ms):.0f} ms; ping at most {max(self.pings_ms):.0f} ms"
        )


class Bystander:
    """One honest client: keeps a map of its own in the document."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.doc: Doc[Any] = Doc()
        self.sent = self.saved = 0
        self.closed: object = None
        self._values: Map[Any] = self.doc.get(_ROOT, type=Map)
        self._opened = asyncio.Event()
        self._ponged = asyncio.Event()
        self._hears = False
        self._subscription = self.doc.observe(self._note)

    async def connect(self, port: int) -> None:
        request = HTTPRequest(f"ws://127.0.0.1:{port}/ws")
        self._socket: WebSocketClientConnection = await websocket_connect(
            request, subprotocols=[native.SUBPROTOCOL], max_message_size=2**27
        )
        assert self._socket.protocol is not None
        self._socket.protocol.set_nodelay(True)  # else an edit waits for the answer to the one before it
        self._say(Open(1, DOCUMENTS[0], b"\x00"))
        self.reading = asyncio.create_task(self._read())
        await self._opened.wait()

    def writes(self) -> float:
        """The time, in place of the one before: else most of the document, and of what it costs, would be these."""
        self._values[_KEY] = time_s = time.monotonic()
        return time_s

    async def pings(self) -> None:
        while True:
            began_s = time.monotonic()
            self._ponged.clear()
            self._say(Ping(1))
            await self._ponged.wait()
            self.figures.pings_ms.append(1000 * (time.monotonic() - began_s))
            await asyncio.sleep(0.005)

    def read(self) -> dict[str, float]:
        return dict(self._values.to_py() or {})

    def _say(self, message: Any) -> None:
        self._socket.write_message(native.encode_client(message), binary=True).add_done_callback(
            lambda done: done.exception()
        )

    def _note(self, event: Any) -> None:
        if not self._hears:
            self.sent += 1
            self._say(Update(1, self.sent, event.update))

    async def _read(self) -> None:
        try:
            await self._read_on()
        except BaseException as error:  # of pycrdt in this client, also a panic
            self.closed = repr(error)
            raise

    async def _read_on(self) -> None:
        while isinstance(frame := await self._socket.read_message(), bytes):
            match native.decode_server(frame):
                case Opened(update=update):
                    self._apply(update)
                    self._opened.set()
                case Updates(updates=updates):
                    for update in updates:
                        self._apply(update)
                case Saved(id=id_):
                    self.saved = id_
                case Closed() as closed:
                    self.closed = closed
                    return
                case _:
                    self._ponged.set()
        self.closed = self.closed or "the socket"

    def _apply(self, update: bytes) -> None:
        self._hears = True
        try:
            self.doc.apply_update(update)
        finally:
            self._hears = False


async def run(seconds: float, seed: int, data: Path) -> list[str]:
    """What went wrong."""
    quiet, attacked = Figures(), Figures()
    turns = Turns(data.with_name("turns"))
    environment = {**turns.environment, "COLLABDOC_LIMITS__ROOM_IDLE_S": "2"}
    with (
        ServerProcess(data, program=PROGRAM, environment=environment) as server,
        apart_from(server.pid),
        listening(server.port, DOCUMENTS[0]) as heard_ms,
        concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), stand_back) as pool,
    ):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(pool, stand_back)  # the process has started, and imported what it needs
        writer, reader, pinged = Bystander(quiet), Bystander(quiet), Bystander(quiet)
        bystanders = (writer, reader, pinged)
        for bystander in bystanders:
            await bystander.connect(server.port)
        pinging = asyncio.create_task(pinged.pings())
        written_s: list[float] = []

        async def write(until_s: float) -> None:
            while time.monotonic() < until_s and not any(bystander.closed for bystander in bystanders):
                written_s.append(writer.writes())
                await asyncio.sleep(_EVERY_S)

        alone_s = max(2.0, seconds / 2)
        await write(time.monotonic() + alone_s)
        memory_bytes = _memory_bytes(server.pid)
        turns.take()
        first_attacked, pinged.figures = len(written_s), attacked
        attacking = loop.run_in_executor(pool, attack, server.port, seed, seconds)
        await write(time.monotonic() + seconds)
        sent = await attacking
        turn = turns.take()
        await asyncio.sleep(_SETTLED_S)
        first_after, pinged.figures = len(written_s), quiet
        await write(time.monotonic() + alone_s)
        await asyncio.sleep(_SETTLED_S)
        wrong = []
        pinging.cancel()
        heard = heard_ms()
        for number, time_s in enumerate(written_s):
            if time_s in heard:
                (attacked if first_attacked <= number < first_after else quiet).edits_ms.append(heard[time_s])
        if unheard := len(written_s) - len(quiet.edits_ms) - len(attacked.edits_ms):
            wrong.append(f"of {len(written_s)} edits {unheard} were not heard")
        for bystander, what in zip(bystanders, ("who writes", "who reads", "who is pinged"), strict=True):
            if bystander.closed:
                wrong.append(f"{what} lost the document: {bystander.closed}")
        if writer.saved != writer.sent:
            wrong.append(f"{writer.sent - writer.saved} edits are not saved")
        if not reader.read() == writer.read() == {_KEY: written_s[-1]}:
            wrong.append(f"{reader.read()} came, and the last edit was {written_s[-1]}")
        grown = _memory_bytes(server.pid) - memory_bytes
        if grown > MEMORY_DRIFT_BYTES:
            wrong.append(f"the memory grew by {grown} bytes")
        if turn.busy_ms > LONGEST_TURN_MS:
            wrong.append(f"one turn of the loop took {turn.busy_ms:.0f} ms of the processor")
        print(f"longest turn of the server's loop {turn}")
        print(f"alone: {quiet}\nattacked: {attacked}, p99 {attacked.p99_ms / quiet.p99_ms:.1f} times as long")
        print(f"{sum(sent.values())} inputs: {dict(sent)}")
        print(f"memory {grown / 2**20:+.1f} MiB from {memory_bytes / 2**20:.0f} MiB")
        for bystander in bystanders:
            bystander.reading.cancel()
            bystander._socket.close()
        if server.terminate() != 0:
            wrong.append("the server did not stop in order")
    return wrong


def _memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of the attack (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="the same attackers again (default: 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = asyncio.run(run(arguments.seconds, arguments.seed, Path(folder) / "data"))
    print("\n".join(wrong) or "nothing went wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
