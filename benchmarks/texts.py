"""The documents that servers are given: a paper as it was typed, and text of many small items."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path

from pycrdt import Doc, Text

from benchmarks.install import HERE, say
from benchmarks.lib0 import varbytes, varuint

ROOT_NAME = "content"
PAPER_EDITS = 259_778
_RECORDING = HERE.parent.parent / "shared" / "data" / "automerge-paper.json.gz"
_RUN = 20
_WORDS = b"twenty letters long "
_AUTHORS = (1, 2)
_PART_BYTES = 400_000
_SEED = 4


def paper(cache: Path, edits: int = PAPER_EDITS) -> bytes:
    """One update with all of a paper of 259,778 edits: the recording of one, or where that is missing, a made one."""
    kind = "recorded" if _RECORDING.exists() else "made"
    kept = cache / f"paper-{kind}-{edits}.yjs"
    if not kept.exists():
        say(f"typing a {kind} paper of {edits:,} edits")
        patches = _recorded() if kind == "recorded" else _made()
        kept.write_bytes(_typed(patch for patch, _ in zip(patches, range(edits), strict=False)))
    return kept.read_bytes()


def alternating(size: int) -> list[bytes]:
    """Updates of at most 0.4 MB of text that together make `size` bytes, by two who take turns every 20 characters.

    So each 20 characters stay an item of their own, as in text that was typed all over the place. Written as Yjs
    encodes it, because 500,000 insertions one by one take hours.
    """
    clocks, last = [0, 0], None
    updates = []
    for begin in range(0, size, _PART_BYTES):
        starts = clocks.copy()
        items: tuple[list[bytes], list[bytes]] = ([], [])
        for at in range(begin, min(size, begin + _PART_BYTES), _RUN):
            author = at // _RUN % 2
            text = _WORDS[: min(_RUN, size - at)]
            origin = (
                b"\x84" + varuint(last[0]) + varuint(last[1]) if last else b"\x04\x01" + varbytes(ROOT_NAME.encode())
            )
            items[author].append(origin + varbytes(text))
            clocks[author] += len(text)
            last = _AUTHORS[author], clocks[author] - 1
        sections = [
            varuint(len(items[author])) + varuint(_AUTHORS[author]) + varuint(starts[author]) + b"".join(items[author])
            for author in (1, 0)
            if items[author]
        ]
        updates.append(varuint(len(sections)) + b"".join(sections) + b"\x00")
    return updates


def state_vector(update: bytes) -> bytes:
    """Of a document that holds just this."""
    doc = Doc[Text]()
    doc.apply_update(update)
    return doc.get_state()


def typed_after(update: bytes, characters: int) -> list[bytes]:
    """One update for each character that somebody else types into the middle of a document."""
    doc = Doc[Text](client_id=77)
    text = doc.get(ROOT_NAME, type=Text)
    doc.apply_update(update)
    at = len(text) // 2
    updates = []
    for offset in range(characters):
        before = doc.get_state()
        text.insert(at + offset, "x")
        updates.append(doc.get_update(before))
    # Each carries the delete set of the whole document; a client that types sends its own part alone.
    return [_without_deletes(each) for each in updates]


def _without_deletes(update: bytes) -> bytes:
    """Of one inserted character: the structs end where the string does, and no deletes follow."""
    end = update.index(b"\x01x") + 2
    return update[:end] + b"\x00"


Patch = tuple[int, int, str]
"""Position, how many characters are deleted there, what is inserted there."""


def _recorded() -> Iterator[Patch]:
    with gzip.open(_RECORDING) as file:
        for transaction in json.load(file)["txns"]:
            yield from transaction["patches"]


def _made() -> Iterator[Patch]:
    """Somebody types, goes back over a few words now and then, and jumps about; a sixth of the edits delete."""
    chance = random.Random(_SEED)
    length, at = 0, 0
    while True:
        if chance.random() < 0.02:
            at = chance.randint(0, length)
        backwards = chance.random() < 0.15
        for _ in range(chance.randint(3, 30)):
            if backwards and at > 0:
                at, length = at - 1, length - 1
                yield at, 1, ""
            else:
                yield at, 0, chance.choice("abcdefghij klmnop")
                at, length = at + 1, length + 1


def _typed(patches: Iterator[Patch]) -> bytes:
    doc = Doc[Text](client_id=1)
    text = doc.get(ROOT_NAME, type=Text)
    for position, deleted, inserted in patches:
        with doc.transaction():
            if deleted:
                del text[position : position + deleted]
            if inserted:
                text.insert(position, inserted)
    return doc.get_update()
