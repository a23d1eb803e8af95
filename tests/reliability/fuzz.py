"""Hostile bytes for each reader of what a peer sends, without a socket between.

    python -m tests.reliability.fuzz --inputs 1000000 --seed 1 [--only updates ...]

Each input may be refused with the reader's own error, and nothing else; none may take long, and the memory of the
process may not grow. Updates that pass the strict reader are applied; where pycrdt fails over one, the document has to
load again from those before it. It is then read as a newcomer would, and compacted: the log may be kept instead, but
there is no snapshot of something else. Whatever stands still is ended by the system, and its input is printed.

yrs walks its maps in another order each time, so that a seed gives other updates, and the same updates another end now
and then. An input of `updates` is therefore all that its document took and the update, in msgpack; to try it again:

    python -m tests.reliability.fuzz --again HEX [--inputs 1000]
"""

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import msgpack

from collabdoc.awareness import Awareness, Entry, encode
from collabdoc.document import EMPTY_UPDATE, Document, compact
from collabdoc.errors import DocumentBroken, ProtocolError
from collabdoc.protocol import lib0, native
from collabdoc.protocol.messages import Auth, Close, Open, Ping, Update
from collabdoc.protocol.messages import Awareness as AwarenessMessage
from collabdoc.protocol.values import Parts, skip_any, skip_json
from collabdoc.server.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, FrameError, FrameReader
from collabdoc.steps import finish
from collabdoc.underway import Underway
from tests.protocol.company import write_together
from tests.reliability.hostile import ANYS, HUGE, JSONS, Grammar, damage
from tests.vectors import read_vectors

ACCEPTED, REFUSED = "accepted", "refused"
LONG_S = 0.25
ENDED_AFTER_S = 20
MEMORY_DRIFT_BYTES = 20 * 2**20
FRAME_BYTES = 4096
_INPUT_BYTES = 2**20
_DOCUMENT_UPDATES = 30
_CHECKED_EVERY = 500


class Failed(Exception):
    """An input did what none may."""


Target = Callable[[Random], Iterator[tuple[bytes, Callable[[], str]]]]
"""Gives inputs for ever, each with what takes it: what became of it."""


def frames(random: Random) -> Iterator[tuple[bytes, Callable[[], str]]]:
    """Streams of frames, fed in pieces."""
    valid = [
        _frame(random, opcode, bytes(random.choice((0, 1, 5, 125, 126, 4000))), final=final)
        for opcode in (BINARY, TEXT, CONTINUATION, CLOSE, PING, PONG)
        for final in (True, True, False)
        for _ in range(4)
    ]

    while True:
        stream = b"".join(random.choice(valid) for _ in range(random.randint(1, 4)))
        if random.random() < 0.8:
            stream = damage(random, stream, valid)

        def take(stream: bytes = stream) -> str:
            reader = FrameReader(FRAME_BYTES)
            step = random.choice((len(stream) or 1, 1, 7, 200))
            try:
                for start in range(0, len(stream), step):
                    for _, together in reader.feed(stream[start : start + step]):
                        if (size := len(together.pop(0))) > FRAME_BYTES:
                            raise Failed(f"a message of {size} bytes came through")
            except FrameError:
                return REFUSED
            return ACCEPTED

        yield stream, take


def messages(random: Random) -> Iterator[tuple[bytes, Callable[[], str]]]:
    """Messages of the native dialect, and msgpack that is none."""
    valid = [
        native.encode_client(message)
        for message in (
            Open(1, "notes/today", b"\x00", "token", "0123456789abcdef", 5),
            Open(2**31 - 1, "a", b"\x01\x02\x03"),
            Close(7),
            Update(1, 1, b"\x00\x00"),
            Update(300, 70_000, bytes(300)),
            AwarenessMessage(1, encode([Entry(5, 1, b'{"user":{}}')])),
            Auth(1, "token"),
            Ping(2**32),
        )
    ]

    while True:
        if random.random() < 0.6:
            frame = damage(random, random.choice(valid), valid)
        elif random.random() < 0.1:
            frame = random.choice(
                (
                    b"\x91" * random.choice((10, 1000, 100_000)),
                    b"\xdd" + HUGE[4].to_bytes(4, "big"),
                    b"\xdf\xff\xff\xff\xff",
                    b"\xc6\xff\xff\xff\xff",
                    b"\x80" * 1000,
                    b"\xdc\xff\xff" + b"\x80" * 65_535,
                )
            )
        else:
            frame = msgpack.packb([_value(random, 3) for _ in range(random.randint(0, 7))])

        def take(frame: bytes = frame) -> str:
            native.decode_client(frame)
            return ACCEPTED

        yield frame, take


def integers(random: Random) -> Iterator[tuple[bytes, Callable[[], str]]]:
    """lib0: integers, strings, state vectors and embedded values."""
    valid = [
        *(lib0.write_state_vector({random.choice(HUGE[:9]): n for n in range(size)}) for size in (0, 1, 3)),
        *ANYS,
        *(bytes((len(text.encode()),)) + text.encode() for text in JSONS if len(text) < 100),
    ]
    readers: list[Callable[[bytes], object]] = [
        lambda data: lib0.read_varuint(data, 0),
        lambda data: lib0.read_string(data, 0),
        lambda data: lib0.read_state_vector(data, max_clients=1000),
        lambda data: skip_any(data, 0, Parts(10_000)),
        lambda data: skip_json(data, 0, Parts(10_000)),
    ]

    while True:
        if random.random() < 0.3:
            data = random.randbytes(random.choice((0, 1, 8, 9, 50)))
        else:
            data = damage(random, random.choice(valid), valid)
        read = random.choice(readers)

        def take(data: bytes = data, read: Callable[[bytes], object] = read) -> str:
            with suppress(IndexError):  # theirs for bytes that end too early; `check_update` turns it into its own
                read(data)
                return ACCEPTED
            return REFUSED

        yield data, take


def updates(random: Random) -> Iterator[tuple[bytes, Callable[[], str]]]:
    """Updates for a document that takes those that pass: seven of ten from the grammar."""
    grammar = Grammar(random)
    valid = [bytes.fromhex(vector["hex"]) for vector in read_vectors("updates.json")["honest"]]
    valid += [update for seed in range(5) for update in write_together(seed)]

    while True:
        life = _Life()
        for _ in range(_DOCUMENT_UPDATES):
            roll = random.random()
            if roll < 0.7:
                update = grammar.update(life.document.clocks)
            elif roll < 0.98:
                update = damage(random, random.choice(valid), valid)
            else:
                update = random.randbytes(random.randint(0, 200))

            yield msgpack.packb([*life.log, update]), partial(life.take, update)
        yield msgpack.packb(life.log), life.end


class _Life:
    """One document and its log."""

    def __init__(self) -> None:
        self.document = Document()
        self.log: list[bytes] = []

    def take(self, update: bytes) -> str:
        info = finish(self.document.check_in_steps(update, max_parts=150_000))
        try:
            if self.document.apply(update, info):
                self.log.append(update)
        except DocumentBroken:
            self.document = Document(EMPTY_UPDATE, self.log)
            return "loaded anew"
        return ACCEPTED

    def end(self) -> str:
        """Newcomers and the next life have what this one has."""
        if Document(self.document.diff(b"\x00")).clocks != self.document.clocks:
            raise Failed(f"a newcomer has other clocks, after {[update.hex() for update in self.log]}")
        try:
            snapshot = compact(EMPTY_UPDATE, self.log)
        except DocumentBroken:
            return "not compacted"
        if Document(snapshot).clocks != self.document.clocks:
            raise Failed(f"a snapshot has other clocks, after {[update.hex() for update in self.log]}")
        return "compacted"


def again(known: bytes, _: Random) -> Iterator[tuple[bytes, Callable[[], str]]]:
    """The last update of an input of `updates`, each time in a new document that took those before it."""

    def take() -> str:
        life = _Life()
        *log, update = msgpack.unpackb(known)
        for each in log:
            life.take(each)
        became = life.take(update)
        life.end()
        return became

    while True:
        yield known, take


def presence(random: Random) -> Iterator[tuple[bytes, Callable[[], str]]]:
    """Awareness updates of three sessions."""
    valid = [
        encode([Entry(random.choice((1, 2, 2**32)), clock, state) for _ in range(count)])
        for clock in (0, 1, 2**31, 2**53 - 1)
        for count in (0, 1, 3)
        for state in (b"null", b"{}", b'{"user":{"name":"ana","color":"#fff"},"cursor":{"anchor":1}}', b"[" * 2000)
    ]
    room = Awareness(max_bytes=16 * 1024, max_clients=16)

    while True:
        update = random.choice(valid) if random.random() < 0.2 else damage(random, random.choice(valid), valid)
        owner = random.randrange(3)

        def take(update: bytes = update, owner: int = owner) -> str:
            room.receive(owner, update, known={"id": "ana"})
            return ACCEPTED

        yield update, take
        if random.random() < 0.001:
            room.remove(owner)


TARGETS: dict[str, Target] = {
    "frames": frames,
    "messages": messages,
    "integers": integers,
    "updates": updates,
    "presence": presence,
}


def _frame(random: Random, opcode: int, payload: bytes, *, final: bool) -> bytes:
    head = bytes(((0x80 if final else 0) | opcode,))
    if len(payload) < 126:
        head += bytes((0x80 | len(payload),))
    else:
        head += b"\xfe" + len(payload).to_bytes(2, "big")
    return head + random.choice((bytes(4), b"mask")) + payload


def _value(random: Random, depth: int) -> object:
    match random.randrange(9 if depth else 7):
        case 0:
            return random.choice((0, 1, 3, 7, 2**31, 2**63, -1))
        case 1:
            return random.randbytes(random.choice((0, 1, 40)))
        case 2:
            return random.choice(("a", "notes/today", "..", "a/../b", "\x00", "\u202e", "x" * 300))
        case 3:
            return None
        case 4:
            return random.choice((True, False, 1.5, float("nan")))
        case 5:
            return random.randint(0, 9)
        case 6:
            return msgpack.ExtType(random.randrange(128), b"x")
        case 7:
            return [_value(random, depth - 1) for _ in range(random.randint(0, 5))]
    return {random.choice("abc"): _value(random, depth - 1) for _ in range(random.randint(0, 4))}


def run(target: str, inputs: int, seed: int, underway: Underway) -> Counter[str]:
    """Feed inputs to one target; what became of them. Raises what must not be raised."""
    counts: Counter[str] = Counter()
    taking = TARGETS[target](Random(f"{seed} {target}"))
    memory_bytes = 0
    began_s = time.thread_time()
    data = b""
    signal.alarm(ENDED_AFTER_S)
    for number in range(inputs):
        before, (data, take) = data, next(taking)
        underway.begin_applying(target, data[:_INPUT_BYTES])
        try:
            counts[take()] += 1
        except ProtocolError:
            counts[REFUSED] += 1
        except BaseException as error:
            raise Failed(f"{target}: {data.hex()}: {error!r}") from error
        underway.end()
        if number % _CHECKED_EVERY == 0:
            signal.alarm(ENDED_AFTER_S)
            if number == min(inputs // 10, 20_000) // _CHECKED_EVERY * _CHECKED_EVERY:
                memory_bytes = _memory_bytes()
        now_s = time.thread_time()
        if now_s - began_s > LONG_S:
            raise Failed(f"{target}: {now_s - began_s:.2f} s for {data.hex()} after {before.hex()[:200]}")
        began_s = now_s
    signal.alarm(0)
    if (grown := _memory_bytes() - memory_bytes) > MEMORY_DRIFT_BYTES:
        raise Failed(f"{target}: the memory grew by {grown} bytes")
    return counts


def _memory_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_apart(target: str, inputs: int, seed: int) -> bool:
    """The same in a process of its own, whose end is told."""
    underway = Underway(_INPUT_BYTES)
    began_s = time.monotonic()
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        try:
            counts = run(target, inputs, seed, underway)
            took_s = time.monotonic() - began_s
            became = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
            print(f"{target}: {inputs} inputs in {took_s:.0f} s: {became}", flush=True)
            os._exit(0)
        except Failed as error:
            print(f"seed {seed}: {error}", flush=True)
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0 and (work := underway.take()):
        print(f"{target}, seed {seed}: ended with {code} over {(work.update or b'').hex()}", flush=True)
    return code == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each reader (default: 100000)")
    parser.add_argument("--seed", type=int, default=1, help="replays the inputs of all but `updates` (default: 1)")
    parser.add_argument("--only", nargs="*", default=list(TARGETS), choices=list(TARGETS), help="these readers alone")
    parser.add_argument("--again", type=bytes.fromhex, metavar="HEX", help="an input of `updates`, and nothing else")
    arguments = parser.parse_args()
    if arguments.again:
        TARGETS["again"] = partial(again, arguments.again)
        arguments.only = ["again"]
    good = [run_apart(target, arguments.inputs, arguments.seed) for target in arguments.only]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
