"""The documents that the benchmark gives to servers."""

from itertools import islice

from pycrdt import Doc, Text

from benchmarks import texts


def load(*updates: bytes) -> str:
    doc = Doc[Text]()
    for update in updates:
        doc.apply_update(update)
    return str(doc.get(texts.ROOT_NAME, type=Text))


def test_a_text_of_two_who_take_turns_has_its_size_in_parts() -> None:
    parts = texts.alternating(400_010)
    assert len(parts) == 2
    assert load(*parts) == "twenty letters long " * 20_000 + "twenty let"


def test_its_runs_stay_items_of_their_own() -> None:
    doc = Doc[Text]()
    for part in texts.alternating(100_000):
        doc.apply_update(part)
    assert len(doc.get_update()) > 100_000 + 5_000 * 4


def test_missed_edits_are_one_character_each_and_carry_no_old_deletes() -> None:
    typed = texts._typed(islice(texts._made(), 5_000))
    missed = texts.typed_after(typed, 100)
    assert load(typed, *missed).replace("x" * 100, "") == load(typed)
    assert max(map(len, missed)) < 25


def test_a_made_paper_is_written_and_deleted() -> None:
    patches = list(islice(texts._made(), 10_000))
    deleted = sum(count for _, count, _ in patches)
    assert deleted > 500
    assert len(load(texts._typed(iter(patches)))) == 10_000 - 2 * deleted
