"""The Autobahn fuzzing client against `/ws` of a server, or an echo on the same frames and connections.

    python -m tests.reliability.autobahn ws --wstest PATH
    python -m tests.reliability.autobahn echo --wstest PATH

`wstest` is of autobahntestsuite 25.10.1, in an environment of Python 2.7 (`virtualenv<20.22` makes one). Cases 12
and 13 are of compression, which this server does not offer.

`/ws` echoes nothing, so that the suite's own verdicts mean nothing there. What it sends and hears goes through a line
that keeps it, and each case is judged by that: pings answered, and the connection closed as `rfc6455` says, or not.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from collabdoc.config import Limits
from collabdoc.lane import Lane
from collabdoc.server.connection import Connection, Speaker
from collabdoc.server.frames import TEXT, encode_frame
from collabdoc.server.handshake import Handshake
from tests.process import ServerProcess
from tests.reliability.rfc6455 import faults

LIMIT_BYTES = 32 * 2**20
_COMPRESSION = ["12.*", "13.*"]
_WORST = ("FAILED", "NON-STRICT")


class Echo:
    """Says what it hears, all of it: what the peer cannot take yet waits."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._waiting: list[bytes] = []

    def take_frames(self) -> bytes:
        return b""

    def on_message(self, message: str | bytes) -> None:
        frame = encode_frame(message.encode() if isinstance(message, str) else message)
        if isinstance(message, str):
            frame = bytes((0x80 | TEXT,)) + frame[1:]
        self._waiting.append(frame)
        self.on_drained()

    def on_messages(self, messages: Sequence[bytes]) -> int:
        self.on_message(messages[0])
        return 1

    def on_drained(self) -> None:
        while self._waiting and not self.connection.is_congested:
            self.connection.write(self._waiting.pop(0))

    def pause_s(self, messages: int) -> float:
        return 0.0

    def on_slow(self) -> None: ...

    def on_close(self) -> None:
        self._waiting.clear()


class _EchoHandshake(Handshake):
    def initialize(self) -> None:  # type: ignore[override]  # it needs no server
        pass

    def prepare(self) -> None:
        pass

    def check_origin(self, origin: str) -> bool:
        return True

    def get_websocket_protocol(self) -> Any:
        return Connection(LIMIT_BYTES, Lane())

    def speak(self, connection: Connection, subprotocol: str | None) -> Speaker:
        return Echo(connection)


def serve() -> tuple[HTTPServer, int]:
    """Listens on a free port, which is told."""
    server = HTTPServer(Application([("/", _EchoHandshake)]))
    sockets = bind_sockets(0, "127.0.0.1", socket.AF_INET)
    server.add_sockets(sockets)
    return server, sockets[0].getsockname()[1]


class Line:
    """A port that leads to another, and keeps what each connection brought, either way."""

    def __init__(self, target: int) -> None:
        self.kept: list[tuple[bytearray, bytearray]] = []
        self._target = target

    async def listen(self) -> int:
        """The port."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept = (bytearray(), bytearray())
        self.kept.append(kept)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_copy(reader, far_writer, kept[0]), _copy(far_reader, writer, kept[1]))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(2**16):
            kept += data
            writer.write(data)
            await writer.drain()
    writer.close()


async def send_cases(wstest: Path, cases: list[str], folder: Path, url: str) -> dict[str, Any]:
    """Let the fuzzing client send its cases, one after the other; its report by case, in that order."""
    spec = {
        "outdir": str(folder / "report"),
        "servers": [{"agent": "collabdoc", "url": url}],
        "cases": cases,
        "exclude-cases": _COMPRESSION,
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    client = await asyncio.create_subprocess_exec(
        str(wstest), "-m", "fuzzingclient", "-s", str(folder / "spec.json"), stdout=asyncio.subprocess.DEVNULL
    )
    assert await client.wait() == 0
    report: dict[str, Any] = json.loads((folder / "report" / "index.json").read_text())["collabdoc"]
    return dict(sorted(report.items(), key=lambda case: list(map(int, case[0].split(".")))))


async def run_echo(wstest: Path, cases: list[str], folder: Path) -> bool:
    """Whether the suite has no fault to find; how often it gave each verdict, and what failed, is printed."""
    server, port = serve()
    report = await send_cases(wstest, cases, folder, f"ws://127.0.0.1:{port}/")
    server.stop()
    verdicts: Counter[str] = Counter()
    for case, found in report.items():
        verdicts[found["behavior"]] += 1
        verdicts[f"close {found['behaviorClose']}"] += 1
        if found["behavior"] in _WORST or found["behaviorClose"] in _WORST:
            print(f"case {case}: {found['behavior']}, close {found['behaviorClose']}")
    print(dict(verdicts))
    return not (verdicts["FAILED"] or verdicts["close FAILED"])


async def run_ws(wstest: Path, cases: list[str], folder: Path) -> bool:
    """Whether `/ws` ends each connection as it has to; how many it closed with which code is printed."""
    codes: Counter[str] = Counter()
    with ServerProcess(folder / "data") as server:
        line = Line(server.port)
        report = await send_cases(wstest, cases, folder, f"ws://127.0.0.1:{await line.listen()}/ws")
        assert len(line.kept) == len(report), "one connection for each case"
        good = True
        for (case, found), (sent, heard) in zip(report.items(), line.kept, strict=True):
            codes[str(found["remoteCloseCode"])] += 1
            for fault in faults(_after_handshake(sent), _after_handshake(heard), Limits().frame_bytes):
                good = False
                print(f"case {case}: {fault}")
        print(f"{len(report)} cases, closed with {dict(codes)}")
        return server.terminate() == 0 and good


def _after_handshake(octets: bytearray) -> bytes:
    return bytes(octets).partition(b"\r\n\r\n")[2]


RUNS = {"ws": run_ws, "echo": run_echo}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=list(RUNS), help="whom the fuzzing client talks to")
    parser.add_argument("--wstest", type=Path, required=True, help="the fuzzing client")
    parser.add_argument("--cases", nargs="*", default=["*"], help="such as 7.9.* (default: all)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        good = asyncio.run(RUNS[arguments.peer](arguments.wstest, arguments.cases, Path(folder)))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
