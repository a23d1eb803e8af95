"""Each reader of what a peer sends as a function of bytes: it returns, or raises its own error, or something is wrong.

What they read is also compared with what another reader says of the same bytes, where there is another.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from collabdoc.awareness import Awareness
from collabdoc.errors import ProtocolError
from collabdoc.protocol import hocuspocus, lib0, native, yjs
from collabdoc.protocol.deletes import read_deletes
from collabdoc.protocol.keystroke import read_keystroke
from collabdoc.protocol.messages import Update
from collabdoc.protocol.structs import read_structs
from collabdoc.protocol.update import Pairs, UpdateInfo, check_update, cut_taken, find_pairs
from collabdoc.protocol.values import Parts, skip_any, skip_json
from collabdoc.server.frames import FrameError, FrameReader
from tests.protocol.company import write_together
from tests.protocol.crafting import after, first, section, string, update
from tests.reliability.attackers import masked
from tests.reliability.dialects import DIALECTS, PRESENCE
from tests.reliability.hostile import ANYS, JSONS
from tests.vectors import read_vectors

LONG_S = 0.25
_MAX_PARTS = 150_000
_FRAME_BYTES = 4096
_CLOCKS: Sequence[Mapping[int, int]] = ({}, {1: 13, 3: 3}, {1: 2**31 - 1})
_PAIRS: Sequence[Pairs | None] = (None, {1: [2, 5]})


def frames(data: bytes) -> None:
    """The first byte says in what pieces the rest comes."""
    step = 1 + data[0] if data else 1
    reader = FrameReader(_FRAME_BYTES)
    with suppress(FrameError):
        for start in range(1, len(data), step):
            for _, together in reader.feed(data[start : start + step]):
                assert len(together.pop(0)) <= _FRAME_BYTES


def messages(data: bytes) -> None:
    message = native.decode_client(data)
    if message is not None:
        assert native.decode_client(native.encode_client(message)) == message


def integers(data: bytes) -> None:
    """lib0; the first byte says which reader."""
    readers: Sequence[Callable[[bytes], object]] = (
        lambda rest: lib0.read_varuint(rest, 0),
        lambda rest: lib0.read_string(rest, 0),
        lambda rest: lib0.read_state_vector(rest, max_clients=1000),
        lambda rest: skip_any(rest, 0, Parts(10_000)),
        lambda rest: skip_json(rest, 0, Parts(10_000)),
    )
    with suppress(IndexError):  # theirs for bytes that end too early; `check_update` turns it into its own
        readers[data[0] % len(readers)](data[1:])


def yjs_messages(data: bytes) -> None:
    message = yjs.decode_client(data, 1)
    if isinstance(message, Update):
        check_update(message.update, {}, max_parts=_MAX_PARTS)


def hocuspocus_messages(data: bytes) -> None:
    address, said = hocuspocus.decode_client(data)
    hocuspocus.split_address(address)
    if isinstance(said, hocuspocus.Edit):
        check_update(said.update, {}, max_parts=_MAX_PARTS)


def presence(data: bytes) -> None:
    """The first byte says who of three speaks."""
    room = Awareness(max_bytes=16 * 1024, max_clients=16)
    for owner in range(3):
        with suppress(ProtocolError):
            room.receive((data[:1] or b"\0")[0] + owner, data[1:], known={"id": "ana"})
    room.encode(room.everyone())


def updates(data: bytes) -> None:
    """The first byte says what document the update comes to."""
    choice, edit = (data[:1] or b"\0")[0], data[1:]
    clocks, pairs = _CLOCKS[choice % len(_CLOCKS)], _PAIRS[choice // len(_CLOCKS) % len(_PAIRS)]
    find_pairs(edit)
    list(cut_taken(edit, lambda: clocks))
    info = check_update(edit, clocks, pairs, max_parts=_MAX_PARTS)
    try:
        _compare(edit, info, clocks, pairs)
    except ProtocolError as error:
        raise AssertionError("what passed the strict reader does not pass another") from error


def _compare(edit: bytes, info: UpdateInfo, clocks: Mapping[int, int], pairs: Pairs | None) -> None:
    structs, position = read_structs(edit, clocks, Parts(_MAX_PARTS), with_cuts=False)
    assert {section.client: section.end for section in structs.sections} == info.ends
    assert bool(read_deletes(b"\x00" + edit[position:])) == info.deletes
    if keystroke := read_keystroke(edit, clocks):
        client, start, end = keystroke
        assert (info.starts, info.ends, structs.is_text) == ({client: start}, {client: end}, True)
        assert edit[position:] == b"\x00"
    growing = dict(clocks)
    for piece in info.cut(edit):
        for client, end in check_update(piece, growing, pairs).ends.items():
            growing[client] = max(end, growing.get(client, 0))
    assert all(growing[client] >= end for client, end in info.ends.items())


READERS: dict[str, Callable[[bytes], None]] = {
    "frames": frames,
    "messages": messages,
    "integers": integers,
    "yjs": yjs_messages,
    "hocuspocus": hocuspocus_messages,
    "presence": presence,
    "updates": updates,
}


def read(reader: Callable[[bytes], object], data: bytes) -> None:
    """Raises what a reader may not raise, and where it takes long."""
    began_s = time.thread_time()
    with suppress(ProtocolError):
        reader(data)
    took_s = time.thread_time() - began_s
    assert took_s < LONG_S, f"{took_s:.2f} s"


def valid_traffic(name: str) -> list[bytes]:
    """What honest peers send to a reader."""
    vectors = read_vectors("updates.json")
    edits = [bytes.fromhex(each["hex"]) for each in vectors["honest"] + vectors["hostile"]]
    edits += [edit for seed in range(3) for edit in write_together(seed)]
    edits += [update(section(1, 13, after(1, 12, "a"))), update(section(7, 0, first("a😀")), deletes={1: [(0, 3)]})]
    edits += [update(section(7, 0, first("a"), *(after(7, clock, "b") for clock in range(300))), deletes={7: [(5, 9)]})]
    match name:
        case "frames":
            return [
                bytes((step,)) + masked(head, bytes(size))
                for head in (0x82, 0x81, 0x01, 0x80, 0x88, 0x89, 0x8A)
                for size in (0, 2, 125, 126, 4000)
                for step in (0, 255)
            ]
        case "integers":
            strings = [string(text) for text in JSONS]
            return [bytes((kind,)) + each for kind in range(5) for each in (*ANYS, *strings, b"\x01\x02\x03")]
        case "presence":
            everybody = read_vectors("awareness.json")
            return [
                b"\0" + each for each in (PRESENCE, *(bytes.fromhex(everybody[key]) for key in ("present", "removed")))
            ]
        case "updates":
            return [bytes((number % 6,)) + edit for number, edit in enumerate(edits)]
        case "yjs":
            return [*DIALECTS["yjs"].traffic, *map(yjs.encode_update, edits)]
        case "hocuspocus":
            head = hocuspocus.head_of("a")
            return [*DIALECTS["hocuspocus"].traffic, *(hocuspocus.encode_update(head, edit) for edit in edits)]
        case _:
            return list(DIALECTS["native"].traffic)
