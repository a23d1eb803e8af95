"""The two ways in which Yjs's protocols and updates write numbers and bytes."""


def varuint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varbytes(value: bytes) -> bytes:
    """With their length before them."""
    return varuint(len(value)) + value


def read_varuint(message: bytes, at: int) -> tuple[int, int]:
    """The number, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read_varbytes(message: bytes, at: int) -> tuple[bytes, int]:
    """The bytes, and where they end."""
    length, at = read_varuint(message, at)
    return message[at : at + length], at + length
