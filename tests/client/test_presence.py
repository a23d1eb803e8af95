"""Who is here."""

import pytest

from collabdoc.awareness import Entry, decode, encode
from collabdoc.client.presence import INTERVAL_S, RENEWAL_S, Presence
from tests.client.rig import FakeClock


class Here:
    """One client's presence, and what it sent."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sent: list[Entry] = []
        self.presence = Presence(1, self.clock, lambda update: self.sent.extend(decode(update, max_bytes=10_000)))

    def hears(self, client: int, clock: int, state: bytes) -> None:
        self.presence.receive(encode([Entry(client, clock, state)]))


def test_the_own_state_goes_out_when_the_channel_opens_and_with_a_higher_clock_each_time() -> None:
    here = Here()
    here.presence.say({"x": 1})
    assert here.sent == []
    here.presence.opened()
    here.presence.closed()
    here.presence.opened()
    assert [entry.state for entry in here.sent] == [b'{"x": 1}', b'{"x": 1}']
    assert here.sent[0].clock < here.sent[1].clock


def test_a_client_that_says_nothing_of_itself_is_not_seen() -> None:
    here = Here()
    here.presence.opened()
    assert here.sent == []


def test_of_many_states_the_last_wins_at_most_every_so_often() -> None:
    here = Here()
    here.presence.opened()
    for x in range(10):
        here.presence.say({"x": x})
    here.clock.advance(INTERVAL_S)
    assert [entry.state for entry in here.sent] == [b'{"x": 0}', b'{"x": 9}']
    here.presence.say(None)
    here.clock.advance(INTERVAL_S)
    assert here.sent[-1].state == b"null"


def test_who_is_here_says_so_again_with_a_newer_clock_while_there_is_a_line() -> None:
    """Clients of y-protocols drop who was silent for 30 s."""
    here = Here()
    here.presence.say({"x": 1})
    here.presence.opened()
    here.clock.advance(2 * RENEWAL_S)
    assert [entry.state for entry in here.sent] == [b'{"x": 1}'] * 3
    assert here.sent[0].clock < here.sent[1].clock < here.sent[2].clock
    here.presence.closed()
    here.clock.advance(2 * RENEWAL_S)
    assert len(here.sent) == 3
    here.presence.opened()
    here.presence.say(None)
    here.clock.advance(2 * RENEWAL_S)
    assert len(here.sent) == 5, "who is not here has nothing to say again"


def test_others_come_change_and_leave() -> None:
    here = Here()
    told: list[frozenset[int]] = []
    stop = here.presence.observe(told.append)
    here.presence.opened()
    here.hears(2, 1, b'{"x": 1}')
    here.hears(3, 1, b"{}")
    assert here.presence.others == {2: {"x": 1}, 3: {}}
    here.hears(3, 2, b"null")
    assert here.presence.others == {2: {"x": 1}}
    here.presence.closed()
    assert here.presence.others == {}
    stop()
    here.hears(2, 1, b'{"x": 1}')
    assert told == [{2}, {3}, {3}, {2}]
    assert set(here.presence.others) == {2}


def test_who_was_taken_for_gone_says_that_it_is_here() -> None:
    here = Here()
    here.presence.say({"x": 1})
    here.presence.opened()
    here.hears(1, 40, b"null")
    assert here.sent[-1] == Entry(1, 41, b'{"x": 1}')
    assert here.presence.others == {}


def test_a_presence_that_cannot_be_read_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    here = Here()
    here.presence.receive(b"\x05\xff")
    assert "could not be read" in caplog.text
    assert here.presence.others == {}


@pytest.mark.parametrize("state", [{"x": float("nan")}, {"x": object()}])
def test_what_is_no_json_is_refused_at_once(state: dict[str, object]) -> None:
    here = Here()
    with pytest.raises((TypeError, ValueError)):
        here.presence.say(state)
