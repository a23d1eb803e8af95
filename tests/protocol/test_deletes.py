"""Delete sets, read from updates and compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collabdoc.errors import Malformed
from collabdoc.protocol.deletes import is_within, read_deletes
from tests.protocol.crafting import first, section, update

_RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), min_size=1, max_size=6)
_DELETES = st.dictionaries(st.integers(1, 3), _RANGES, max_size=3)


def clocks(deletes: dict[int, list[tuple[int, int]]]) -> set[tuple[int, int]]:
    return {
        (client, clock)
        for client, ranges in deletes.items()
        for start, length in ranges
        for clock in range(start, start + length)
    }


@given(_DELETES, _DELETES)
def test_a_set_is_within_another_where_each_of_its_clocks_is(
    inner: dict[int, list[tuple[int, int]]], outer: dict[int, list[tuple[int, int]]]
) -> None:
    read = [read_deletes(update(deletes=deletes)) for deletes in (inner, outer)]
    assert is_within(*read) == (clocks(inner) <= clocks(outer))
    assert is_within(read[0], read_deletes(update(deletes={**outer, **inner})))


def test_ranges_that_touch_or_overlap_are_joined() -> None:
    assert read_deletes(update(deletes={1: [(5, 2), (0, 1), (1, 2), (6, 3)]})) == {1: [(0, 3), (5, 9)]}


def test_an_update_with_structs_is_not_a_delete_set() -> None:
    with pytest.raises(Malformed):
        read_deletes(update(section(1, 0, first("a"))))
