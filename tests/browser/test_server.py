"""The server goes away and comes back, or says no; people go on writing."""

import pytest

from tests.browser.story import COMES_BACK_MS, Person, everybody_has
from tests.process import ServerProcess


@pytest.mark.parametrize("kind", ["rich", "text"])
def test_a_killed_server_costs_nobody_a_letter(own_server: ServerProcess, ana: Person, ben: Person, kind: str) -> None:
    ana.opens_new("killed", kind=kind)
    ben.opens("killed")
    with ana.stays_on_this_page(), ben.stays_on_this_page():
        ana.keeps_typing("ana")
        ben.keeps_typing("ben")
        own_server.kill()
        ana.status_is("reconnecting")
        ben.status_is("reconnecting")
        own_server.start()
        ana.status_is("saving", within_ms=COMES_BACK_MS)
        ben.status_is("saving", within_ms=COMES_BACK_MS)
        everybody_has([ana, ben], ana.stops_typing("ana"), ben.stops_typing("ben"))


def test_a_restart_is_announced_and_costs_nobody_a_letter(own_server: ServerProcess, ana: Person, ben: Person) -> None:
    ana.opens_new("restarted")
    ben.opens("restarted")
    with ana.stays_on_this_page(), ben.stays_on_this_page():
        ana.keeps_typing("ana")
        ben.keeps_typing("ben")
        assert own_server.terminate() == 0
        ana.status_is("reconnecting")
        ben.status_is("reconnecting")
        own_server.start()
        ana.status_is("saving", within_ms=COMES_BACK_MS)
        ben.status_is("saving", within_ms=COMES_BACK_MS)
        everybody_has([ana, ben], ana.stops_typing("ana"), ben.stops_typing("ben"))


def test_a_page_left_open_survives_a_server_that_restarts_while_nobody_types(
    own_server: ServerProcess, ana: Person, ben: Person
) -> None:
    ana.opens_new("idle", kind="text")
    ana.types("kept")
    ana.status_is("saved")
    own_server.kill()
    own_server.start()
    ana.status_is("saved", within_ms=COMES_BACK_MS)
    ben.opens("idle")
    ben.reads("kept")
