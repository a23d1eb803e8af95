"""Replay recordings of real people typing through a running server, and compare the end to the letter.

    python -m tests.reliability.recordings two PATH/friendsforever.json.gz
    python -m tests.reliability.recordings dialects PATH/friendsforever.json.gz
    python -m tests.reliability.recordings one PATH/automerge-paper.json.gz --kills 10
    python -m tests.reliability.recordings offline PATH/friendsforever.json.gz

The recordings are those of the public collection josephg/editing-traces; positions count code points, which in these
two are bytes as well. `two`: each of two clients edits its own replica, as the recorded person saw it (parents
respected), and the edits are exchanged live. `dialects`: the same, the second of them in y-websocket's. `one`: one
client streams every edit, while the server is killed with -9 and started again; each edit has to be reported saved.
`offline`: all edits come as one update, each edit apart in it.
"""

import argparse
import asyncio
import gzip
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pycrdt import Doc, Text
from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from collabdoc.client import connect
from collabdoc.document import Document, merge
from collabdoc.protocol import native, yjs
from collabdoc.protocol.lib0 import read_bytes
from collabdoc.protocol.messages import Open, Opened, Saved, Update, Updates
from collabdoc.store.sqlite import SqliteStore
from tests.process import ServerProcess

UNSAVED_AT_MOST = 2_000
_NAME = "recording"


def load(path: Path) -> dict[str, Any]:
    with gzip.open(path) as file:
        recording: dict[str, Any] = json.load(file)
    assert recording["endContent"].isascii(), "positions would have to be translated"
    return recording


def patch(text: Text, patches: Sequence[Sequence[Any]]) -> None:
    for position, deleted, inserted in patches:
        if deleted:
            del text[position : position + deleted]
        if inserted:
            text.insert(position, inserted)


class Typist:
    """A client of the wire that takes edits of others only when the recorded person had seen them.

    Several may come as one. What has come is seen from a copy of its own; the replica takes them one by one from
    `others`, the other's edits, which are the same each time that a recording is replayed.
    """

    def __init__(self, client_id: int, others: Sequence[bytes] = ()) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)  # the order of ids settles concurrent inserts as recorded
        self.text = self.doc.get("content", type=Text)
        self.heard: deque[bytes] = deque()
        self._others = deque(others)
        self._come = Document()
        self.seen = self.sent = self.saved = 0
        self._news = asyncio.Condition()
        self.doc.observe(self._note)

    async def connect(self, url: str) -> None:
        self._socket: WebSocketClientConnection = await websocket_connect(
            url.replace("http", "ws") + "/ws", subprotocols=[native.SUBPROTOCOL]
        )
        await self._socket.write_message(native.encode_client(Open(1, _NAME, b"\x00")), binary=True)
        self._reader = asyncio.create_task(self._read())

    async def type(self, patches: Sequence[Sequence[Any]], *, having_seen: int) -> None:
        """Make one recorded edit once `having_seen` edits of the other are here."""
        await self._until(lambda: self.seen + len(self.heard) >= having_seen)
        while self.seen < having_seen:
            self.doc.apply_update(self.heard.popleft())
            self.seen += 1
        with self.doc.transaction():
            patch(self.text, patches)
        await self.send(self._edit)

    async def send(self, update: bytes) -> None:
        self.sent += 1
        self._take(update)
        await self._socket.write_message(native.encode_client(Update(1, self.sent, update)), binary=True)
        await self._until(lambda: self.sent - self.saved < UNSAVED_AT_MOST)

    async def finish(self, others: int) -> str:
        """Wait for all edits of the other and all acknowledgements; the text then."""
        await self._until(lambda: self.seen + len(self.heard) >= others and self.saved == self.sent)
        for update in self.heard:
            self.doc.apply_update(update)
        self._socket.close()
        await self._reader
        return str(self.text)

    def _take(self, update: bytes) -> None:
        self._come.apply(update, self._come.check(update))
        while self._others and self._come.holds(self._others[0]):
            self.heard.append(self._others.popleft())

    def _note(self, event: Any) -> None:
        self._edit: bytes = event.update

    async def _until(self, condition: Any) -> None:
        async with self._news:
            await self._news.wait_for(condition)

    async def _read(self) -> None:
        while isinstance(frame := await self._socket.read_message(), bytes):
            match native.decode_server(frame):
                case Updates(_, _, updates):
                    for update in updates:
                        self._take(update)
                case Saved(_, id_):
                    self.saved = id_
                case Opened():
                    pass
                case other:
                    raise AssertionError(other)
            async with self._news:
                self._news.notify_all()


class YjsTypist(Typist):
    """The same in y-websocket's dialect."""

    def __init__(self, client_id: int, others: Sequence[bytes]) -> None:
        super().__init__(client_id, others)
        self._is_synced = False

    async def connect(self, url: str) -> None:
        self._socket = await websocket_connect(f"{url.replace('http', 'ws')}/yjs/{_NAME}")
        await self._ask()
        self._reader = asyncio.create_task(self._read())

    async def send(self, update: bytes) -> None:
        self.sent += 1
        self._take(update)
        await self._socket.write_message(yjs.encode_update(update), binary=True)

    async def finish(self, others: int) -> str:
        """Once the other has finished: the text as it came, which the replica has to have, too."""
        self._is_synced = False
        await self._ask()
        await self._until(lambda: self._is_synced)
        self._socket.close()
        await self._reader
        self.doc.apply_update(self._come.diff(b"\x00"))
        text = str(self._come._doc.get("content", type=Text))
        assert self.seen + len(self.heard) == others
        assert str(self.text) == text
        return text

    async def _ask(self) -> None:
        await self._socket.write_message(yjs.encode_step_1(self._come.state_vector()), binary=True)

    async def _read(self) -> None:
        while isinstance(frame := await self._socket.read_message(), bytes):
            if frame[:2] in (b"\x00\x01", b"\x00\x02"):
                update, _ = read_bytes(frame, 2)
                self._take(update)
                self._is_synced |= yjs.is_step_2(frame)
            async with self._news:
                self._news.notify_all()


async def replay_two(recording: dict[str, Any], data: Path, second: type[Typist]) -> list[str]:
    """The texts at the end: of both replicas, of a client that joins late, and of the content after a restart."""
    counts = _seen_by(recording["txns"])
    edits = write_offline(recording)
    of_first, of_second = ([edit for agent, edit in edits if agent == each] for each in (0, 1))
    typists = [Typist(1, of_second), second(2, of_first)]
    with ServerProcess(data) as server:
        for typist in typists:
            await typist.connect(server.url)

        async def play(agent: int) -> None:
            for transaction, seen in zip(recording["txns"], counts, strict=True):
                if transaction["agent"] == agent:
                    await typists[agent].type(transaction["patches"], having_seen=seen[1 - agent])

        await asyncio.gather(play(0), play(1))
        texts = [await typists[0].finish(typists[1].sent), await typists[1].finish(typists[0].sent)]
        return texts + await _served(server)


async def replay_offline(recording: dict[str, Any], data: Path) -> list[str]:
    """The texts at the end: of a client that joins late, and of the content after a restart."""
    with ServerProcess(data) as server:
        writer = Typist(1)
        await writer.connect(server.url)
        await writer.send(merge([edit for _, edit in write_offline(recording)]))
        await writer.finish(0)
        return await _served(server)


def write_offline(recording: dict[str, Any]) -> list[tuple[int, bytes]]:
    """All edits of two people, and whose each is."""
    docs: list[Doc[Any]] = [Doc(client_id=1), Doc(client_id=2)]
    events: list[bytes] = []
    subscriptions = [doc.observe(lambda event: events.append(event.update)) for doc in docs]
    log: list[tuple[int, bytes]] = []
    made: list[list[bytes]] = [[], []]
    heard = [0, 0]
    for transaction, seen in zip(recording["txns"], _seen_by(recording["txns"]), strict=True):
        agent = transaction["agent"]
        doc, others = docs[agent], made[1 - agent]
        for update in others[heard[agent] : seen[1 - agent]]:
            doc.apply_update(update)
        heard[agent] = max(heard[agent], seen[1 - agent])
        with doc.transaction():
            patch(doc.get("content", type=Text), transaction["patches"])
        made[agent].append(events[-1])
        log.append((agent, events[-1]))
    for doc, subscription in zip(docs, subscriptions, strict=True):
        doc.unobserve(subscription)
    return log


async def _served(server: ServerProcess) -> list[str]:
    async with connect(server.url) as late:
        texts = [str((await late.open(_NAME)).doc.get("content", type=Text))]
    await asyncio.to_thread(server.terminate)
    await asyncio.to_thread(server.start)
    response = await AsyncHTTPClient().fetch(f"{server.url}/api/documents/{_NAME}/content?format=text")
    return [*texts, response.body.decode()]


async def replay_one(recording: dict[str, Any], data: Path, *, kills: int) -> tuple[str, int, int]:
    """The content at the end, the bytes of the data folder after a clean stop, and those of its snapshot."""
    transactions = recording["txns"]
    kill_at = {len(transactions) * number // (kills + 1) for number in range(1, kills + 1)}
    with ServerProcess(data) as server:
        async with connect(server.url) as client:
            document = await client.open(_NAME)
            text = document.doc.get("content", type=Text)
            for number, transaction in enumerate(transactions):
                patch(text, transaction["patches"])
                if number in kill_at:
                    server.kill()
                    await asyncio.to_thread(server.start)
                if number % 100 == 0:
                    await document.saved(within=UNSAVED_AT_MOST)
            await document.saved()
            assert document.unsaved == 0
        response = await AsyncHTTPClient().fetch(f"{server.url}/api/documents/{_NAME}/content?format=text")
        await asyncio.to_thread(server.terminate)
    return response.body.decode(), *sizes(data)


def sizes(data: Path) -> tuple[int, int]:
    """The bytes of a data folder that nobody holds, and those of the snapshot in it."""
    folder_bytes = sum(file.stat().st_size for file in data.iterdir())
    store = SqliteStore(data)
    loaded = store.load(_NAME)
    store.close()
    assert loaded is not None
    assert loaded.snapshot is not None
    return folder_bytes, len(loaded.snapshot)


def _seen_by(transactions: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    """For each edit: how many edits of either person its author had seen, from the recorded parents."""
    after: list[tuple[int, int]] = []
    before: list[tuple[int, int]] = []
    for transaction in transactions:
        parents = [after[parent] for parent in transaction["parents"]] or [(0, 0)]
        seen = (max(parent[0] for parent in parents), max(parent[1] for parent in parents))
        before.append(seen)
        own = transaction["agent"]
        after.append((seen[0] + (own == 0), seen[1] + (own == 1)))
    return before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=["two", "dialects", "one", "offline"])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--kills", type=int, default=10, help="kills on the way, for `one` (default: 10)")
    arguments = parser.parse_args()
    recording = load(arguments.recording)
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.how == "two":
            texts = asyncio.run(replay_two(recording, Path(folder), Typist))
        elif arguments.how == "dialects":
            texts = asyncio.run(replay_two(recording, Path(folder), YjsTypist))
        elif arguments.how == "offline":
            texts = asyncio.run(replay_offline(recording, Path(folder)))
        else:
            text, folder_bytes, snapshot_bytes = asyncio.run(replay_one(recording, Path(folder), kills=arguments.kills))
            texts = [text]
            ratio = folder_bytes / snapshot_bytes
            print(f"data folder {folder_bytes} bytes, snapshot {snapshot_bytes} bytes: {ratio:.2f}x")
    good = all(text == recording["endContent"] for text in texts)
    took_s = time.monotonic() - started_s
    print(
        f"{len(recording['txns'])} edits in {took_s:.0f} s: {'equal' if good else 'NOT EQUAL'} to the recording's end"
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
