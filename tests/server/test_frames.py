"""Frames without a socket: RFC 6455 section by section, and the same traffic read by Tornado's own implementation."""

import asyncio
import itertools
import random
import struct
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.util import _websocket_mask as unmask
from tornado.websocket import WebSocketProtocol13, _WebSocketParams

from collabdoc.server.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    FrameError,
    FrameReader,
    encode_close,
    encode_control,
    encode_frame,
)

LIMIT = 1000
MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    """One frame as a client sends it, or as it should not."""
    length = len(payload)
    head = bytes((0x80 * final | reserved << 4 | opcode,))
    mask_bit = 0x80 * masked
    if length < 126:
        head += bytes((mask_bit | length,))
    elif length < 2**16:
        head += bytes((mask_bit | 126,)) + struct.pack(">H", length)
    else:
        head += bytes((mask_bit | 127,)) + struct.pack(">Q", length)
    return head + (MASK + unmask(MASK, payload) if masked else payload)


def read(*chunks: bytes, limit: int = LIMIT) -> tuple[list[tuple[int, bytes]], int | None]:
    """The messages that come out of these reads, and the code of the fault that ends them."""
    reader = FrameReader(limit)
    messages: list[tuple[int, bytes]] = []
    try:
        for chunk in chunks:
            messages.extend(each(reader.feed(chunk)))
    except FrameError as error:
        return messages, error.code
    return messages, None


def each(found: Iterator[tuple[int, list[bytes]]]) -> Iterator[tuple[int, bytes]]:
    for opcode, group in found:
        while group:
            yield opcode, group.pop(0)


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def test_all_frames_of_a_read_come_out_at_once() -> None:
    traffic = frame(BINARY, b"one") + frame(PING, b"!") + frame(BINARY, b"") + frame(TEXT, "zwei ä".encode())
    assert read(traffic) == ([(BINARY, b"one"), (PING, b"!"), (BINARY, b""), (TEXT, "zwei ä".encode())], None)


def groups(*chunks: bytes, heard: int = 1_000) -> tuple[list[tuple[int, list[bytes]]], int | None]:
    """The same in groups; of each so many are heard at a time."""
    reader = FrameReader(LIMIT)
    found: list[tuple[int, list[bytes]]] = []
    try:
        for chunk in chunks:
            for opcode, group in reader.feed(chunk):
                found.append((opcode, group[:heard]))
                del group[:heard]
    except FrameError as error:
        return found, error.code
    return found, None


def test_short_messages_that_come_one_behind_the_other_come_out_together() -> None:
    short = b"".join(frame(BINARY, b"%d" % number) for number in range(68))
    found, _ = groups(short + frame(BINARY, bytes(97)) + short[:7] + frame(PING, b"!") + short[:14])
    assert found == [
        (BINARY, [b"%d" % number for number in range(64)]),
        (BINARY, [b"64", b"65", b"66", b"67"]),
        (BINARY, [bytes(97)]),
        (BINARY, [b"0"]),
        (PING, [b"!"]),
        (BINARY, [b"0", b"1"]),
    ]


def test_messages_before_a_fault_come_out_before_it() -> None:
    assert groups(frame(BINARY, b"1") * 2 + frame(BINARY, b"2", masked=False)) == ([(BINARY, [b"1", b"1"])], 1002)


@given(
    st.lists(st.tuples(st.sampled_from([BINARY, BINARY, TEXT, PING]), st.integers(0, 120)), max_size=60),
    st.integers(1, 20),
    st.booleans(),
)
def test_however_many_of_a_group_are_heard_at_a_time_all_are_heard_in_their_order(
    said: list[tuple[int, int]], heard: int, ends_in_fault: bool
) -> None:
    messages = [(opcode, b"%d" % place + bytes(size)) for place, (opcode, size) in enumerate(said)]
    traffic = b"".join(frame(opcode, payload) for opcode, payload in messages)
    found, fault = groups(traffic + frame(BINARY, masked=False) * ends_in_fault, heard=heard)
    assert [(opcode, payload) for opcode, group in found for payload in group] == messages
    assert fault == (1002 if ends_in_fault else None)
    assert all(len(group) <= heard for _, group in found)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_frames_of_every_length_come_in_any_pieces(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    traffic = frame(BINARY, payload) + frame(PONG, b"x")
    expected = ([(BINARY, payload), (PONG, b"x")], None)
    step = max(1, size // 97)
    assert read(traffic, limit=70_000) == expected
    assert read(*(traffic[at : at + step] for at in range(0, len(traffic), step)), limit=70_000) == expected


@pytest.mark.parametrize("opcode", [BINARY, TEXT])
def test_a_large_frame_is_unmasked_as_it_comes_whatever_the_pieces(opcode: int) -> None:
    text = "".join(map(chr, range(32, 127))) * 3000
    traffic = frame(opcode, text.encode()) + frame(PING, b"!") + frame(BINARY, b"behind")
    expected = ([(opcode, text.encode()), (PING, b"!"), (BINARY, b"behind")], None)
    choices = random.Random(1)
    for longest in (10_000, 70_000, 200_000):
        for _ in range(20):
            pieces, at = [], 0
            while at < len(traffic):
                size = choices.choice([1, 3, 14, choices.randrange(1, longest)])
                pieces.append(traffic[at : at + size])
                at += size
            assert read(*pieces, limit=300_000) == expected


def test_a_large_frame_takes_no_more_memory_than_its_size_however_it_comes() -> None:
    traffic = frame(BINARY, bytes(300_000))
    reader = FrameReader(300_000)
    tracemalloc.start()
    for at in range(len(traffic) - 1):
        assert not list(reader.feed(traffic[at : at + 1]))
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 500_000
    assert list(reader.feed(traffic[-1:])) == [(BINARY, [bytes(300_000)])]


def test_large_frames_are_fragments_as_small_ones_are() -> None:
    parts = [bytes([number]) * 100_000 for number in range(3)]
    traffic = (
        frame(BINARY, parts[0], final=False)
        + frame(PING, b"1")
        + frame(CONTINUATION, parts[1], final=False)
        + frame(CONTINUATION, parts[2])
    )
    pieces = [traffic[at : at + 16_384] for at in range(0, len(traffic), 16_384)]
    assert read(*pieces, limit=300_000) == ([(PING, b"1"), (BINARY, b"".join(parts))], None)
    assert read(*pieces, limit=299_999) == ([(PING, b"1")], 1009)


def test_text_in_a_large_frame_is_utf_8() -> None:
    traffic = frame(TEXT, b"a" * 99_999 + b"\xff") + frame(PING, b"not heard")
    assert read(traffic[:50_000], traffic[50_000:], limit=100_000) == ([], 1007)


def test_a_message_comes_in_fragments_with_control_frames_between_them() -> None:
    traffic = (
        frame(BINARY, b"a", final=False)
        + frame(PING, b"1")
        + frame(CONTINUATION, b"", final=False)
        + frame(PONG, b"2")
        + frame(CONTINUATION, b"b")
        + frame(TEXT, "ä".encode()[:1], final=False)
        + frame(CONTINUATION, "ä".encode()[1:])
    )
    expected = [(PING, b"1"), (PONG, b"2"), (BINARY, b"ab"), (TEXT, "ä".encode())]
    assert read(traffic) == (expected, None)
    assert read(*(traffic[at : at + 1] for at in range(len(traffic)))) == (expected, None)


@pytest.mark.parametrize(
    ("traffic", "code"),
    [
        (frame(BINARY, b"x", masked=False), 1002),
        (frame(PING, b"x", masked=False), 1002),
        *((frame(BINARY, b"x", reserved=bits), 1002) for bits in range(1, 8)),
        *((frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        *((frame(opcode, b"x", final=False), 1002) for opcode in (PING, PONG, CLOSE)),
        *((frame(opcode, bytes(126)), 1002) for opcode in (PING, PONG, CLOSE)),
        (frame(CONTINUATION, b"x"), 1002),
        (frame(BINARY, b"x", final=False) + frame(BINARY, b"y"), 1002),
        (frame(TEXT, b"x", final=False) + frame(TEXT, b"y", final=False), 1002),
        (frame(BINARY, b"x") + frame(CONTINUATION, b"y"), 1002),
        (b"\x82\xfe\x00\x7d" + MASK + bytes(125), 1002),  # 125 in two bytes
        (b"\x82\xff" + struct.pack(">Q", 65_535) + MASK, 1002),  # 65,535 in eight
        (b"\x82\xff" + b"\xff" * 8, 1009),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(TEXT, "ä".encode()[:1], final=False) + frame(CONTINUATION, b"x"), 1007),
        (frame(CLOSE, b"\x03"), 1002),
        (close(1000, b"\xff"), 1007),
        *((close(code), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)),
        (frame(BINARY, bytes(LIMIT + 1)), 1009),
        (frame(BINARY, bytes(LIMIT), final=False) + frame(CONTINUATION, b"x"), 1009),
    ],
)
def test_what_is_not_websocket_is_told_with_its_code(traffic: bytes, code: int) -> None:
    assert read(frame(BINARY, b"before") + traffic)[1] == code
    messages, found = read(*(traffic[at : at + 1] for at in range(len(traffic))))
    assert found == code
    assert BINARY not in dict(messages) or b"x" in dict(messages)[BINARY]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])
def test_a_close_has_a_code_that_may_be_sent(code: int) -> None:
    assert read(close(code, b"bye")) == ([(CLOSE, code.to_bytes(2, "big") + b"bye")], None)


def test_a_close_may_be_empty() -> None:
    assert read(frame(CLOSE)) == ([(CLOSE, b"")], None)


def test_messages_at_the_limit_are_taken() -> None:
    half = bytes(LIMIT // 2)
    traffic = frame(BINARY, half + half) + frame(BINARY, half, final=False) + frame(CONTINUATION, half)
    assert read(traffic) == ([(BINARY, half + half)] * 2, None)


def test_a_length_over_the_limit_is_refused_before_its_bytes_come() -> None:
    assert read(b"\x82\xff" + struct.pack(">Q", 2**40)) == ([], 1009)
    assert read(b"\x82\xfe" + struct.pack(">H", LIMIT + 1)) == ([], 1009)
    assert read(frame(BINARY, bytes(600), final=False) + b"\x00\xfe" + struct.pack(">H", 600)) == ([], 1009)


def test_messages_before_a_fault_are_given_out() -> None:
    assert read(frame(BINARY, b"fine") + frame(3, b"")) == ([(BINARY, b"fine")], 1002)


def test_the_servers_frames_are_what_the_rfc_says() -> None:
    assert encode_frame(b"x") == b"\x82\x01x"
    assert encode_frame(bytes(126)) == b"\x82\x7e\x00\x7e" + bytes(126)
    assert encode_frame(bytes(65_536)) == b"\x82\x7f" + struct.pack(">Q", 65_536) + bytes(65_536)
    assert encode_control(PONG, b"hi") == b"\x8a\x02hi"
    assert encode_close(None) == b"\x88\x00"
    assert encode_close(1000) == b"\x88\x02\x03\xe8"


def test_the_reason_of_a_close_is_cut_between_characters() -> None:
    said = encode_close(4400, "ä" * 100)
    assert said[1] <= 125
    assert said[4:].decode() == "ä" * 61


class Tornado:
    """Tornado's own implementation, fed with the same bytes."""

    def __init__(self, traffic: bytes, limit: int) -> None:
        self._traffic, self._position = traffic, 0
        self.heard: list[tuple[int, bytes]] = []
        params = _WebSocketParams(max_message_size=limit)
        self.protocol = WebSocketProtocol13(self, False, params)  # type: ignore[arg-type]  # what it asks of a handler
        self.protocol.stream = self  # type: ignore[assignment]  # what it asks of a stream
        self.aborted = False
        self.io_loop = IOLoop.current()

    # the stream

    async def read_bytes(self, count: int) -> bytes:
        if self._position + count > len(self._traffic) or self.aborted:
            raise StreamClosedError
        self._position += count
        return self._traffic[self._position - count : self._position]

    def closed(self) -> bool:
        return self.aborted

    def close(self) -> None:
        self.aborted = True

    def write(self, data: bytes) -> "asyncio.Future[None]":
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written

    # the handler

    def on_message(self, message: str | bytes) -> None:
        self.heard.append((TEXT, message.encode()) if isinstance(message, str) else (BINARY, message))

    def on_ping(self, data: bytes) -> None:
        self.heard.append((PING, data))

    def on_pong(self, data: bytes) -> None:
        self.heard.append((PONG, data))

    def on_ws_connection_close(self, code: int | None, reason: str | None) -> None:
        pass

    def log_exception(self, *_: object) -> None:
        self.aborted = True


async def read_by_tornado(traffic: bytes, limit: int) -> list[tuple[int, bytes]]:
    tornado = Tornado(traffic, limit)
    try:
        # One frame a turn, without the loop around it, which would wait for a closing peer.
        while not (tornado.aborted or tornado.protocol.client_terminated):
            await tornado.protocol._receive_frame()
    except (StreamClosedError, UnicodeDecodeError):
        pass
    if tornado.protocol._waiting is not None:  # its own patience with a peer that does not close
        IOLoop.current().remove_timeout(tornado.protocol._waiting)
    return tornado.heard


def random_traffic(dice: random.Random) -> bytes:
    traffic = bytearray()
    for _ in range(dice.randrange(1, 8)):
        opcode = dice.choice([BINARY, BINARY, TEXT, CONTINUATION, CONTINUATION, PING, PONG, CLOSE, dice.randrange(16)])
        size = dice.choice([0, 1, 5, 125, 126, 200, 600])
        payload = dice.choice([bytes(size), b"text" * (size // 4), dice.randbytes(size)])
        final = dice.random() < 0.7
        reserved = dice.randrange(8) if dice.random() < 0.03 else 0
        traffic += frame(opcode, payload, final=final, reserved=reserved)
    for _ in range(dice.choice([0, 0, 0, 1, 2])):
        traffic[dice.randrange(len(traffic))] ^= 1 << dice.randrange(8)
    return bytes(traffic[: dice.randrange(1, len(traffic) + 1)] if dice.random() < 0.2 else traffic)


@pytest.mark.gen_test(timeout=60)
async def test_random_traffic_reads_as_tornado_reads_it() -> None:
    """Where they differ, ours ends earlier: over an unmasked frame, a long-winded length or a close that may not be."""
    dice = random.Random(7)
    same = 0
    for _ in range(5_000):
        traffic = random_traffic(dice)
        messages, fault = read(traffic)
        ours = list(itertools.takewhile(lambda message: message[0] != CLOSE, messages))
        theirs = await read_by_tornado(traffic, LIMIT)
        assert ours == theirs[: len(ours)], traffic.hex()
        if fault is None:
            assert ours == theirs, traffic.hex()
        same += ours == theirs
    assert same > 4_000


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_how_bytes_are_cut_makes_no_difference(traffic: bytes, cuts: list[int]) -> None:
    at = sorted({0, len(traffic), *(cut for cut in cuts if cut < len(traffic))})
    pieces = [traffic[start:stop] for start, stop in itertools.pairwise(at)]
    assert read(*pieces) == read(traffic)


def test_a_flood_of_empty_fragments_keeps_nothing() -> None:
    reader: Any = FrameReader(LIMIT)
    list(reader.feed(frame(BINARY, b"", final=False)))
    for _ in range(1000):
        list(reader.feed(frame(CONTINUATION, b"", final=False)))
    assert not reader._fragments
    assert reader._incomplete is None
