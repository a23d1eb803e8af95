"""The short form of `guided.py`, without what guides it: valid traffic, and the same damaged."""

from random import Random

import pytest

from tests.reliability.guided import NAMES
from tests.reliability.hostile import damage
from tests.reliability.readers import READERS, read, valid_traffic


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_bytes_or_refuses_them(name: str) -> None:
    random = Random(1)
    valid = valid_traffic(name)
    for data in valid:
        read(READERS[name], data)
    for _ in range(1_000):
        read(READERS[name], damage(random, random.choice(valid), valid))


def test_each_reader_can_be_named() -> None:
    assert list(READERS) == list(NAMES)


def test_what_a_reader_may_not_raise_is_found() -> None:
    with pytest.raises(IndexError):
        read(lambda data: data[0], b"")
