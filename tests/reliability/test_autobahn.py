"""The short form of `autobahn.py ws`, without the fuzzing client: octets after RFC 6455's sections, said to `/ws`."""

import asyncio

import pytest

from collabdoc.config import Limits
from collabdoc.server.app import Server
from tests.reliability.attackers import handshake, masked
from tests.reliability.rfc6455 import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, faults, judge, read_frames

pytestmark = pytest.mark.gen_test(timeout=60)

_FINAL = 0x80
_MAX_BYTES = Limits().frame_bytes


def final(opcode: int, payload: bytes = b"") -> bytes:
    return masked(_FINAL | opcode, payload)


def closes(code: int, reason: bytes = b"") -> bytes:
    return final(CLOSE, code.to_bytes(2, "big") + reason)


BYE = closes(1000)
STREAMS = {
    "5.2 a reserved bit": final(0x10 | BINARY, b"x"),
    "5.2 a reserved bit of a control frame": final(0x40 | PING),
    "5.2 a reserved opcode": final(3),
    "5.2 a reserved control opcode": final(11),
    "5.2 more than may come is claimed": bytes((_FINAL | BINARY, 0xFF))
    + (_MAX_BYTES + 1).to_bytes(8, "big")
    + bytes(4),
    "5.4 a continuation of nothing": final(CONTINUATION, b"x"),
    "5.4 a message within another": masked(TEXT, b"x") + final(TEXT, b"y"),
    "5.4 text in pieces, a ping between": masked(TEXT, b"\xc3") + final(PING, b"1") + final(CONTINUATION, b"\xa9"),
    "5.4 a binary message in pieces": masked(BINARY, b"") + masked(CONTINUATION, b"*") + final(CONTINUATION, b"*"),
    "5.4 a continuation of nothing, of which two octets come": b"\x80\x98",
    "5.5 a control frame in pieces": masked(PING, b"x") + final(CONTINUATION, b"x"),
    "5.5 a long control frame": final(PING, bytes(126)),
    "5.5.1 a close": BYE,
    "5.5.1 a close without a code": final(CLOSE),
    "5.5.1 half a code": final(CLOSE, b"\x03"),
    "5.5.1 a reason": closes(3000, b"\xce\xba"),
    "5.5.1 a reason that is not UTF-8": closes(1000, b"\xce"),
    "5.5.1 two closes": BYE + BYE,
    "5.5.1 a ping after the close": BYE + final(PING, b"late"),
    "5.5.2 pings, and a close at once": final(PING, b"one") + final(PING, b"two") + BYE,
    "5.5.2 the longest ping": final(PING, bytes(125)) + BYE,
    "5.5.3 a pong that nobody asked for": final(PONG, b"x") + final(PING) + BYE,
    **{f"7.4 the code {code}": closes(code) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)},
    **{f"7.4 the code {code}": closes(code) for code in (1001, 1003, 1007, 1014, 3999, 4999)},
    "8.1 text that is not UTF-8": final(TEXT, b"\xed\xa0\x80"),
    "8.1 text that ends within a character": masked(TEXT, b"a") + final(CONTINUATION, b"\xf0\x9f"),
    "text": final(TEXT, b"[1]"),
    "bytes that are no message": final(BINARY, b"\x00\xff" * 63),
    "no bytes": final(BINARY),
}


@pytest.mark.parametrize("step", [None, 1], ids=["at once", "octet by octet"])
async def test_the_server_ends_a_connection_as_the_rfc_asks(server: Server, step: int | None) -> None:
    answers = await asyncio.gather(*(talk(server.port, stream, step or len(stream)) for stream in STREAMS.values()))
    found = {
        name: faults(stream, answer, _MAX_BYTES)
        for (name, stream), answer in zip(STREAMS.items(), answers, strict=True)
    }
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


async def talk(port: int, stream: bytes, step: int) -> bytes:
    """Say this after the handshake; what is answered, up to a close or the end of the line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(handshake("/ws", None))
    await reader.readuntil(b"\r\n\r\n")
    for start in range(0, len(stream), step):
        writer.write(stream[start : start + step])
        await asyncio.sleep(0)
    answer = b""
    while not any(each.head == _FINAL | CLOSE for each in read_frames(answer)) and (more := await reader.read(2**16)):
        answer += more
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", "closed with [], due was 1003"),
        (b"\x88\x02\x03\xea", "closed with [1002], due was 1003"),
        (b"\x82\x01x\x88\x02\x03\xeb", "a frame that begins with 0x82"),
        (b"\x88\x02\x03\xeb\x8a\x00", "something follows"),
        (b"\x88\x02\x03", "not whole"),
    ],
)
async def test_a_wrong_answer_is_found(answer: bytes, fault: str) -> None:
    assert fault in faults(final(TEXT, b"a"), answer, _MAX_BYTES)[0]
    assert judge(final(PING, b"a"), _MAX_BYTES).pongs == [b"a"]
