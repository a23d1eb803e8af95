"""When a document is to have a snapshot; how one is made is tested with the rooms."""

import pytest

from collabdoc.config import Limits
from collabdoc.snapshots import is_due
from tests.limits import bounds

LIMITS = Limits(snapshot_updates=100, snapshot_bytes=10_000)


@bounds("snapshot_updates", "snapshot_bytes")
@pytest.mark.parametrize(
    ("updates", "log_bytes", "expected"), [(99, 0, False), (100, 0, True), (1, 9_999, False), (1, 10_000, True)]
)
def test_a_small_document_has_one_after_so_many_updates_or_bytes(
    updates: int, log_bytes: int, *, expected: bool
) -> None:
    assert is_due(LIMITS, updates, log_bytes, size_bytes=20_000) is expected


@pytest.mark.parametrize(
    ("updates", "log_bytes", "expected"), [(3_999, 0, False), (4_000, 0, True), (1, 249_999, False), (1, 250_000, True)]
)
def test_the_log_of_a_large_document_grows_with_it(updates: int, log_bytes: int, *, expected: bool) -> None:
    assert is_due(LIMITS, updates, log_bytes, size_bytes=1_000_000) is expected
