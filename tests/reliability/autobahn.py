"""The Autobahn fuzzing client against an echo on the frames and connections of this server.

    python -m tests.reliability.autobahn --wstest PATH

`wstest` is of autobahntestsuite 25.10.1, in an environment of Python 2.7 (`virtualenv<20.22` makes one). Cases 12
and 13 are of compression, which this server does not offer.
"""

import argparse
import asyncio
import json
import socket
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from collabdoc.lane import Lane
from collabdoc.server.connection import Connection, Speaker
from collabdoc.server.frames import TEXT, encode_frame
from collabdoc.server.handshake import Handshake

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

    def on_drained(self) -> None:
        while self._waiting and not self.connection.is_congested:
            self.connection.write(self._waiting.pop(0))

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


async def run(wstest: Path, cases: list[str], folder: Path) -> Counter[str]:
    """How often each verdict was given; what failed is printed."""
    server, port = serve()
    spec = {
        "outdir": str(folder / "report"),
        "servers": [{"agent": "collabdoc", "url": f"ws://127.0.0.1:{port}/"}],
        "cases": cases,
        "exclude-cases": _COMPRESSION,
        "exclude-agent-cases": {},
    }
    (folder / "spec.json").write_text(json.dumps(spec))
    client = await asyncio.create_subprocess_exec(
        str(wstest), "-m", "fuzzingclient", "-s", str(folder / "spec.json"), stdout=asyncio.subprocess.DEVNULL
    )
    assert await client.wait() == 0
    server.stop()
    report = json.loads((folder / "report" / "index.json").read_text())["collabdoc"]
    verdicts: Counter[str] = Counter()
    for case, found in report.items():
        verdicts[found["behavior"]] += 1
        verdicts[f"close {found['behaviorClose']}"] += 1
        if found["behavior"] in _WORST or found["behaviorClose"] in _WORST:
            print(f"case {case}: {found['behavior']}, close {found['behaviorClose']}")
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wstest", type=Path, required=True, help="the fuzzing client")
    parser.add_argument("--cases", nargs="*", default=["*"], help="such as 7.9.* (default: all)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdicts = asyncio.run(run(arguments.wstest, arguments.cases, Path(folder)))
    print(dict(verdicts))
    sys.exit(1 if verdicts["FAILED"] or verdicts["close FAILED"] else 0)


if __name__ == "__main__":
    main()
