"""WebSocket frames, without a socket: bytes of a peer in, whole messages out, and frames for it.

1. A frame's length is checked as soon as its head is there, before anything is kept for it.
2. What is kept between two reads is one incomplete frame and the fragments of one message, both within the limit. A
   large one is unmasked as it comes: 8 MiB of it at the end took 14 ms.
3. All frames that a read brought come out of one call; a fault comes out after the messages before it. Short binary
   messages that came one behind the other come out together, for often they are one thing to whoever hears them.

Source: RFC 6455, sections 5 and 7.
"""

from collections.abc import Iterator, Sequence

from tornado.util import _websocket_mask as unmask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
MAX_CONTROL_BYTES = 125

_FINAL, _RESERVED, _OPCODE, _CONTROL = 0x80, 0x70, 0x0F, 0x8
_BINARY_FINAL = _FINAL | BINARY
_LARGE_BYTES = 64 * 1024
_SHORT_BYTES = 96
"""A message of no more, as a key press is, can come out together with others."""
_TOGETHER = 64


class FrameError(Exception):
    """What a peer sent is not WebSocket; `code` is how the connection is closed over it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _LargePayload:
    """What has come of one."""

    __slots__ = ("_mask", "first", "left", "payload")

    def __init__(self, first: int, mask: bytes, left: int) -> None:
        self.first = first
        self._mask = mask
        self.left = left
        self.payload = bytearray()  # and no list: a peer may send it byte by byte

    def take(self, data: bytes) -> bytes:
        """What is behind it in these bytes."""
        piece = data[: self.left]
        self.payload += unmask(self._mask, piece)
        self.left -= len(piece)
        turn = len(piece) % len(self._mask)
        self._mask = self._mask[turn:] + self._mask[:turn]
        return data[len(piece) :]


class FrameReader:
    """Reads the frames of one client."""

    __slots__ = ("_fragments", "_incomplete", "_large", "_max_bytes", "_opcode", "_wanted")

    def __init__(self, max_bytes: int) -> None:
        """A message has at most `max_bytes`, in one frame or many."""
        self._max_bytes = max_bytes
        self._incomplete: bytearray | None = None
        self._large: _LargePayload | None = None
        self._wanted = 0
        self._fragments: bytearray | None = None
        self._opcode = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, list[bytes]]]:
        """The messages that these bytes complete, control frames among them, with their opcode: one, or short ones.

        Whoever hears some takes them out of their list; what is left in it comes out again, before anything else. Text
        is valid UTF-8, a close has a code that a peer may send or none. Raises `FrameError`; the reader is then not to
        be used again.
        """
        short: list[bytes] = []
        try:
            if self._incomplete is not None:
                self._incomplete += data
                if len(self._incomplete) < self._wanted:
                    return
                data, self._incomplete = bytes(self._incomplete), None
            elif (large := self._large) is not None:
                data = large.take(data)
                if large.left:
                    return
                self._large = None
                if (message := self._take(large.first, bytes(large.payload))) is not None:
                    yield message
            position, end = 0, len(data)
            while end - position >= 2:
                first, second = data[position], data[position + 1]
                if second < 0x80:
                    raise FrameError(PROTOCOL_ERROR, "a frame of a client is not masked")
                length, start = second & 0x7F, position + 6
                if length >= 126:
                    start += 2 if length == 126 else 8
                    if end < start - 4:
                        self._wanted = start - 4 - position
                        break
                    length = self._read_length(data, position + 2, start - 4)
                if first != _BINARY_FINAL or self._fragments is not None:
                    self._check_head(first, length)
                if length > self._max_bytes:
                    raise FrameError(
                        TOO_BIG, f"a message has {length} bytes or more, expected at most {self._max_bytes}"
                    )
                stop = start + length
                if stop > end:
                    if length > _LARGE_BYTES and end >= start:
                        self._large = _LargePayload(first, data[start - 4 : start], length)
                        self._large.take(data[start:])
                        position = end
                    else:
                        self._wanted = stop - position
                    break
                payload = unmask(data[start - 4 : start], data[start:stop])
                position = stop
                if first == _BINARY_FINAL and length <= _SHORT_BYTES:
                    short.append(payload)
                    while len(short) == _TOGETHER:
                        yield BINARY, short
                    continue
                while short:
                    yield BINARY, short
                if first == _BINARY_FINAL:
                    yield BINARY, [payload]
                elif (message := self._take(first, payload)) is not None:
                    yield message
            else:
                self._wanted = 2
            if position < end:
                self._incomplete = bytearray(data[position:])
        except FrameError:
            while short:
                yield BINARY, short
            raise
        while short:
            yield BINARY, short

    def _read_length(self, data: bytes, start: int, stop: int) -> int:
        length = int.from_bytes(data[start:stop], "big")
        if length < (126 if stop - start == 2 else 2**16):
            raise FrameError(PROTOCOL_ERROR, "a frame says its length in more bytes than it takes")
        return length

    def _check_head(self, first: int, length: int) -> None:
        opcode = first & _OPCODE
        if first & _RESERVED:
            raise FrameError(PROTOCOL_ERROR, "a frame has reserved bits, and no extension is in use")
        if opcode & _CONTROL:
            if opcode > PONG:
                raise FrameError(PROTOCOL_ERROR, f"a frame has the opcode {opcode}, which means nothing")
            if not first & _FINAL:
                raise FrameError(PROTOCOL_ERROR, "a control frame comes in fragments")
            if length > MAX_CONTROL_BYTES:
                raise FrameError(PROTOCOL_ERROR, f"a control frame has more than {MAX_CONTROL_BYTES} bytes")
            return
        if opcode > BINARY:
            raise FrameError(PROTOCOL_ERROR, f"a frame has the opcode {opcode}, which means nothing")
        if (opcode == CONTINUATION) != (self._fragments is not None):
            begins = "begins within another" if opcode else "continues, but none has begun"
            raise FrameError(PROTOCOL_ERROR, f"a message {begins}")
        if self._fragments is not None and len(self._fragments) + length > self._max_bytes:
            raise FrameError(TOO_BIG, f"a message has more than {self._max_bytes} bytes")

    def _take(self, first: int, payload: bytes) -> tuple[int, list[bytes]] | None:
        """A whole message, from a frame that is anything but a whole binary one; None where more has to come."""
        opcode = first & _OPCODE
        if opcode == CLOSE:
            check_close(payload)
        elif opcode < CLOSE:
            if opcode != CONTINUATION:
                self._opcode = opcode
            else:
                assert self._fragments is not None
                self._fragments += payload
            if not first & _FINAL:
                if self._fragments is None:
                    self._fragments = bytearray(payload)
                return None
            if self._fragments is not None:
                payload, self._fragments = bytes(self._fragments), None
            opcode = self._opcode
            if opcode == TEXT:
                _check_utf8(payload)
        return opcode, [payload]


def check_close(payload: bytes) -> None:
    """See that the payload of a close is none, or a code that a peer may send and a reason in UTF-8."""
    if len(payload) == 1:
        raise FrameError(PROTOCOL_ERROR, "a close has half a code")
    if payload:
        code = int.from_bytes(payload[:2], "big")
        # RFC 6455, section 7.4, with what was registered since: 1012 to 1014.
        if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
            raise FrameError(PROTOCOL_ERROR, f"a close has the code {code}, which no peer may send")
        _check_utf8(payload[2:])


def _check_utf8(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        raise FrameError(NOT_UTF8, "text is not UTF-8") from None


def frame_head(length: int) -> bytes:
    """The head of an unmasked, unfragmented binary frame with a payload of `length` bytes."""
    if length < 126:
        return bytes((_BINARY_FINAL, length))
    if length < 2**16:
        return bytes((_BINARY_FINAL, 126)) + length.to_bytes(2, "big")
    return bytes((_BINARY_FINAL, 127)) + length.to_bytes(8, "big")


def encode_frame(payload: bytes) -> bytes:
    """One binary message as a server sends it."""
    return frame_head(len(payload)) + payload


def join_frame(parts: Sequence[bytes | memoryview]) -> bytes:
    """One binary message of several parts, with one copy of each."""
    return b"".join((frame_head(sum(map(len, parts))), *parts))


def encode_control(opcode: int, payload: bytes) -> bytes:
    """A close, ping or pong as a server sends it; `payload` has at most 125 bytes."""
    assert len(payload) <= MAX_CONTROL_BYTES
    return bytes((_FINAL | opcode, len(payload))) + payload


def encode_close(code: int | None, reason: str = "") -> bytes:
    """A close, its reason cut to what fits into its frame."""
    if code is None:
        return encode_control(CLOSE, b"")
    said = reason.encode()[: MAX_CONTROL_BYTES - 2].decode(errors="ignore").encode()
    return encode_control(CLOSE, code.to_bytes(2, "big") + said)
