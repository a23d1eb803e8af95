"""What is in quarantine: found again in whatever an author sends, and nothing else taken for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from collabdoc.document import Document
from collabdoc.errors import Malformed, Unreadable, UsageError
from collabdoc.quarantine import FOLDER, Quarantine, Quarantined
from collabdoc.underway import Work
from tests.protocol.crafting import after, first, section, update

BASE = update(section(1, 0, first("base")))
BAD = section(2, 3, after(2, 2, "bad"))


@pytest.fixture
def document() -> Document:
    return Document(BASE, [update(section(2, 0, after(1, 3, "xyz")))])


@pytest.fixture
def quarantine(tmp_path: Path) -> Callable[..., Quarantined]:
    """Put these in quarantine, in one life of a server, and find them in the next."""

    def put(*updates: bytes | None) -> Quarantined:
        for each in updates:
            assert Quarantine(tmp_path, 2).put(Work("a", each)) is not None
        found = Quarantine(tmp_path, 2)
        found.load()
        assert found.of("b") is None
        quarantined = found.of("a")
        assert quarantined is not None
        return quarantined

    return put


def takes(quarantined: Quarantined, document: Document, sent: bytes) -> bool:
    try:
        quarantined.check(sent, document.check(sent), document.clocks)
    except Malformed:
        return False
    return True


@pytest.mark.parametrize(
    ("sent", "is_taken"),
    [
        (update(BAD), False),
        (update(section(3, 0, after(1, 3, "more")), BAD), False),
        (update(section(2, 0, after(1, 3, "xyz"), after(2, 2, "bad"))), False),
        (update(section(2, 3, after(2, 2, "other"))), False),
        (update(section(2, 0, after(1, 3, "xyz"))), True),
        (update(section(3, 0, after(1, 3, "bad"))), True),
        (update(section(1, 4, after(1, 3, "bad"))), True),
        (update(deletes={2: [(0, 3)]}), True),
    ],
    ids=["same", "with others", "from further back", "same clocks", "old", "another client", "the base's", "deletes"],
)
def test_edits_are_known_again_by_their_clocks(
    quarantine: Callable[..., Quarantined], document: Document, sent: bytes, *, is_taken: bool
) -> None:
    assert takes(quarantine(update(BAD)), document, sent) is is_taken


def test_what_only_deletes_is_known_again_by_its_bytes(
    quarantine: Callable[..., Quarantined], document: Document
) -> None:
    quarantined = quarantine(update(deletes={2: [(0, 3)]}))
    assert not takes(quarantined, document, update(deletes={2: [(0, 3)]}))
    assert takes(quarantined, document, update(deletes={2: [(0, 2)]}))


def test_a_document_with_too_many_is_read_only(quarantine: Callable[..., Quarantined], document: Document) -> None:
    honest = update(section(3, 0, after(1, 3, "more")))
    one = quarantine(update(BAD))
    assert takes(one, document, honest)
    assert one.read_only is None
    two = quarantine(update(deletes={2: [(0, 3)]}))
    assert "operator" in str(two.read_only)
    two.check_reading()


def test_a_document_whose_reading_failed_too_often_is_not_loaded(
    quarantine: Callable[..., Quarantined], document: Document
) -> None:
    quarantine(None).check_reading()
    with pytest.raises(Unreadable, match="operator"):
        quarantine(None).check_reading()


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_start_again(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    assert Quarantine(tmp_path, 2).put(Work("a", BASE)) is None


def test_half_a_file_is_none_and_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1.part").write_text("{")
    quarantine = Quarantine(tmp_path, 2)
    quarantine.load()
    path = quarantine.put(Work("a", BASE))
    assert path is not None
    assert list((tmp_path / FOLDER).iterdir()) == [path]


def test_a_folder_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collabdoc.quarantine._MAX_FILES", 2)
    quarantine = Quarantine(tmp_path, 2)
    assert [quarantine.put(Work("a", None)) is None for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("content", ["{", "[]", '{"document": "a"}', '{"document": "a", "update": "AA"}', "\ufeff{}"])
def test_a_file_that_is_not_as_it_was_written_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1.json").write_text(content)
    with pytest.raises(UsageError, match=r"1\.json"):
        Quarantine(tmp_path, 2).load()
