"""An address: every edit gets its one status, in whatever order commits and refusals come."""

from collabdoc.server.hocuspocus_place import Place


def test_a_commit_answers_all_edits_up_to_it_that_have_no_answer() -> None:
    place = Place("d", 1)
    assert place.answer_saved(3) == 3
    assert place.answer_saved(4) == 1


def test_what_was_refused_before_is_not_answered_again() -> None:
    place = Place("d", 1)
    place.answer_rejected(1)
    place.answer_rejected(3)
    place.answer_rejected(4)
    assert place.answer_saved(2) == 1
    assert place.answer_saved(6) == 2


def test_refusals_in_a_row_take_no_memory() -> None:
    place = Place("d", 1)
    for id_ in range(1, 1001):
        place.answer_rejected(id_)
    assert place.answered_apart == []
    assert place.answer_saved(1001) == 1
