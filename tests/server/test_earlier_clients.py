"""Clients of earlier versions against this server: what they said when they were recorded, said again word for word.

`tests/vectors/clients-*.json` are the recordings, made by `tests/vectors/record_clients.py` at each release (the first,
of commit baa2e77, is older than any). A client is served where it can read what it gets: each answer has all that the
recorded one had, in the same places and of the same kinds, and nothing is compressed for who did not ask for that.
"""

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

import tests.vectors
from collabdoc.awareness import decode
from collabdoc.config import Limits
from collabdoc.protocol import native
from collabdoc.protocol.messages import Awareness, Open, Opened, Pong, Saved, Updates
from collabdoc.server.app import Server
from tests.conftest import ServerFactory
from tests.server.wire import Wire, text_of

pytestmark = pytest.mark.gen_test(timeout=60)

RECORDINGS = {
    f"{path.stem.removeprefix('clients-')}, {conversation['with']}": conversation
    for path in sorted(Path(tests.vectors.__file__).parent.glob("clients-*.json"))
    for conversation in json.loads(path.read_text(encoding="utf-8"))["conversations"]
}


class Line:
    """A socket of a recorded client, and what it heard so far."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.inflates = False
        self.opened: Opened | None = None
        self.saved = 0
        self.nonces: set[int] = set()
        self.updates: list[bytes] = []
        self.clocks: dict[int, int] = {}
        self.answers: dict[int, Any] = {}
        """The last raw message of each type."""

    async def hear(self) -> None:
        frame = await self.wire.hears_frame()
        assert frame is not None, f"closed with {self.wire.socket.close_code}: {self.wire.socket.close_reason}"
        raw = msgpack.unpackb(frame)
        self.answers[raw[0]] = raw
        match native.decode_server(frame):
            case Opened() as opened:
                self.opened = opened
            case Saved(_, id_):
                self.saved = id_
            case Pong(nonce):
                self.nonces.add(nonce)
            case Updates(_, _, updates):
                self.updates += updates
            case Awareness(_, awareness):
                entries = decode(awareness, max_bytes=2**16)
                self.clocks.update((entry.client, entry.clock) for entry in entries)
            case other:
                raise AssertionError(f"heard {other}")

    def has_heard(self, recorded: bytes) -> bool:
        """This message, or what came of it together with others."""
        match native.decode_server(recorded):
            case Opened():
                return self.opened is not None
            case Saved(_, id_):
                return self.saved >= id_
            case Pong(nonce):
                return nonce in self.nonces
            case Updates(_, _, updates):
                return all(update in self.updates for update in updates)
            case Awareness(_, awareness):
                entries = decode(awareness, max_bytes=2**16)
                return all(self.clocks.get(entry.client, 0) >= entry.clock for entry in entries)
            case other:
                raise AssertionError(f"recorded {other}")


@pytest.mark.parametrize("name", RECORDINGS)
async def test_what_a_client_of_an_earlier_version_says_is_served_as_it_was(
    start_server: ServerFactory, name: str
) -> None:
    server: Server = await start_server(limits=Limits(deflate_least_bytes=1))
    recording = RECORDINGS[name]
    ends = {frame["line"]: number for number, frame in enumerate(recording["frames"])}
    lines: dict[str, Line] = {}
    epochs: dict[bytes, bytes] = {}
    for number, frame in enumerate(recording["frames"]):
        line, message = lines.get(frame["line"]), bytes.fromhex(frame["hex"])
        if line is None:
            line = lines[frame["line"]] = Line(await Wire.connect(server))
        if frame["from"] == "client":
            for then, now in epochs.items():
                message = message.replace(then, now)
            line.wire.says_bytes(message)
            opening = native.decode_client(message)
            line.inflates |= isinstance(opening, Open) and opening.accepts is not None
        else:
            while not line.has_heard(message):
                await line.hear()
            recorded = msgpack.unpackb(message)
            assert_readable(recorded, line.answers[recorded[0]])
            if recorded[0] == 1:
                assert line.opened is not None
                assert line.opened.encoding is None or line.inflates
                assert line.opened.resumed == recorded[2]["resumed"]
                epochs[recorded[2]["epoch"].encode()] = line.opened.epoch.encode()
        person, count = frame["line"].split()
        if number == ends[frame["line"]] and f"{person} {int(count) + 1}" in ends:
            line.wire.socket.close()  # it was cut, and its client came back
    newcomer = await (await Wire.connect(server)).opens("notes/today")
    assert text_of(newcomer.update) == recording["text"]


def assert_readable(recorded: Any, heard: Any) -> None:
    """Whoever reads the recorded value can read the one that was heard."""
    assert type(heard) is type(recorded)
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            assert_readable(value, heard[key])
    elif isinstance(recorded, list):
        assert len(heard) >= len(recorded) or isinstance(recorded[0], bytes), "the updates of several edits"
        for value, other in zip(recorded, heard, strict=False):
            assert_readable(value, other)


def test_a_recording_of_both_clients_is_there() -> None:
    assert {conversation["with"] for conversation in RECORDINGS.values()} == {"collabdoc.client", "@collabdoc/provider"}
