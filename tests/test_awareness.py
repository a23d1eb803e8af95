"""Presence: who may say what of whom, and what later readers hear."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collabdoc.awareness import MAX_CLOCK, MAX_CLOCK_STEP, MAX_REMEMBERED, Awareness, Entry, decode, encode
from collabdoc.errors import Malformed
from tests.vectors import read_vectors

GOLDEN = read_vectors("awareness.json")
ANNA, BEN = "anna's session", "ben's session"


def presence(*, max_bytes: int = 1000, max_clients: int = 3) -> Awareness:
    return Awareness(max_bytes=max_bytes, max_clients=max_clients)


def says(client: int, clock: int, state: object = {}) -> bytes:
    return encode([Entry(client, clock, json.dumps(state).encode())])


def heard(awareness: Awareness, clients: set[int] | list[int]) -> list[tuple[int, int, object]]:
    entries = decode(awareness.encode(clients), max_bytes=100_000)
    return sorted((entry.client, entry.clock, json.loads(entry.state)) for entry in entries)


# What y-protocols writes


def test_what_y_protocols_writes_is_read_and_passed_on_byte_for_byte() -> None:
    awareness, client = presence(), GOLDEN["client"]
    for said in ("present", "moved", "removed"):
        golden = bytes.fromhex(GOLDEN[said])
        assert awareness.receive(ANNA, golden) == {client}
        assert awareness.encode({client}) == golden
        assert encode(decode(golden, max_bytes=1000)) == golden
    assert awareness.everyone() == []


# Who may say what


def test_a_client_is_present_with_what_it_says_of_itself() -> None:
    awareness = presence()
    assert awareness.receive(ANNA, says(1, 1, {"name": "Anna"})) == {1}
    assert awareness.receive(BEN, says(2, 5, {"name": "Ben"})) == {2}
    assert sorted(awareness.everyone()) == [1, 2]
    assert heard(awareness, [1, 2]) == [(1, 1, {"name": "Anna"}), (2, 5, {"name": "Ben"})]
    assert awareness.owned(ANNA) == {1}


def test_what_others_say_of_a_client_is_dropped_and_counted() -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 1, {"name": "Anna"}))
    for said in (says(1, 2, {"name": "Mallory"}), says(1, 2, None), says(1, 1)):
        assert awareness.receive(BEN, said) == set()
    assert heard(awareness, [1]) == [(1, 1, {"name": "Anna"})]
    assert awareness.dropped == 3


def test_who_says_again_what_was_heard_of_another_claims_nothing() -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 1, {"name": "Anna", "at": 0}))
    heard_first = awareness.encode([1])
    awareness.receive(ANNA, says(1, 2, {"name": "Anna", "at": 1}))
    spaced = encode([Entry(1, 2, b'{ "at": 1, "name": "Anna" }')])
    for echo in (heard_first, awareness.encode([1]), spaced):
        assert awareness.receive(BEN, echo) == set()
    assert awareness.dropped == 0
    awareness.receive(ANNA, says(1, 3, None))
    for late in (says(1, 3, {"name": "Anna"}), says(1, 3, None)):
        assert awareness.receive(BEN, late) == set()
    assert awareness.dropped == 0
    assert awareness.everyone() == []


def test_only_what_is_newer_counts() -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 5, {"at": 5}))
    assert awareness.receive(ANNA, says(1, 5, {"at": "again"})) == set()
    assert awareness.receive(ANNA, says(1, 4, {"at": 4})) == set()
    assert awareness.receive(ANNA, says(1, 6, {"at": 6})) == {1}
    assert heard(awareness, [1]) == [(1, 6, {"at": 6})]


def test_a_removal_counts_at_the_same_clock_too() -> None:
    """As in y-protocols, where it says so without a new clock for a client that timed out."""
    awareness = presence()
    awareness.receive(ANNA, says(1, 5))
    assert awareness.receive(ANNA, says(1, 5, None)) == {1}
    assert awareness.everyone() == []


def test_a_clock_does_not_run_ahead() -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 5))
    assert awareness.receive(ANNA, says(1, 5 + MAX_CLOCK_STEP + 1)) == set()
    assert awareness.receive(ANNA, says(1, 2**53 - 1)) == set()
    assert awareness.receive(ANNA, says(1, 5 + MAX_CLOCK_STEP)) == {1}
    assert awareness.receive(BEN, says(2, MAX_CLOCK + 1)) == set()
    assert awareness.receive(BEN, says(2, MAX_CLOCK)) == {2}
    assert awareness.dropped == 3


def test_a_client_that_nobody_knew_is_not_removed() -> None:
    awareness = presence()
    assert awareness.receive(ANNA, says(1, 1, None)) == set()
    assert awareness.owned(ANNA) == frozenset()


def test_a_session_announces_so_many_clients_and_no_more() -> None:
    awareness = presence(max_clients=3)
    said = encode([Entry(client, 1, b"{}") for client in range(1, 6)])
    assert awareness.receive(ANNA, said) == {1, 2, 3}
    assert awareness.dropped == 2
    assert awareness.receive(BEN, says(4, 1)) == {4}


# Leaving and coming back


def test_who_leaves_is_removed_for_all_with_a_clock_that_peers_take() -> None:
    awareness = presence()
    awareness.receive(ANNA, encode([Entry(1, 7, b"{}"), Entry(2, 8, b"{}")]))
    awareness.receive(BEN, says(3, 1))
    gone = awareness.remove(ANNA)
    assert gone == {1, 2}
    assert heard(awareness, gone) == [(1, 8, None), (2, 9, None)]
    assert awareness.everyone() == [3]
    assert awareness.owned(ANNA) == frozenset()


def test_who_said_goodbye_is_not_removed_twice() -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 1))
    awareness.receive(ANNA, says(1, 2, None))
    assert awareness.remove(ANNA) == set()
    assert awareness.remove(ANNA) == set()
    assert awareness.remove("somebody who was never there") == set()


def test_who_comes_back_in_another_session_is_present_again() -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 1, {"tab": 1}))
    awareness.remove(ANNA)
    assert awareness.receive(BEN, says(1, 3, {"tab": 2})) == {1}
    assert heard(awareness, [1]) == [(1, 3, {"tab": 2})]
    assert awareness.owned(BEN) == {1}


def test_who_comes_back_with_an_old_clock_is_told_to_take_a_newer_one() -> None:
    """Nor does anybody get a client that left by repeating what it said."""
    awareness = presence()
    awareness.receive(ANNA, says(1, 7))
    awareness.remove(ANNA)
    for owner, clock in ((ANNA, 7), (BEN, 7), (ANNA, 8)):
        changed = awareness.receive(owner, says(1, clock))
        assert heard(awareness, changed) == [(1, 8, None)]
        assert awareness.owned(owner) == frozenset()
    assert awareness.receive(ANNA, says(1, 9)) == {1}
    assert awareness.owned(ANNA) == {1}


def test_a_reader_who_was_away_hears_of_those_who_left_meanwhile() -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 1))
    awareness.receive(BEN, says(2, 1))
    changed = {1, 2} | awareness.remove(ANNA)
    assert heard(awareness, changed) == [(1, 2, None), (2, 1, {})]


def test_those_who_left_are_remembered_within_a_bound() -> None:
    awareness = presence()
    for client in range(1, MAX_REMEMBERED + 11):
        awareness.receive(ANNA, says(client, 1))
        awareness.remove(ANNA)
    everyone = list(range(1, MAX_REMEMBERED + 11))
    assert [client for client, _, _ in heard(awareness, everyone)] == everyone[10:]


def test_nobody_is_an_empty_update() -> None:
    assert presence().encode([]) == b"\x00"
    assert presence().encode([42]) == b"\x00"


# Bytes


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**53 - 1), st.integers(0, MAX_CLOCK), st.sampled_from([b"null", b"{}", b'{"a":"\xc3\xa4"}'])
        )
    )
)
def test_entries_are_read_as_they_were_written(entries: list[tuple[int, int, bytes]]) -> None:
    written = [Entry(*entry) for entry in entries]
    assert decode(encode(written), max_bytes=100_000) == written


@pytest.mark.parametrize(
    "state",
    [
        *(b"", b"{", b"[]", b"1", b'"text"', b"true", b" null", b'{"a":NaN}', b'{"a":Infinity}', b"{'a':1}", b"{} {}"),
        pytest.param(b'{"a":"\xff"}', id="not UTF-8"),
        pytest.param("{}".encode("utf-16-le"), id="UTF-16"),
        pytest.param("{}".encode("utf-16"), id="UTF-16 with a byte order mark"),
        pytest.param("{}".encode("utf-32-be"), id="UTF-32"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param(b'{"a":' + b"[" * 400_000 + b"]" * 400_000 + b"}", id="nested 400,000 deep"),
    ],
)
def test_a_state_that_json_parse_would_throw_at_is_malformed(state: bytes) -> None:
    """A peer's editor hands it to JSON.parse and reads fields of what comes out."""
    with pytest.raises(Malformed):
        presence(max_bytes=1_000_000).receive(ANNA, encode([Entry(1, 1, state)]))


@pytest.mark.parametrize(
    "update",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"\x01", id="an entry claimed, none there"),
        pytest.param(b"\x01\x01\x01", id="no state"),
        pytest.param(b"\x01\x01\x01\x05{}", id="a state that ends too early"),
        pytest.param(says(1, 1) + b"\x00", id="a byte behind the end"),
        pytest.param(b"\xff\xff\xff\xff\x0f" + bytes(90), id="2^32 entries claimed"),
        pytest.param(b"\xff" * 1000, id="integers without end"),
        pytest.param(says(1, 1, {"x": "y" * 1000}), id="over its bytes"),
        pytest.param(b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\x0f\x01\x02{}", id="a client past 2^53"),
    ],
)
def test_an_update_out_of_bounds_is_malformed_and_changes_nothing(update: bytes) -> None:
    awareness = presence()
    awareness.receive(ANNA, says(7, 1))
    with pytest.raises(Malformed):
        awareness.receive(ANNA, update)
    assert heard(awareness, [7]) == [(7, 1, {})]


def test_one_bad_entry_refuses_the_good_ones_beside_it() -> None:
    awareness = presence()
    with pytest.raises(Malformed):
        awareness.receive(ANNA, encode([Entry(1, 1, b"{}"), Entry(2, 1, b"[]")]))
    assert awareness.everyone() == []


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_presence_or_malformed(update: bytes) -> None:
    awareness = presence()
    try:
        changed = awareness.receive(ANNA, update)
    except Malformed:
        changed = set()
    assert changed == set(awareness.everyone())


KNOWN = {"id": "ana", "name": "Ana", "color": "#123456", "verified": True}


def test_what_the_server_knows_of_somebody_stands_in_place_of_what_they_say() -> None:
    awareness = presence()
    forged = {"user": {"id": "boss", "name": "Boss", "color": "#ffffff", "mood": "good"}, "cursor": None}
    awareness.receive(ANNA, says(1, 1, forged), known=KNOWN)
    assert heard(awareness, [1]) == [(1, 1, {"user": {**KNOWN, "mood": "good"}, "cursor": None})]


@pytest.mark.parametrize("user", [None, [], "boss", 7])
def test_somebody_known_is_named_also_where_they_say_nothing_of_themselves(user: object) -> None:
    awareness = presence()
    awareness.receive(ANNA, says(1, 1, {"user": user}), known=KNOWN)
    assert heard(awareness, [1]) == [(1, 1, {"user": KNOWN})]


@pytest.mark.parametrize("claim", [b'"verified"', rb'"\u0076erified"', rb'"verifie\u0064"'])
def test_nobody_vouches_for_themselves(claim: bytes) -> None:
    awareness = presence()
    awareness.receive(ANNA, encode([Entry(1, 1, b'{"user": {"name": "Boss", %s: true}}' % claim)]))
    assert heard(awareness, [1]) == [(1, 1, {"user": {"name": "Boss"}})]


def test_the_word_verified_elsewhere_is_left_alone() -> None:
    awareness = presence()
    state = {"note": "verified", "verified": 1, "user": "verified"}
    awareness.receive(ANNA, says(1, 1, state))
    assert heard(awareness, [1]) == [(1, 1, state)]


@pytest.mark.parametrize("state", [rb'{"x": 1e999, "y": "\u0041"}', b'{"x": 1e999, "verified": 1}'])
def test_what_could_not_be_told_to_others_is_malformed(state: bytes) -> None:
    awareness = presence()
    with pytest.raises(Malformed):
        awareness.receive(ANNA, encode([Entry(1, 1, state)]))
    assert awareness.everyone() == []
