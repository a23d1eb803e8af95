"""Hostile bytes for each reader of what a peer sends, guided by the lines of the reader that they reach.

    python -m tests.reliability.guided --inputs 500000 --seed 1 [--only updates ...]

It begins with valid traffic, and keeps what reached something new. An input that makes a reader raise anything but its
own error, take long, or say something else than another reader ends the run, and is printed. Needs atheris, which is
libFuzzer for Python (`pip install atheris`); no other program or test does.
"""

import argparse
import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

MAX_INPUT_BYTES = 4096
_STUCK_S = 20
_MEMORY_MIB = 2048
NAMES = ("frames", "messages", "integers", "yjs", "hocuspocus", "presence", "updates")
_DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+).*corp: (\d+)")


def run(name: str, inputs: int, seed: int) -> bool:
    """In a process of its own: libFuzzer ends the one that it runs in."""
    with tempfile.TemporaryDirectory() as folder:
        options = [f"-runs={inputs}", f"-seed={seed}", f"-max_len={MAX_INPUT_BYTES}", f"-timeout={_STUCK_S}"]
        options += [f"-rss_limit_mb={_MEMORY_MIB}", f"-artifact_prefix={folder}/found-"]
        command = [sys.executable, "-m", "tests.reliability.guided", "--inside", name, folder, *options]
        fuzzing = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        done = _DONE.search(fuzzing.stderr)
        if fuzzing.returncode == 0 and done:
            print(f"{name}: {done[1]} inputs, {done[2]} branches reached, {done[3]} inputs kept", flush=True)
            return True
        found = [path.read_bytes().hex() for path in Path(folder).glob("found-*")]
        print(f"{name}, seed {seed}: {found}\n{fuzzing.stderr[-3000:]}", flush=True)
        return False


def _fuzz(name: str, folder: str, options: list[str]) -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["collabdoc"]):
        from tests.reliability import readers
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    for number, data in enumerate(readers.valid_traffic(name)):
        (corpus / str(number)).write_bytes(data)
    atheris.Setup([sys.argv[0], *options, str(corpus)], partial(readers.read, readers.READERS[name]))
    atheris.Fuzz()


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        _fuzz(sys.argv[2], sys.argv[3], sys.argv[4:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader (default: 100000)")
    parser.add_argument("--seed", type=int, default=1, help="(default: 1)")
    parser.add_argument("--only", nargs="*", default=list(NAMES), choices=NAMES, help="these readers alone")
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        parser.error("this needs atheris: pip install atheris")
    good = [run(name, arguments.inputs, arguments.seed) for name in arguments.only]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
