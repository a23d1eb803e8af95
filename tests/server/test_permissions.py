"""Who may do what, over real sockets and HTTP: every cell of the matrix, and what stands beside it."""

import json
from collections import Counter

import pytest

from collabdoc.auth import Action
from collabdoc.protocol.messages import Saved, Update
from tests.conftest import ServerFactory
from tests.server.matrix import DIALECTS, EVERYBODY, TABLE, Cell, Outcome, Person, expected
from tests.server.people import SECRET, bearer, token, with_tokens
from tests.server.test_api import Http
from tests.server.wire import Wire, typed

pytestmark = pytest.mark.gen_test(timeout=60)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("person", EVERYBODY, ids=str)
async def test_each_cell_of_the_matrix(start_server: ServerFactory, person: Person, dialect: str) -> None:
    server = await start_server() if person.is_open else await start_server(auth="token", token_key=SECRET)
    writer = await Wire.connect(server)
    wrong = {}
    for number, (name, deed) in enumerate(DIALECTS[dialect].deeds.items(), start=1):
        cell = Cell(server, person, f"team/{number}")
        await writer.opens(cell.document, channel=number, token=token("writer", "write"))
        writer.says(Update(number, 1, typed("hello", client_id=99)))
        await writer.hears(Saved)
        outcome = await deed(cell)
        if outcome is not expected(person, dialect, name):
            wrong[name] = outcome
        writer = await Wire.connect(server)
    assert wrong == {}


def test_the_matrix_leaves_nothing_out() -> None:
    cells = [
        (str(person), dialect, name) for person in EVERYBODY for dialect in DIALECTS for name in DIALECTS[dialect].deeds
    ]
    assert len(cells) == len(set(cells)) == len(EVERYBODY) * 19 == 32 * 19
    assert {name for _, _, name in cells} == TABLE.keys()
    outcomes = Counter(
        expected(person, dialect, name)
        for person in EVERYBODY
        for dialect in DIALECTS
        for name in DIALECTS[dialect].deeds
    )
    assert outcomes.keys() == set(Outcome)
    assert len(TABLE) >= len(Action)


async def test_the_list_comes_in_pages_of_what_its_reader_may_read(start_server: ServerFactory) -> None:
    server = await with_tokens(start_server)
    for name in ("team/a", "other/b", "team/c", "secret", "team/d"):
        await server.rooms.create(name, title="", kind="text")
    found = []
    for offset in range(4):
        path = f"/api/documents?limit=1&offset={offset}"
        body = json.loads((await Http(server).fetch("GET", path, **bearer("ana", "read", "team/*"))).body)
        assert body["total"] == 3, "the others are not even counted"
        found += [row["name"] for row in body["documents"]]
    assert found == ["team/d", "team/c", "team/a"]


async def test_health_and_pages_need_no_token(start_server: ServerFactory) -> None:
    http = Http(await with_tokens(start_server))
    for path in ("/healthz", "/readyz"):
        assert (await http.fetch("GET", path)).code == 200
    for path in ("/", "/d/team/a", "/share", "/sign-in"):
        assert (await http.fetch("GET", path)).code in (200, 503), "503: not built"
