"""Who brings what this server does not expect: a copy of another life of the document, content of a newer schema."""

from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Map, XmlElement, XmlFragment, XmlText

from collabdoc.config import load_settings
from collabdoc.protocol import yjs
from collabdoc.protocol.messages import Close, Saved, Update
from collabdoc.server.app import Server
from tests.server.hocuspocus_wire import HocuspocusWire
from tests.server.wire import Wire, text_of, typed
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)

OLD = typed("first life", client_id=1)
NEW = typed("second life", client_id=2)


async def begin_second_life(server: Server, name: str) -> Wire:
    """The document was there with `OLD`, was deleted, and is there with `NEW`; who wrote that."""
    native = await Wire.connect(server)
    await native.opens(name)
    native.says(Update(1, 1, OLD))
    await native.hears(Saved)
    native.says(Close(1))
    assert await server.rooms.delete(name)
    await native.opens(name, channel=2)
    native.says(Update(2, 1, NEW))
    await native.hears(Saved)
    return native


async def test_a_copy_of_another_life_that_y_websocket_brings_is_merged(server: Server) -> None:
    """Its dialect has no epoch: what a client kept comes back, beside what is there, and nothing of that is lost."""
    await begin_second_life(server, "a")
    client = await YjsWire.connect(server)
    client.says(yjs.encode_step_1(b"\x01\x01\x0a"))
    await client.hears("step 1")
    assert text_of(await client.hears("step 2")) == "second life"
    client.says(yjs.encode_step_2(OLD))
    await client.stays_open()
    assert set((await server.rooms.export("a", "text")).split(b" life")) == {b"first", b"second", b""}


async def test_a_copy_of_another_life_that_a_hocuspocus_provider_brings_is_merged(server: Server) -> None:
    await begin_second_life(server, "d")
    client = await HocuspocusWire.dials(server)
    assert text_of(await client.joins()) == "second life"
    client.brings(OLD)
    assert await client.gets_a("status") is True
    assert set((await server.rooms.export("d", "text")).split(b" life")) == {b"first", b"second", b""}


async def test_content_of_a_newer_schema_stays_as_it_came(tmp_path: Path) -> None:
    """In what others get, in a snapshot, after a start; what an export does not know it gives as its words."""
    settings = load_settings({"port": 0, "data": tmp_path, "limits": {"snapshot_updates": 1, "goaway_spread_s": 0.1}})
    newer = of_a_newer_schema()
    async with Server(settings) as server:
        author = await Wire.connect(server)
        await author.opens("a")
        author.says(Update(1, 1, newer))
        await author.hears(Saved)
        assert read((await (await Wire.connect(server)).opens("a")).update) == read(newer)
    async with Server(settings) as server:
        assert read((await (await Wire.connect(server)).opens("a")).update) == read(newer)
        for format_ in ("text", "markdown", "html"):
            exported = await server.rooms.export("a", format_)
            assert b"known words" in exported
            assert b"words of the future" in exported


def of_a_newer_schema() -> bytes:
    doc: Doc[Any] = Doc()
    meta = doc.get("meta", type=Map)
    meta["kind"], meta["schema"], meta["mood"] = "rich", 2.0, "calm"
    fragment = doc.get("default", type=XmlFragment)
    fragment.children.append(XmlElement("paragraph", contents=[XmlText("known words")]))
    fragment.children.append(XmlElement("hologram", {"depth": "3"}, contents=[XmlText("words of the future")]))
    return doc.get_update()


def read(update: bytes) -> tuple[str, Any]:
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    return str(doc.get("default", type=XmlFragment)), doc.get("meta", type=Map).to_py()
