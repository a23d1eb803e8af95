"""Set the server's wall clock a year ahead, back, a year behind and back again, under people who write.

    python -m tests.reliability.clock --seconds 5 --seed 1

Nobody may be closed or refused over it, edits have to be saved all the time, and nothing saved may be missing
afterwards, also when the server is killed and started while its clock is wrong.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

from tornado.escape import json_decode
from tornado.httpclient import AsyncHTTPClient

from collabdoc.client import connect
from tests.process import ServerProcess
from tests.reliability import faults
from tests.reliability.crash import Writer, read_documents

_YEAR_S = 366 * 86_400
_JUMPS = {"a year ahead": _YEAR_S, "back": 0, "a year behind": -_YEAR_S, "back again": 0}
_CLIENTS = 6
_SAVED_WITHIN_S = 30.0


async def run(seconds: float, seed: int, folder: Path) -> tuple[int, list[str]]:
    """How many edits there were, and what the jumps broke."""
    broken: list[str] = []
    data = folder / "data"
    clock = faults.Faults(faults.build(folder), data, folder / "control")
    writers = [Writer(number, random.Random(f"{seed} {number}")) for number in range(_CLIENTS)]

    def saved() -> list[int]:
        return [len(w.edits) - w.document.unsaved if w.document else 0 for w in writers]

    async def settle(what: str) -> None:
        """Everybody gets something more saved."""
        before = [len(writer.edits) for writer in writers]
        try:
            async with asyncio.timeout(_SAVED_WITHIN_S):
                while any(now <= then for now, then in zip(saved(), before, strict=True)):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            broken.append(f"{what}: edits were not saved any more")

    with ServerProcess(data, environment=clock.environment) as server:
        clients = [connect(server.url, max_backoff_s=0.2) for _ in writers]
        for client in clients:
            await client.__aenter__()
        tasks = [asyncio.create_task(w.run(client)) for w, client in zip(writers, clients, strict=True)]
        await settle("at the start")
        for what, offset_s in _JUMPS.items():
            clock.set(clock_offset_s=offset_s)
            ends_s = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < ends_s:
                if not all(writer.document and writer.document.is_open for writer in writers):
                    broken.append(f"{what}: somebody was closed")
                    break
                await asyncio.sleep(0.01)
            await settle(what)
            answer = await AsyncHTTPClient().fetch(f"{server.url}/healthz")
            told_s = parsedate_to_datetime(answer.headers["Date"]).timestamp()
            assert abs(told_s - time.time() - offset_s) < 60, "the server's clock did not jump"
            health = json_decode(answer.body)
            if health["refused"]:
                broken.append(f"{what}: {health['refused']} were refused")
        for what, offset_s in _JUMPS.items():
            clock.set(clock_offset_s=offset_s)
            counts = saved()
            server.kill()
            texts = await asyncio.to_thread(read_documents, data)
            for writer, count in zip(writers, counts, strict=True):
                broken += [f"{what}, killed: {lost}" for lost in writer.missing(texts[writer.name], count)]
            await asyncio.to_thread(server.start)
            await settle(f"{what}, started")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients:
            await client.__aexit__(None, None, None)
    return sum(len(writer.edits) for writer in writers), broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="how long each clock lasts (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="replays the same edits (default: 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        edits, broken = asyncio.run(run(arguments.seconds, arguments.seed, Path(folder)))
    print(*broken, sep="\n")
    print(f"{len(_JUMPS)} jumps and {len(_JUMPS)} restarts, {edits} edits, {len(broken)} broken promises")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
