"""Updates, state vectors and presence that were crafted to break the CRDT library, in every dialect.

Who else has the document open notices nothing, and whoever opens it afterwards gets what it was.
"""

import json

import pytest
from tornado.httpclient import AsyncHTTPClient

from collabdoc.config import Limits
from collabdoc.content import FORMATS
from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Awareness, Closed, Open, Ping, Pong, Rejected, Saved, Update
from collabdoc.server.app import Server
from tests.conftest import ServerFactory
from tests.protocol.crafting import section, string, update
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.wire import Wire
from tests.server.yjs_wire import YjsWire
from tests.vectors import read_vectors

pytestmark = pytest.mark.gen_test(timeout=60)

HOSTILE = read_vectors("updates.json")["hostile"]
HUGE_STATE_VECTOR = b"\x80\x80\x80\x40\x01"
HUGE_PRESENCE = (b"\xff" * 16_000, b"\xff" * 200_000, b"\xff\xff\xff\x7f" + bytes(8))


class Native:
    """Edits that build on what is not there are asked for again, and refused when they come again."""

    @staticmethod
    async def edit(server: Server, document: str, edit: bytes) -> int:
        wire = await Wire.connect(server)
        for channel in (1, 2):
            await wire.opens(document, channel)
            wire.says(Update(channel, 1, edit))
            answer = await wire.hears_any()
            if answer != Closed(channel, 1013, getattr(answer, "reason", "")):
                break
        assert isinstance(answer, Rejected), answer
        return answer.code

    @staticmethod
    async def sync(server: Server, document: str, state_vector: bytes) -> int:
        wire = await Wire.connect(server)
        wire.says(Open(1, document, state_vector))
        closed: Closed = await wire.hears(Closed)
        return closed.code

    @staticmethod
    async def be_present(server: Server, document: str, awareness: bytes) -> int:
        wire = await Wire.connect(server)
        await wire.opens(document)
        wire.says(Awareness(1, awareness))
        closed: Closed = await wire.hears(Closed)
        return closed.code


class Yjs:
    @staticmethod
    async def edit(server: Server, document: str, edit: bytes) -> int:
        wire = await YjsWire.open(server, document)
        wire.says(yjs.encode_update(edit))
        kind, value = await wire.hears_any()
        if kind == "step 1":
            wire.says(yjs.encode_step_2(edit))
            kind, value = await wire.hears_any()
        assert kind == "close", (kind, value)
        return int(value[:4])

    @staticmethod
    async def sync(server: Server, document: str, state_vector: bytes) -> int:
        wire = await YjsWire.connect(server, document)
        await wire.hears("step 1")
        wire.says(yjs.encode_step_1(state_vector))
        return await wire.is_closed()

    @staticmethod
    async def be_present(server: Server, document: str, awareness: bytes) -> int:
        wire = await YjsWire.open(server, document)
        wire.says(yjs.encode_awareness(awareness))
        return await wire.is_closed()


class Hocuspocus:
    """Its refusals have no code: `4400` stands for a status that says "not taken", or the end of the address."""

    @staticmethod
    async def edit(server: Server, document: str, edit: bytes) -> int:
        wire = await HocuspocusWire.dials(server)
        await wire.joins(at=document)
        wire.edits(edit, at=document)
        heard = await wire.gets()
        if heard.kind == "step 1":
            wire.brings(edit, at=document)
            heard = await wire.gets()
        assert (heard.kind, heard.value) == ("status", False), heard
        return 4400

    @staticmethod
    async def sync(server: Server, document: str, state_vector: bytes) -> int:
        wire = await HocuspocusWire.dials(server)
        await wire.joins(at=document)
        wire.has(state_vector, at=document)
        await wire.gets_a("step 1", at=document)
        await wire.gets_a("close", at=document)
        return 4400

    @staticmethod
    async def be_present(server: Server, document: str, awareness: bytes) -> int:
        wire = await HocuspocusWire.dials(server)
        await wire.joins(at=document)
        wire.is_present(awareness, at=document)
        await wire.gets_a("close", at=document)
        return 4400


DIALECTS = (Native, Yjs, Hocuspocus)


class Bystander:
    """Has the document open from before to after."""

    def __init__(self, wire: Wire, document: str, had: bytes) -> None:
        self.wire = wire
        self.document = document
        self.had = had

    @classmethod
    async def opens(cls, server: Server, document: str, log: list[bytes]) -> "Bystander":
        wire = await Wire.connect(server)
        await wire.opens(document)
        for id_, each in enumerate(log, start=1):
            wire.says(Update(1, id_, each))
        while log and (await wire.hears(Saved)).id < len(log):
            pass
        return cls(wire, document, (await wire.opens(document, 2)).update)

    async def noticed_nothing(self) -> None:
        self.wire.says(Ping(1))
        await self.wire.hears(Pong)
        assert (await self.wire.opens(self.document, 3)).update == self.had


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_nobody_sends_is_refused_and_nobody_notices(server: Server, dialect: type[Native]) -> None:
    for number, vector in enumerate(HOSTILE):
        document = f"hostile/{number}"
        bystander = await Bystander.opens(server, document, [bytes.fromhex(base) for base in vector["base"]])
        assert await dialect.edit(server, document, bytes.fromhex(vector["hex"])) in (4400, 4413), vector["name"]
        await bystander.noticed_nothing()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_claims_of_what_is_not_there_are_refused_before_they_are_believed(
    server: Server, dialect: type[Native]
) -> None:
    bystander = await Bystander.opens(server, "claims", [])
    assert await dialect.sync(server, "claims", HUGE_STATE_VECTOR) == 4400
    for presence in HUGE_PRESENCE:
        assert await dialect.be_present(server, "claims", presence) == 4400
    await bystander.noticed_nothing()


@pytest.mark.parametrize("root", ["content", "default", "meta"])
async def test_what_is_legal_and_never_ends_when_it_is_read_holds_nobody_up(
    start_server: ServerFactory, root: str
) -> None:
    """Text in an array: pycrdt never comes back from reading it, and an export does so in the helper process."""
    server = await start_server(limits=Limits(helper_s=1))
    array = update(section(3, 0, b"\x08\x01" + string(root) + b"\x03" + b"\x7d\x01\x7d\x02\x7d\x03"))
    text = bytes.fromhex("0101090084030204f09f988000")
    bystander = await Bystander.opens(server, "legal", [array, text])
    for format_ in FORMATS:
        answer = await AsyncHTTPClient().fetch(
            f"{server.url}/api/documents/legal/content?format={format_}", raise_error=False
        )
        assert answer.code == 200 or (
            answer.code == 422 and "cannot be read" in json.loads(answer.body)["error"]["message"]
        )
    await bystander.noticed_nothing()
