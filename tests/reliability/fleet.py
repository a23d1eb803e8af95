"""Thousands of clients in one thread: plain sockets and one epoll set, so that the server is what is slow (Linux).

Each comes from a loopback address of its own, as people do. `Fleet.turn` waits once and handles what came.
"""

import resource
import select
import socket
import time
from collections.abc import Callable, Iterable
from typing import Literal

from collabdoc.server.frames import CLOSE, PING, PONG
from tests.reliability.attackers import frame, handshake
from tests.reliability.speakers import Heard, Speaker

_READ_BYTES = 2**18
_BIND_WITHOUT_PORT = 24  # IP_BIND_ADDRESS_NO_PORT of <linux/in.h>: the port is chosen for the whole pair of addresses

State = Literal["away", "connecting", "upgrading", "opening", "synced", "lost"]


class Client:
    """One of them. `lost` says why, where it is."""

    __slots__ = (
        "_fleet",
        "_in",
        "_out",
        "address",
        "edits_saved",
        "hears",
        "lost",
        "receive_bytes",
        "resumed",
        "socket",
        "speaker",
        "state",
        "synced_s",
    )

    def __init__(
        self,
        fleet: "Fleet",
        speaker: Speaker,
        number: int,
        *,
        hears: Callable[[Heard], None] | None = None,
        receive_bytes: int | None = None,
    ) -> None:
        """`receive_bytes` is how much the system takes for it when it does not read."""
        self.speaker = speaker
        self.address = f"127.{1 + number // 60_000}.{number // 250 % 240}.{1 + number % 250}"
        self.hears = hears
        self.receive_bytes = receive_bytes
        self.state: State = "away"
        self.lost = ""
        self.resumed = False
        self.synced_s = 0.0
        self.edits_saved = 0
        self._fleet = fleet
        self._in = b""
        self._out = b""

    def comes(self) -> None:
        """Begin to connect, with what it remembers."""
        assert self.state in ("away", "lost")
        self.lost, self.resumed, self._in, self._out, self.edits_saved = "", False, b"", b"", 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_bytes)
        self.socket.setsockopt(socket.IPPROTO_IP, _BIND_WITHOUT_PORT, 1)
        self.socket.bind((self.address, 0))
        self.socket.connect_ex(("127.0.0.1", self._fleet.port))
        self._fleet.watch(self, writable=True, is_new=True)
        self._enter("connecting")

    def goes(self) -> None:
        """Leave without a word, as a closed laptop does."""
        if self.state not in ("away", "lost"):
            self._fleet.forget(self)
            self.socket.close()
        self._enter("away")

    def says(self, *messages: bytes) -> None:
        self._write(b"".join(map(frame, messages)))

    def stops_reading(self) -> None:
        self._fleet.forget(self)

    def reads_again(self) -> None:
        self._fleet.watch(self, writable=bool(self._out), is_new=True)

    # The fleet's side

    def handle(self, events: int) -> None:
        if self.state == "connecting":
            if error := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._lose(f"connect: error {error}")
                return
            self._enter("upgrading")
            self._fleet.watch(self)
            self._write(handshake(self.speaker.path, self.speaker.subprotocol, offers_deflate=False))
            return
        if events & select.EPOLLOUT:
            rest, self._out = self._out, b""
            self._write(rest)
            if not self._out and self.state != "lost":
                self._fleet.watch(self)
        if events & ~select.EPOLLOUT and self.state != "lost":
            self._read()

    def _read(self) -> None:
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            data = b""
            self._lose(f"read: {error.strerror}")
        if not data:
            self._lose("the line was cut")
            return
        self._in = self._in + data if self._in else data
        if self.state == "upgrading":
            head, end, rest = self._in.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self._lose(f"no upgrade: {head[:40]!r}")
                return
            self._in = rest
            self._enter("opening")
            self.says(*self.speaker.opening())
        self._in, messages = read_frames(self._in)
        for opcode, payload in messages:
            if self.state not in ("opening", "synced"):
                return
            if opcode == PING:
                self._write(frame(payload, PONG))
            elif opcode == CLOSE:
                self._lose(f"closed: {int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}")
            elif opcode != PONG:
                self._hear(payload)

    def _hear(self, message: bytes) -> None:
        heard = self.speaker.hears(message)
        if heard.refusal:
            self._lose(f"refused: {heard.refusal}")
            return
        self.edits_saved = heard.saved or self.edits_saved
        if heard.answers:
            self.says(*heard.answers)
        if self.hears is not None:
            self.hears(heard)
        if heard.is_synced and self.state == "opening":
            self.resumed, self.synced_s = heard.resumed, time.monotonic()
            self._enter("synced")

    def _write(self, data: bytes) -> None:
        if self._out:
            self._out += data
            return
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(f"write: {error.strerror}")
            return
        if sent < len(data):
            self._out = data[sent:]
            self._fleet.watch(self, writable=True)

    def _lose(self, why: str) -> None:
        if self.state != "lost":
            self.lost = why
            self._fleet.forget(self)
            self.socket.close()
            self._enter("lost")
            self._fleet.lose(self)

    def _enter(self, state: State) -> None:
        self._fleet.count[self.state] -= 1
        self._fleet.count[state] += 1
        self.state = state


class Fleet:
    """Clients of one server; `lose` is told of each whose line ended, and may let it come again.

    `with` closes what is left of them.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.count: dict[State, int] = dict.fromkeys(
            ("away", "connecting", "upgrading", "opening", "synced", "lost"), 0
        )
        self.lose: Callable[[Client], None] = lambda _: None
        self._poll = select.epoll()
        self._clients: list[Client] = []
        self._by_file: dict[int, Client] = {}

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self.lose = lambda _: None
        for client in list(self._clients):
            client.goes()
        self._poll.close()

    def launch(self, speakers: Iterable[Speaker], *, first: int = 0) -> list[Client]:
        """Clients that are away yet, numbered from `first` on."""
        clients = [Client(self, speaker, first + place) for place, speaker in enumerate(speakers)]
        self.count["away"] += len(clients)
        self._clients += clients
        return clients

    def turn(self, wait_s: float) -> None:
        for file, events in self._poll.poll(wait_s):
            if client := self._by_file.get(file):
                client.handle(events)

    def until(self, is_so: Callable[[], bool], *, within_s: float) -> bool:
        """Whether it came to be so in time."""
        ends_s = time.monotonic() + within_s
        while not is_so():
            if (left_s := ends_s - time.monotonic()) <= 0:
                return False
            self.turn(min(left_s, 0.05))
        return True

    def watch(self, client: Client, *, writable: bool = False, is_new: bool = False) -> None:
        events = select.EPOLLIN | (select.EPOLLOUT if writable else 0)
        if is_new:
            self._by_file[client.socket.fileno()] = client
            self._poll.register(client.socket, events)
        else:
            self._poll.modify(client.socket, events)

    def forget(self, client: Client) -> None:
        if self._by_file.pop(client.socket.fileno(), None) is not None:
            self._poll.unregister(client.socket)


def read_frames(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """What is left of a server's bytes, and the whole messages in them, each with its opcode."""
    messages: list[tuple[int, bytes]] = []
    position, end = 0, len(data)
    while end - position >= 2:
        length, start = data[position + 1], position + 2
        if length >= 126:
            start += 2 if length == 126 else 8
            if start > end:
                break
            length = int.from_bytes(data[position + 2 : start], "big")
        if start + length > end:
            break
        messages.append((data[position] & 0x0F, data[start : start + length]))
        position = start + length
    return data[position:], messages


def raise_file_limit() -> int:
    """For this process and those that it starts; how many files it may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
