"""Updates that the server takes, and what real Yjs makes of them.

    python -m tests.reliability.oracle honest --runs 1000 --seed 1
    python -m tests.reliability.oracle hostile --runs 1000 --seed 1

Each run is a document. Its log goes to Yjs twice, as it was sent and as the server hands it to newcomers. `honest`:
people write together, and all three have to be the same. `hostile`: updates from the grammar, in which the edits around
a place may contradict each other; then Yjs itself orders them by when they came. All three have to know the same edits
and to wait for nothing; where their texts differ, or Yjs fails, is counted. Needs Node, and `npm ci` in web/.
"""

import argparse
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from pycrdt import Array, Map, Text, XmlFragment

from collabdoc.document import Document
from collabdoc.errors import DocumentBroken, ProtocolError
from collabdoc.protocol.lib0 import read_state_vector
from collabdoc.steps import finish
from tests.protocol.company import write_together
from tests.reliability.hostile import Grammar

UPDATES = 30
_TEXTS = ("t", "content", "text")
_SOUND = ("same", "texts differ", "Yjs fails")
_ENDED_AFTER_S = 60


def honest(seed: str) -> tuple[Document, list[bytes]]:
    """A document in which people write together."""
    document = Document()
    log = write_together(Random(seed).randrange(2**32))
    for update in log:
        document.apply(update, finish(document.check_in_steps(update)))
    return document, log


def hostile(seed: str) -> tuple[Document, list[bytes]]:
    """A document that was sent updates, and those that it took."""
    grammar = Grammar(Random(seed))
    document = Document()
    log: list[bytes] = []
    for _ in range(UPDATES):
        update = grammar.update(document.clocks)
        try:
            if document.apply(update, finish(document.check_in_steps(update))):
                log.append(update)
        except ProtocolError:
            pass
        except DocumentBroken:
            document = Document(tail=log)
    return document, log


SOURCES = {"honest": honest, "hostile": hostile}


def describe(document: Document) -> dict[str, Any]:
    doc = document._doc
    clocks = read_state_vector(document.state_vector(), max_clients=1000)
    return {
        "clocks": [list(each) for each in sorted(clocks.items())],
        "texts": {name: str(doc.get(name, type=Text)) for name in _TEXTS},
        "list": len(doc.get("list", type=Array)),
        "keys": sorted(doc.get("map", type=Map)),
        "xml": str(doc.get("xml", type=XmlFragment)),
        "waits": False,
    }


class Oracle:
    """Yjs in a process; `with` starts and ends it."""

    def __enter__(self) -> "Oracle":
        program = Path(__file__).with_name("oracle.mjs")
        self._process = subprocess.Popen(
            ["node", str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, log: list[bytes], whole: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = {"log": [update.hex() for update in log], "whole": whole.hex()}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def run(source: str, runs: int, seed: int) -> Counter[str]:
    """How often each verdict was given; what is not sound is printed."""
    verdicts: Counter[str] = Counter()
    with Oracle() as oracle:
        for number in range(runs):
            signal.alarm(_ENDED_AFTER_S)
            document, log = SOURCES[source](f"{seed} {number}")
            answer = oracle.ask(log, document.diff(b"\x00"))
            verdict = _verdict(answer, document)
            verdicts[verdict] += 1
            verdicts["updates"] += len(log)
            if verdict not in _SOUND or (source == "honest" and verdict != "same"):
                verdicts["wrong"] += 1
                print(f"run {number}: {verdict}: {[update.hex() for update in log]}: {answer}"[:3000], flush=True)
    signal.alarm(0)
    return verdicts


def _verdict(answer: dict[str, Any], document: Document) -> str:
    if "error" in answer:
        return "Yjs fails"
    log, whole, ours = answer["log"], answer["whole"], describe(document)
    for name in ("waits", "clocks"):
        if not log[name] == whole[name] == ours[name]:
            return f"the {name} differ"
    return "same" if log == whole == ours else "texts differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=list(SOURCES))
    parser.add_argument("--runs", type=int, default=1_000, help="documents (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="the same updates again (default: 1)")
    arguments = parser.parse_args()
    verdicts = run(arguments.source, arguments.runs, arguments.seed)
    print(dict(verdicts))
    sys.exit(1 if verdicts["wrong"] else 0)


if __name__ == "__main__":
    main()
