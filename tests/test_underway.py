"""What was under way in a process that is no more."""

import os

import pytest

from collabdoc.underway import Underway, Work

MOST = 100


@pytest.fixture
def underway() -> Underway:
    return Underway(MOST)


def test_nothing_is_under_way_at_first_nor_after_an_end(underway: Underway) -> None:
    assert underway.take() is None
    underway.begin_applying("a", b"update")
    underway.end()
    assert underway.take() is None


@pytest.mark.parametrize("update", [b"u", b"", bytes(range(MOST))])
def test_an_update_is_told_with_its_document(underway: Underway, update: bytes) -> None:
    underway.begin_applying("a", b"of another document")
    underway.end()
    underway.begin_applying("ä" * 200, update)
    assert underway.take() == Work("ä" * 200, update)
    assert underway.take() is None


def test_reading_is_told_without_the_update_before(underway: Underway) -> None:
    underway.begin_applying("a", b"update")
    underway.end()
    underway.begin_reading("a")
    assert underway.take() == Work("a", None)


def test_a_process_tells_the_one_that_it_was_forked_from(underway: Underway) -> None:
    if (pid := os.fork()) == 0:
        underway.begin_applying("a", b"update")
        os._exit(0)
    os.waitpid(pid, 0)
    assert underway.take() == Work("a", b"update")
