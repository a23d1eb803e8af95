"""Back up a server under load, again and again, and look for saved edits that a backup lacks.

    python -m tests.reliability.backup --rounds 50 --seed 1

The clients are those of `crash.py`. Each backup has to be whole, and to hold every edit that was reported saved before
it began.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from collabdoc.client import connect
from collabdoc.store.sqlite_folder import FILE_NAME
from tests.process import ServerProcess
from tests.reliability.crash import Writer, read_documents

_CLIENTS = 12


async def run(rounds: int, seed: int, folder: Path) -> list[str]:
    """What backups lacked, or said."""
    writers = [Writer(number, random.Random(f"{seed} {number}")) for number in range(_CLIENTS)]
    faults: list[str] = []
    with ServerProcess(folder / "data") as server:
        clients = [connect(server.url) for _ in writers]
        for client in clients:
            await client.__aenter__()
        tasks = [asyncio.create_task(writer.run(client)) for writer, client in zip(writers, clients, strict=True)]
        for number in range(1, rounds + 1):
            while not all(writer.document and writer.document.is_open for writer in writers):
                await asyncio.sleep(0.01)
            begun = [list(writer.edits) for writer in writers]
            saved = [len(writer.edits) - (writer.document.unsaved if writer.document else 0) for writer in writers]
            target = folder / str(number)
            target.mkdir()
            done = await asyncio.to_thread(back_up, folder / "data", target / FILE_NAME)
            if done.returncode != 0:
                faults.append(f"round {number}: {done.stdout} {done.stderr}")
                continue
            texts = await asyncio.to_thread(read_documents, target)
            for writer, edits, count in zip(writers, begun, saved, strict=True):
                # Edits made while it was copied may be in it or not: what they took away is not looked for.
                gone = {word for kind, word in writer.edits[len(edits) :] if kind == "delete"}
                missing = writer.missing(texts.get(writer.name, ""), count)
                faults += [f"round {number}: {what}" for what in missing if what.split()[1] not in gone]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients:
            await client.__aexit__(None, None, None)
    return faults


def back_up(data: Path, target: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "collabdoc", "backup", str(target), "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="how many backups (default: 50)")
    parser.add_argument("--seed", type=int, default=1, help="replays the same edits (default: 1)")
    arguments = parser.parse_args()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        faults = asyncio.run(run(arguments.rounds, arguments.seed, Path(folder)))
    print(*faults, sep="\n")
    print(f"{arguments.rounds} backups in {time.monotonic() - started_s:.0f} s, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
