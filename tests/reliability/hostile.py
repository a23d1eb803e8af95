"""Hostile bytes that follow from a seed: from a grammar of Yjs updates, and from valid traffic that was damaged."""

from collections.abc import Mapping, Sequence
from random import Random

from tests.protocol.crafting import string, uint

CLIENTS = (1, 2, 3, 4, 2**31, 2**53 - 1)
HUGE = (2**7, 2**14, 2**21, 2**27, 2**31 - 1, 2**31, 2**32 - 1, 2**53 - 1, 2**53, 2**63, 2**64 - 1)
ROOTS = (b"\x01\x01t", b"\x01\x01m", b"\x01\x01x", b"\x01\x04meta", b"\x01\x07content", b"\x01\x07default")
KEYS = (b"\x01a", b"\x05title", b"\x04kind", b"\x00", b"\x02id")
TEXTS = ("a", "bc", "hello world", "é", "日本", "😀", "x😀y", "\x00", "\ud7ff", "a" * 130)
JSONS = ("true", "null", '""', "1e400", '"\\ud800"', "[[]]", "{", '{"a":[1,{}]}', "[" * 70 + "]" * 70, "-0", '"😀"')
ANYS = (
    b"\x7f",
    b"\x7e",
    b"\x7d\x01",
    b"\x7d\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x7c\x7f\x80\x00\x00",
    b"\x7b\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"\x7a\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x79",
    b"\x78",
    b"\x77\x01x",
    b"\x76\x01\x01k\x7e",
    b"\x76\x00",
    b"\x75\x02\x7e\x7f",
    b"\x75" + b"\x01\x75" * 70 + b"\x00",
    b"\x75\xff\xff\xff\xff\x0f",
    b"\x74\x02\x00\xff",
    b"\x73",
)
_WEIGHTS = (4, 1, 4, 9, 4, 6, 9, 9, 1, 1, 1, 1, 1, 1, 1)
"""How often each kind of content comes."""
_BOUNDARIES = (
    b"\x00",
    b"\x01",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\x0f",
)


class Grammar:
    """Updates that are plausible, and some that are not quite."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def update(self, clocks: Mapping[int, int]) -> bytes:
        """One for a document with these clocks."""
        random = self._random
        clients = random.sample(CLIENTS, 1 if random.random() < 0.7 else random.randint(0, 3))
        if clients and random.random() < 0.02:
            clients.append(clients[0])
        out = bytearray(uint(len(clients)))
        known = {client: clocks.get(client, 0) for client in CLIENTS}
        for client in clients:
            out += self._section(client, known)
        out += self._deletes(known)
        if random.random() < 0.01:
            out += b"\x00"
        return bytes(out)

    def _section(self, client: int, known: dict[int, int]) -> bytes:
        random = self._random
        roll = random.random()
        start = known[client]
        if roll < 0.08:
            start = random.randint(0, start)
        elif roll < 0.1:
            start += random.choice((1, 2, 2**31))
        known[client] = start
        structs = [self._struct(client, known) for _ in range(random.choice((1, 1, 1, 2, 3, 8)))]
        count = len(structs) if random.random() < 0.99 else random.choice((0, len(structs) + 1, 2**31))
        return uint(count) + uint(client) + uint(start) + b"".join(structs)

    def _struct(self, client: int, known: dict[int, int]) -> bytes:
        random = self._random
        roll = random.random()
        if roll < 0.02:
            length = random.choice((1, 1, 2, 5, 0, 2**20))
            known[client] += length
            return bytes((random.choice((0, 0, 10)),)) + uint(length)
        kind = 4 if random.random() < 0.6 else random.choices(range(1, 16), _WEIGHTS)[0]
        content, length = self._content(kind)
        info = kind
        head = b""
        if random.random() < 0.75 and any(known.values()):
            bits = random.choice((0x80, 0x80, 0x40, 0xC0))
            info |= bits
            head += self._id(known) if bits & 0x80 else b""
            head += self._id(known) if bits & 0x40 else b""
            if random.random() < 0.02:
                info |= 0x20
        else:
            head += random.choice(ROOTS) if random.random() < 0.7 else b"\x00" + self._id(known)
            if (kind in (8, 7, 1) and random.random() < 0.5) or random.random() < 0.02:
                info |= 0x20
                head += random.choice(KEYS)
        known[client] += length
        return bytes((info,)) + head + content

    def _id(self, known: Mapping[int, int]) -> bytes:
        random = self._random
        there = [client for client, clock in known.items() if clock]
        if not there or random.random() < 0.02:
            return uint(random.choice(CLIENTS)) + uint(random.choice((0, 1, 5, 2**31)))
        client = random.choice(there)
        return uint(client) + uint(random.randrange(known[client]))

    def _content(self, kind: int) -> tuple[bytes, int]:
        random = self._random
        match kind:
            case 1:
                length = random.choice((1, 3, 0, 200))
                return uint(length), length
            case 3:
                return string("\x00\x01"), 1
            case 4:
                text = random.choice(TEXTS)
                length = len(text.encode("utf-16-le")) // 2
                return (string(text) if random.random() < 0.98 else b"\x02\xc3\x28"), length
            case 5:
                return string(random.choice(JSONS)), 1
            case 6:
                return random.choice(KEYS) + string(random.choice(JSONS)), 1
            case 7:
                type_ = random.choice((0, 1, 2, 3, 4, 6, 5, 7, 9))
                return uint(type_) + (b"\x01p" if type_ in (3, 5) else b""), 1
            case 8 | 2:
                values = [random.choice(ANYS) for _ in range(random.choice((1, 1, 2, 4)))]
                return uint(len(values)) + b"".join(values), len(values)
            case 9:
                return b"\x01g" + random.choice(ANYS), 1
        return uint(random.choice((0, 1, 2**40))), 1

    def _deletes(self, known: Mapping[int, int]) -> bytes:
        random = self._random
        if random.random() < 0.7:
            return b"\x00"
        there = [client for client, clock in known.items() if clock] or [1]
        clients = random.sample(there, random.randint(1, len(there)))
        out = uint(len(clients))
        for client in clients:
            ends = sorted(random.randint(0, known[client] + (random.random() < 0.05)) for _ in range(4))
            ranges = [(ends[0], ends[1] - ends[0]), (ends[2], ends[3] - ends[2])]
            ranges = [each for each in ranges if each[1] or random.random() < 0.02]
            out += uint(client) + uint(len(ranges)) + b"".join(uint(clock) + uint(size) for clock, size in ranges)
        return out


def damage(random: Random, valid: bytes, others: Sequence[bytes]) -> bytes:
    """Valid traffic, cut, flipped, spliced with other traffic, or with a number in it made huge."""
    data = bytearray(valid)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(data) + 1)
        match random.randrange(7):
            case 0:
                del data[place:]
            case 1 if place < len(data):
                data[place] ^= 1 << random.randrange(8)
            case 2 if place < len(data):
                data[place : place + 1] = uint(random.choice(HUGE))
            case 3:
                data[place:place] = random.choice(_BOUNDARIES)
            case 4:
                other = random.choice(others)
                start = random.randrange(len(other) + 1)
                data[place:place] = other[start : start + random.randint(1, 64)]
            case 5:
                del data[place : place + random.randint(1, 8)]
            case _:
                data[place:place] = data[place : place + 16] * random.choice((1, 2, 50))
    return bytes(data)
