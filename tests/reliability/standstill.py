"""How long a server is away over an update that makes pycrdt stand still.

    python -m tests.reliability.standstill --rounds 5

Each round is a new server, with the watchdog. A client makes a document of 140,000 pieces and sends 200 inserts that
each come before all of them, and the time until the server answers again is taken.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient

from collabdoc.protocol.messages import Saved, Update
from tests.process import WATCHED, ServerProcess
from tests.protocol.crafting import update
from tests.server.wire import Wire
from tests.test_watchdog import BASE, SLOW


async def away_s(folder: Path) -> float:
    with ServerProcess(folder, program=WATCHED) as server:
        mallory = await Wire.connect(server)
        await mallory.opens("a")
        mallory.says(Update(1, 1, BASE))
        await mallory.hears(Saved)
        await mallory.socket.write_message(b"\x92\x06\x01", binary=True)
        mallory.says(Update(1, 2, update(SLOW)))
        await mallory.hears_any()  # the answer to a ping that came before
        began_s = time.monotonic()
        await AsyncHTTPClient().fetch(f"{server.url}/healthz", request_timeout=60)
        return time.monotonic() - began_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    arguments = parser.parse_args()
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            print(f"away for {asyncio.run(away_s(Path(folder))):.1f} s", flush=True)


if __name__ == "__main__":
    main()
