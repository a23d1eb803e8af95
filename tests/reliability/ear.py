"""When edits get to a peer, told by a process that does nothing but listen.

A client that takes all that comes is late by what that takes: under an attack it has more to do than alone, and what it
says of the server's delay is in part its own. The ear looks for numbers that are times (of the clock that all processes
of a machine share) of a moment ago: those at which they were written.
"""

import multiprocessing
import re
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from collabdoc.protocol import native
from collabdoc.protocol.messages import Open, Ping
from tests.reliability.attackers import frame, handshake

_PING_S = 5.0
_LONGEST_S = 60.0
_NUMBER = re.compile(rb"\x7b(?=(.{8}))", re.DOTALL)
"""As lib0 writes one of 64 bits, wherever it stands."""
_NUMBER_BYTES = 9


@contextmanager
def listening(port: int, document: str) -> Iterator[Callable[[], dict[float, float]]]:
    """When it begins the document is open.

    The function tells after how many milliseconds each time came, by that; then nothing more is heard. Among what
    attackers write there may be others.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_listen, args=(port, document, theirs), daemon=True)
    process.start()
    theirs.close()  # so that its end is heard of

    def heard_ms() -> dict[float, float]:
        ours.send("enough")
        heard: dict[float, float] = ours.recv()
        return heard

    try:
        ours.recv()
        yield heard_ms
    finally:
        process.kill()
        process.join()


def _listen(port: int, document: str, line: Connection) -> None:
    heard: dict[float, float] = {}
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(handshake("/ws", native.SUBPROTOCOL, offers_deflate=False))
        peer.sendall(frame(native.encode_client(Open(1, document, b"\x00"))))
        seen, is_open, pinged_s = b"", False, time.monotonic()
        while True:
            ready = set(select.select([peer.fileno(), line.fileno()], [], [], _PING_S)[0])
            now_s = time.monotonic()
            if peer.fileno() in ready:
                data = peer.recv(2**16)
                if not data:
                    break
                seen += data
                for match in _NUMBER.finditer(seen):
                    (written_s,) = struct.unpack(">d", match[1])
                    if is_open and 0 <= now_s - written_s < _LONGEST_S:
                        heard.setdefault(written_s, 1000 * (now_s - written_s))
                seen = seen[-_NUMBER_BYTES:]
                if not is_open and b"epoch" in data:
                    is_open = True
                    line.send("open")
            if line.fileno() in ready:
                break
            if now_s - pinged_s > _PING_S:
                peer.sendall(frame(native.encode_client(Ping(1))))
                pinged_s = now_s
    line.send(heard)
