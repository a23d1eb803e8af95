"""When edits get to a peer, told by a process that does nothing but listen.

A client that takes all that comes is late by what that takes: under an attack it has more to do than alone, and what it
says of the server's delay is in part its own. The ear looks for the values of a map, which are the times (of the clock
that all processes of a machine share) at which they were written.
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
_KEPT_BYTES = 100
"""More than an edit has that is looked for."""


@contextmanager
def listening(port: int, document: str, root: str) -> Iterator[Callable[[], dict[int, float]]]:
    """To the map of this name, whose keys are numbers; when it begins the document is open.

    The function tells after how many milliseconds each edit came, by its key; then nothing more is heard.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_listen, args=(port, document, root, theirs), daemon=True)
    process.start()
    theirs.close()  # so that its end is heard of

    def heard_ms() -> dict[int, float]:
        ours.send("enough")
        heard: dict[int, float] = ours.recv()
        return heard

    try:
        ours.recv()
        yield heard_ms
    finally:
        process.kill()
        process.join()


def _listen(port: int, document: str, root: str, line: Connection) -> None:
    value = re.compile(re.escape(root.encode()) + rb".([0-9]+)\x01\x7b(.{8})", re.DOTALL)
    heard: dict[int, float] = {}
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
                for match in value.finditer(seen):
                    late_s = now_s - struct.unpack(">d", match[2])[0]
                    if is_open and 0 <= late_s < _LONGEST_S:
                        heard.setdefault(int(match[1]), 1000 * late_s)
                seen = seen[-_KEPT_BYTES:]
                if not is_open and b"epoch" in data:
                    is_open = True
                    line.send("open")
            if line.fileno() in ready:
                break
            if now_s - pinged_s > _PING_S:
                peer.sendall(frame(native.encode_client(Ping(1))))
                pinged_s = now_s
    line.send(heard)
