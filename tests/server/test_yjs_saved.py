"""What a client of y-websocket's dialect may take for "saved": the answer to a question asked after its edits."""

import asyncio
from pathlib import Path

import pytest

from collabdoc.protocol import yjs
from collabdoc.server.app import Server
from tests.conftest import ServerFactory
from tests.server.hocuspocus_wire import Typist
from tests.server.people import ByName
from tests.server.test_hocuspocus import HeldStore
from tests.server.wire import text_of, typed
from tests.server.yjs_wire import YjsWire

pytestmark = pytest.mark.gen_test(timeout=30)

HI = yjs.encode_update(typed("hi", client_id=7))
ASKS = yjs.encode_step_1(b"\x00")


async def test_an_answer_waits_until_all_that_came_before_the_question_is_committed(
    start_server: ServerFactory, tmp_path: Path
) -> None:
    store = HeldStore(tmp_path / "store")
    server = await start_server(store=store)
    alice, bob = await YjsWire.open(server), await YjsWire.open(server)
    store.goes_on.clear()
    alice.says(HI, ASKS)
    assert text_of(await bob.hears("update")) == "hi", "others wait for nothing"
    await bob.stays_open()
    bob.says(yjs.encode_update(typed("from bob", client_id=8)))
    assert text_of(await alice.hears("update")) == "from bob", "and the answer is not there"
    store.goes_on.set()
    assert "hi" in text_of(await alice.hears("step 2"))
    loaded = store.load("a")
    assert loaded is not None
    assert "hi" in text_of(*(entry.update for entry in loaded.tail))


async def test_edits_made_after_the_question_do_not_hold_up_its_answer(
    start_server: ServerFactory, tmp_path: Path
) -> None:
    store = HeldStore(tmp_path / "store")
    server = await start_server(store=store)
    alice = await YjsWire.open(server)
    store.goes_on.clear()
    alice.says(ASKS, HI)
    await alice.hears("step 2")
    store.goes_on.set()
    await alice.stays_open()


async def test_an_edit_that_holds_nothing_new_is_answered_too(server: Server) -> None:
    alice = await YjsWire.open(server)
    alice.says(HI, HI, ASKS)
    assert text_of(await alice.hears("step 2")) == "hi"


async def test_an_edit_that_was_put_off_is_answered_once_it_has_come_again(server: Server) -> None:
    alice = await YjsWire.open(server)
    typist = Typist()
    typist.types("first ")
    alice.says(yjs.encode_update(typist.types("second")), ASKS)
    state = await alice.hears("step 1")
    alice.says(yjs.encode_step_2(typist.doc.get_update(state)))
    assert text_of(await alice.hears("step 2")) == "first second"


async def test_who_may_only_read_is_answered_whatever_it_sends(start_server: ServerFactory) -> None:
    server = await start_server(authenticator=ByName())
    await YjsWire.open(server, query="?token=write")
    reader = await YjsWire.open(server, query="?token=read")
    reader.says(HI, ASKS)
    assert {kind for kind, _ in [await reader.hears_any(), await reader.hears_any()]} == {"denied", "step 2"}


async def test_nothing_is_answered_while_nothing_can_be_committed(start_server: ServerFactory, tmp_path: Path) -> None:
    store = HeldStore(tmp_path / "store")
    server = await start_server(store=store)
    alice = await YjsWire.open(server)
    store.is_full = True
    alice.says(HI, ASKS)
    while server.rooms._writer.refusal() is None:
        await asyncio.sleep(0.01)
    alice.says(yjs.encode_update(typed("more", client_id=8)))
    assert await alice.is_closed() == 1013, "and it hears no answer before"
    store.is_full = False
