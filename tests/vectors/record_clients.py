"""Writes what this version's own clients and this version's server say to each other, for later servers to be held to.

    python -m tests.vectors.record_clients 0.1.0

Run it in the tree of each release, before its commit: it writes `clients-0.1.0.json` beside itself, which from then on
`tests/server/test_earlier_clients.py` reads as it reads all of them. A file is never made anew after its release: what
is in it is in the hands of others. Needs Node and npm; takes a minute, for the clients ping by themselves.

In the file are conversations, one a client: `frames` in their order, each on a line (a socket; the one of a name before
it was cut) and from one side, and the text in the end.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgpack
from pycrdt import Text
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketClientConnection, WebSocketHandler, websocket_connect

from collabdoc.client import connect
from tests.clients.program import Program
from tests.clients.project import CLIENTS, Project
from tests.process import ServerProcess

DOCUMENT = "notes/today"
CLIENT, SERVER = "client", "server"
OPEN, UPDATE, AWARENESS, PING, SAVED = 1, 3, 4, 6, 7
_SAID_WITHIN_S = 60.0


class Tape:
    """What was said, and the lines on which it is."""

    def __init__(self, server_url: str) -> None:
        self.frames: list[dict[str, str]] = []
        self.lines: dict[str, list[_Line]] = {}
        self._upstream = server_url.replace("http", "ws") + "/ws"
        self._http = HTTPServer(Application([(r"/(\w+)/ws", _Line, {"tape": self, "upstream": self._upstream})]))
        (socket,) = bind_sockets(0, "127.0.0.1")
        self._http.add_socket(socket)
        self._url = f"http://127.0.0.1:{socket.getsockname()[1]}"

    def url(self, name: str) -> str:
        """Where somebody's client is to connect."""
        return f"{self._url}/{name}"

    def note(self, line: str, side: str, frame: bytes) -> None:
        self.frames.append({"line": line, "from": side, "hex": frame.hex()})

    async def said(self, line: str, side: str, type_: int, fits: Callable[[list[Any]], bool] = lambda _: True) -> None:
        """Wait until such a message was said."""
        async with asyncio.timeout(_SAID_WITHIN_S):
            while True:
                for frame in self.frames:
                    if (frame["line"], frame["from"]) == (line, side):
                        message = msgpack.unpackb(bytes.fromhex(frame["hex"]), strict_map_key=False)
                        if message[0] == type_ and fits(message):
                            return
                await asyncio.sleep(0.01)

    def cut(self, name: str) -> None:
        self.lines[name][-1].cut()

    def stop(self) -> None:
        self._http.stop()


class _Line(WebSocketHandler):
    """Hands on what either side says, and notes it."""

    def initialize(self, tape: Tape, upstream: str) -> None:
        self._tape = tape
        self._upstream = upstream

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0]

    async def open(self, *names: str, **_: str) -> None:
        lines = self._tape.lines.setdefault(names[0], [])
        lines.append(self)
        self._name = f"{names[0]} {len(lines)}"
        self._server: WebSocketClientConnection = await websocket_connect(
            self._upstream, subprotocols=["collabdoc.v1"], on_message_callback=self._hear
        )

    def on_message(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        self._tape.note(self._name, CLIENT, message)
        self._server.write_message(message, binary=True)

    def _hear(self, message: str | bytes | None) -> None:
        if isinstance(message, bytes) and self.ws_connection is not None:
            self._tape.note(self._name, SERVER, message)
            self.write_message(message, binary=True)

    def cut(self) -> None:
        """Without a goodbye."""
        self._server.close()
        self.detach().close()


class Speaker(Protocol):
    """A client under record; `async with` ends it."""

    async def __aenter__(self) -> "Speaker": ...

    async def __aexit__(self, *raised: object) -> None: ...

    def types(self, text: str) -> None:
        """At the start."""

    def deletes(self, length: int) -> None:
        """From the start."""


class PythonSpeaker:
    def __init__(self, url: str, name: str) -> None:
        self._name = name
        self._client = connect(url, max_backoff_s=0.5)

    async def __aenter__(self) -> "PythonSpeaker":
        self._document = await (await self._client.__aenter__()).open(DOCUMENT)
        self._text = self._document.doc.get("content", type=Text)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.__aexit__(None, None, None)

    def types(self, text: str) -> None:
        self._text.insert(0, text)
        self._document.awareness.say({"user": {"name": self._name}})

    def deletes(self, length: int) -> None:
        del self._text[:length]


class NodeSpeaker:
    def __init__(self, script: str, url: str, name: str) -> None:
        self._command = ("node", script, "@collabdoc/provider", url, DOCUMENT, name)

    async def __aenter__(self) -> "NodeSpeaker":
        self._program = await Program.start(*self._command)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._program.stop()

    def types(self, text: str) -> None:
        self._program.does("replace", place=0, length=0, text=text)

    def deletes(self, length: int) -> None:
        self._program.does("replace", place=0, length=length, text="")


async def record(kind: str, speak: Callable[[str, str], Speaker]) -> dict[str, Any]:
    """Two clients of a kind: they come, write, are present, are cut off, come back, and fall silent."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(ServerProcess(Path(folder)))
        tape = Tape(server.url)
        anna = await stack.enter_async_context(speak(tape.url("anna"), "anna"))
        await tape.said("anna 1", SERVER, OPEN)
        anna.types("hello ")
        await tape.said("anna 1", SERVER, SAVED)
        ben = await stack.enter_async_context(speak(tape.url("ben"), "ben"))
        await tape.said("ben 1", SERVER, OPEN)
        ben.types("ben says ")
        await tape.said("anna 1", SERVER, UPDATE)
        await tape.said("anna 1", SERVER, AWARENESS)
        anna.deletes(4)
        await tape.said("ben 1", SERVER, UPDATE)
        await tape.said("anna 1", SERVER, SAVED, lambda message: message[2] >= 2)
        tape.cut("anna")
        anna.types("offline ")
        await tape.said("anna 2", SERVER, OPEN)
        await tape.said("anna 2", SERVER, SAVED)
        await tape.said("ben 1", SERVER, UPDATE, lambda message: b"offline " in b"".join(message[3]))
        await tape.said("anna 2", SERVER, PING)
        tape.stop()
        answer = await AsyncHTTPClient().fetch(f"{server.url}/api/documents/{DOCUMENT}/content?format=text")
        return {"with": kind, "frames": tape.frames, "text": answer.body.decode()}


async def main(version: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        script = str(shutil.copy(CLIENTS / "together.mjs", project.folder))
        conversations = [
            await record("collabdoc.client", PythonSpeaker),
            await record("@collabdoc/provider", partial(NodeSpeaker, script)),
        ]
    told = json.dumps({"version": version, "conversations": conversations}, indent=1)
    Path(__file__).with_name(f"clients-{version}.json").write_text(told + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
