"""The newest log entries: which are there, and what is told where they are not."""

from collabdoc.recent import Recent


def recent(*updates: bytes, last_seq: int, max_entries: int = 10, max_bytes: int = 1_000) -> Recent:
    return Recent(updates, last_seq, max_entries=max_entries, max_bytes=max_bytes)


def test_what_came_after_a_watermark_is_given_in_order() -> None:
    kept = recent(b"3", b"4", b"5", last_seq=5)
    assert kept.since(2) == [b"3", b"4", b"5"]
    assert kept.since(4) == [b"5"]
    assert kept.since(5) == []


def test_what_is_no_longer_or_not_yet_there_is_none() -> None:
    kept = recent(b"3", b"4", last_seq=4)
    assert kept.since(1) is None
    assert kept.since(5) is None


def test_the_oldest_give_way_to_the_newest() -> None:
    kept = recent(last_seq=7, max_entries=2)
    for update in (b"8", b"9", b"10"):
        kept.extend([update])
    assert kept.since(7) is None
    assert kept.since(8) == [b"9", b"10"]


def test_bytes_are_bounded_too_also_by_one_entry_alone() -> None:
    kept = recent(b"a" * 6, b"b" * 4, last_seq=2, max_bytes=10)
    assert kept.since(0) == [b"a" * 6, b"b" * 4]
    kept.extend([b"c"])
    assert kept.since(1) == [b"b" * 4, b"c"]
    kept.extend([b"d" * 11])
    assert kept.since(3) is None
    assert kept.since(4) == []


def test_a_document_without_a_log_has_nothing_to_catch_up_with() -> None:
    assert recent(last_seq=0).since(0) == []
