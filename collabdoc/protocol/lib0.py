"""Bounded reading and writing of lib0's variable-length integers, the atoms of every Yjs encoding.

Source: the lib0 project's `encoding.js` and `decoding.js`. Readers take `(buffer, position)` and give
`(value, next position)`; whatever would leave the buffer or its bounds is `Malformed`.
"""

from collabdoc.errors import Malformed

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that a JavaScript peer can hold exactly."""


def read_varuint(buffer: bytes, position: int) -> tuple[int, int]:
    """Read an unsigned integer of at most 53 bits (8 bytes)."""
    try:  # written out for up to three bytes: most integers, in less than half the time of the loop
        byte = buffer[position]
        if byte < 0x80:
            return byte, position + 1
        second = buffer[position + 1]
        if second < 0x80:
            return byte & 0x7F | second << 7, position + 2
        third = buffer[position + 2]
        if third < 0x80:
            return byte & 0x7F | (second & 0x7F) << 7 | third << 14, position + 3
        value = byte & 0x7F | (second & 0x7F) << 7 | (third & 0x7F) << 14
        position += 3
        shift = 21
        while True:
            byte = buffer[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 49:
                raise Malformed("an integer is longer than 8 bytes")
    except IndexError:
        raise Malformed("the bytes end inside an integer") from None
    if value > MAX_SAFE_INTEGER:
        raise Malformed(f"read the integer {value}, expected at most 2^53 - 1")
    return value, position


def read_bytes(buffer: bytes, position: int) -> tuple[bytes, int]:
    """Read a length-prefixed run of bytes."""
    length, position = read_varuint(buffer, position)
    end = position + length
    if end > len(buffer):
        raise Malformed(f"a field claims {length} bytes, {len(buffer) - position} are left")
    return buffer[position:end], end


def read_string(buffer: bytes, position: int) -> tuple[str, int]:
    """Read a length-prefixed UTF-8 string."""
    data, position = read_bytes(buffer, position)
    try:
        return data.decode(), position
    except UnicodeDecodeError as error:
        raise Malformed(f"a string is not UTF-8: {error.reason}") from None


def write_varuint(out: bytearray, value: int) -> None:
    """Append an unsigned integer."""
    while value > 0x7F:
        out.append(0x80 | (value & 0x7F))
        value >>= 7
    out.append(value)


def write_bytes(out: bytearray, data: bytes) -> None:
    """Append a length-prefixed run of bytes."""
    write_varuint(out, len(data))
    out += data


def read_state_vector(state_vector: bytes, *, max_clients: int) -> dict[int, int]:
    """Decode a state vector into client id -> clock; unbounded claims are refused before anything is allocated."""
    count, position = read_varuint(state_vector, 0)
    if count > max_clients or count * 2 > len(state_vector) - position:
        raise Malformed(f"a state vector of {len(state_vector)} bytes claims {count} clients")
    clocks: dict[int, int] = {}
    for _ in range(count):
        client, position = read_varuint(state_vector, position)
        clock, position = read_varuint(state_vector, position)
        if client in clocks:
            raise Malformed(f"a state vector names client {client} twice")
        if clock >= 2**31:
            raise Malformed(f"a state vector gives client {client} the clock {clock}, expected less than 2^31")
        clocks[client] = clock
    if position != len(state_vector):
        raise Malformed(f"{len(state_vector) - position} bytes follow a state vector")
    return clocks


def write_state_vector(clocks: dict[int, int]) -> bytes:
    """Encode client id -> clock as a state vector."""
    out = bytearray()
    write_varuint(out, len(clocks))
    for client, clock in clocks.items():
        write_varuint(out, client)
        write_varuint(out, clock)
    return bytes(out)
