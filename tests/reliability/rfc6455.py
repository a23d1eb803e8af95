"""What RFC 6455 and docs/protocol.md make of the octets that a client of `/ws` sends, read apart from the server.

A stream is judged frame by frame up to the first that ends the connection: what has to be answered until then, and with
which code the server has to close. Clients here send no message of the protocol: whatever comes is to be refused.

Source: RFC 6455, sections 5.2 to 5.5, 7.4 and 8.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

PROTOCOL_ERROR, NOT_ACCEPTED, NOT_UTF8, TOO_BIG, MALFORMED = 1002, 1003, 1007, 1009, 4400
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NO_CODE = 0
_FINAL = 0x80


@dataclass(frozen=True, slots=True)
class Frame:
    """`head` are FIN, the reserved bits and the opcode; the payload is None where it is not all there."""

    head: int
    length: int
    payload: bytes | None


@dataclass(slots=True)
class Due:
    """`code` is that of the server's close, None where the connection goes on."""

    pongs: list[bytes] = field(default_factory=list)
    code: int | None = None
    is_orderly: bool = True
    """Whether the client has kept to the RFC: else it has no right to an answer to what came just before."""


def read_frames(octets: bytes) -> Iterator[Frame]:
    """All frames, unmasked, the last perhaps without its payload."""
    position = 0
    while len(octets) >= position + 2:
        head, length = octets[position], octets[position + 1] & 0x7F
        start = position + 2
        extended = {126: 2, 127: 8}.get(length, 0)
        if extended:
            length = int.from_bytes(octets[start : start + extended], "big")
            start += extended
        if len(octets) < start:
            return
        begin = start + 4 if octets[position + 1] & 0x80 else start
        position = begin + length
        if len(octets) < position:
            yield Frame(head, length, None)
            return
        yield Frame(head, length, _unmasked(octets[begin:position], octets[start:begin]))


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    if not mask:
        return payload
    whole = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(len(payload), "big")


def judge(octets: bytes, max_bytes: int) -> Due:
    """What is due for all that a client has sent after its handshake."""
    due = Due()
    begun: int | None = None
    message = bytearray()
    for frame in read_frames(octets):
        is_final, opcode = bool(frame.head & _FINAL), frame.head & 0x0F
        if (
            frame.head & 0x70
            or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
            or (opcode >= CLOSE and (not is_final or frame.length > 125))
            or (opcode < CLOSE and (opcode == CONTINUATION) != (begun is not None))
        ):
            due.code, due.is_orderly = PROTOCOL_ERROR, False
        elif opcode < CLOSE and len(message) + frame.length > max_bytes:
            due.code = TOO_BIG
        elif frame.payload is None:
            pass
        elif opcode == PING:
            due.pongs.append(frame.payload)
        elif opcode == CLOSE:
            due.code, due.is_orderly = _close_due(frame.payload)
        elif opcode < CLOSE:
            begun = opcode if begun is None else begun
            message += frame.payload
            if is_final:
                due.is_orderly = begun == BINARY or _is_utf8(bytes(message))
                due.code = MALFORMED if begun == BINARY else NOT_ACCEPTED if due.is_orderly else NOT_UTF8
        if due.code is not None:
            break
    return due


def faults(octets: bytes, answer: bytes, max_bytes: int) -> list[str]:
    """What is wrong with a server that gave this answer to these octets of a client, both after their handshake."""
    due = judge(octets, max_bytes)
    wrong: list[str] = []
    pongs: list[bytes] = []
    codes: list[int] = []
    for frame in read_frames(answer):
        if frame.payload is None:
            wrong.append("the server's last frame is not whole")
        elif codes:
            wrong.append("something follows the server's close")
        elif frame.head == _FINAL | PONG:
            pongs.append(frame.payload)
        elif frame.head == _FINAL | CLOSE:
            codes.append(int.from_bytes(frame.payload[:2], "big") if frame.payload else NO_CODE)
        else:
            wrong.append(f"the server said a frame that begins with {frame.head:#04x}")
    if pongs != (due.pongs if due.is_orderly else due.pongs[: len(pongs)]):
        wrong.append(f"pings were answered by {pongs!r:.200}, due was {due.pongs!r:.200}")
    if codes != ([] if due.code is None else [due.code]):
        wrong.append(f"the server closed with {codes}, due was {due.code}")
    return wrong


def _close_due(payload: bytes) -> tuple[int, bool]:
    """The code of the answer to a close, and whether the close was one."""
    if not payload:
        return NO_CODE, True
    code = int.from_bytes(payload[:2], "big")
    # 1012 to 1014 were registered later.
    if len(payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        return PROTOCOL_ERROR, False
    return (code, True) if _is_utf8(payload[2:]) else (NOT_UTF8, False)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
