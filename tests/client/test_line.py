"""The line, without a network."""

from collabdoc.client.liveness import LATE_S, PATIENCE_S, QUIET_S
from collabdoc.protocol.messages import GoAway, Open, Ping, Pong
from tests.client.rig import Rig


def test_a_lost_line_is_tried_again_after_a_time_that_grows_until_a_document_is_synced() -> None:
    rig = Rig()
    rig.document()
    for delay_s in (0.25, 0.5, 1.0):
        rig.is_up()
        rig.breaks()
        dialled = len(rig.sockets)
        rig.clock.advance(delay_s - 0.01)
        assert (rig.line.state, len(rig.sockets)) == ("waiting", dialled)
        rig.clock.advance(0.01)
        assert (rig.line.state, len(rig.sockets)) == ("connecting", dialled + 1)
    rig.is_up()
    rig.opens()
    rig.breaks()
    assert rig.line.trouble is not None
    assert rig.line.trouble.retry_at_s == rig.clock.now_s() + 0.25


def test_the_server_says_when_to_come_back() -> None:
    rig = Rig()
    rig.document()
    rig.is_up()
    rig.says(GoAway(7_000, "restart"))
    rig.breaks(1012, "the server is restarting")
    assert rig.line.trouble is not None
    assert (rig.line.trouble.reason, rig.line.trouble.retry_at_s) == ("the server is restarting", 7)


def test_a_code_that_stops_ends_every_document_until_somebody_starts_anew() -> None:
    rig = Rig()
    a, b = rig.document("a"), rig.document("b")
    rig.is_up()
    rig.breaks(4401, "sign in")
    assert (a.status.kind, b.status.kind) == ("refused", "refused")
    rig.clock.advance(100)
    assert len(rig.sockets) == 1
    a.authenticate("better")
    rig.is_up()
    assert {message.token for message in rig.heard(Open)} == {"better", None}


def test_what_is_no_message_closes_the_socket_with_a_reason() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    rig.socket.user.received(b"\xc1")
    assert (rig.socket.hung_up, rig.line.state, document.status.kind) == (4400, "refused", "refused")


def test_a_silent_line_is_asked_and_then_given_up() -> None:
    rig = Rig()
    rig.document()
    rig.is_up()
    rig.opens()
    rig.clock.advance(QUIET_S)
    assert rig.last(Ping).nonce == 1
    rig.says(Pong(1))
    rig.clock.advance(QUIET_S)
    assert rig.last(Ping).nonce == 2
    rig.clock.advance(PATIENCE_S)
    assert rig.line.state == "waiting"
    assert rig.socket.hung_up == 4408


def test_a_program_that_kept_its_loop_busy_asks_once_more_before_it_gives_up() -> None:
    rig = Rig()
    rig.document()
    rig.is_up()
    rig.opens()
    rig.clock.advance(QUIET_S)
    rig.clock.oversleep(PATIENCE_S + LATE_S)
    assert rig.line.state == "up"
    assert rig.last(Ping).nonce == 2


def test_a_late_frame_of_an_old_channel_finds_nobody() -> None:
    rig = Rig()
    document = rig.document()
    rig.is_up()
    channel = rig.opens()
    document.close()
    rig.socket.user.received(b"\x94\x03" + bytes([channel]) + b"\x05\x91\xc4\x01\xff")  # an UPDATE that is none
    assert rig.line.state == "up"
