"""A line that repeats frames loses none and makes none up."""

from random import Random

import pytest

from collabdoc.protocol import hocuspocus, native, yjs
from collabdoc.protocol.messages import Awareness, Ping, Update
from collabdoc.server.frames import PING, encode_control, encode_frame
from tests.reliability.attackers import frame
from tests.reliability.repeats import Repeats, Way

_HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
_HEAD = hocuspocus.head_of("d")
_EDITS = [bytes((number,)) * 200 for number in range(40)]
_MESSAGES = {
    "native": [
        native.encode_client(message)
        for number, edit in enumerate(_EDITS)
        for message in (Update(1, number, edit), Awareness(1, edit), Ping(number))
    ],
    "yjs": [each for edit in _EDITS for each in (yjs.encode_update(edit), yjs.encode_awareness(edit))],
    "hocuspocus": [
        each
        for edit in _EDITS
        for each in (hocuspocus.encode_update(_HEAD, edit), hocuspocus.encode_sync_status(_HEAD, taken=True))
    ],
}


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("dialect", _MESSAGES)
def test_every_frame_comes_once_or_twice(dialect: str, way: Way) -> None:
    encode = frame if way == "up" else encode_frame
    frames = [encode(message) for message in _MESSAGES[dialect]] + [encode_control(PING, b"ping")]
    repeats = Repeats(dialect, way, Random(1))
    stream = _HANDSHAKE + b"".join(frames)
    came = (
        b"".join(repeats.pass_on(stream[start : start + 7]) for start in range(0, len(stream), 7)) + repeats.release()
    )
    assert came.startswith(_HANDSHAKE)
    counts = {each: came.count(each) for each in frames}
    assert len(came) == len(_HANDSHAKE) + sum(len(each) * count for each, count in counts.items())
    assert all(count >= frames.count(each) for each, count in counts.items())
    assert came != stream
