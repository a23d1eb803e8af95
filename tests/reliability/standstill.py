"""How long a server is away over an update that makes pycrdt stand still.

    python -m tests.reliability.standstill --rounds 5

Each round is a new server, with the watchdog. A client sends an update over which its library is made to stand still
for good, and the time until the server answers again is taken.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient

from collabdoc.protocol.messages import Update
from tests.process import ServerProcess
from tests.server.wire import Wire, typed
from tests.standing import STILL, WATCHED
from tests.test_watchdog import until_closed


async def away_s(folder: Path) -> float:
    with ServerProcess(folder, program=WATCHED) as server:
        mallory = await Wire.connect(server)
        await mallory.opens("a")
        began_s = time.monotonic()
        mallory.says(Update(1, 1, typed(STILL)))
        await until_closed(mallory)
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
