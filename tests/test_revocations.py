"""Tokens that were taken back, in memory and in the store."""

from pathlib import Path

import pytest

from collabdoc.config import Limits
from collabdoc.errors import RateLimited, StoreError
from collabdoc.store.base import RevocationRow
from tests.limits import bounds
from tests.sharing import START_S, sharing

pytestmark = pytest.mark.gen_test


async def test_a_users_tokens_up_to_now_count_no_longer_and_later_ones_do(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        await world.revocations.add("user", "ana")
        covers = world.revocations.covers
        assert covers("ana", None, START_S - 1)
        assert covers("ana", "id", START_S), "made in the same moment: on the safe side"
        assert not covers("ana", None, START_S + 0.001)
        assert not covers("bob", None, START_S - 1)
        assert not covers("", "ana", START_S - 1)


async def test_a_token_that_does_not_say_when_it_was_made_is_older_than_any_revocation(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        assert not world.revocations.covers("ana", None, 0)
        await world.revocations.add("user", "ana")
        assert world.revocations.covers("ana", None, 0)


async def test_a_token_is_taken_back_for_ever_by_its_id(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        await world.revocations.add("token", "id")
        assert world.revocations.covers("ana", "id", START_S + 9e9)
        assert not world.revocations.covers("id", None, 0), "a user of that name is somebody else"
        assert not world.revocations.covers("ana", "other", 0)


async def test_a_later_revocation_reaches_further_and_an_earlier_one_takes_nothing_back(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        await world.revocations.add("user", "ana")
        world.clock.now_s += 100
        await world.revocations.add("user", "ana")
        world.clock.now_s -= 50  # the clock was set back
        await world.revocations.add("user", "ana")
        assert world.revocations.covers("ana", None, START_S + 100)
        assert world.store.revocations() == [RevocationRow("user", "ana", START_S + 100)]


async def test_revocations_are_known_after_a_restart(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        await world.revocations.add("user", "ana")
        await world.revocations.add("token", "id")
    async with sharing(tmp_path) as world:
        assert world.revocations.covers("ana", None, START_S - 1)
        assert world.revocations.covers("bob", "id", START_S)


@bounds("revocations")
async def test_past_the_limit_nobody_else_is_taken_back_but_who_is_may_be_again(tmp_path: Path) -> None:
    async with sharing(tmp_path, Limits(revocations=2)) as world:
        await world.revocations.add("user", "ana")
        await world.revocations.add("user", "bob")
        with pytest.raises(RateLimited, match="change the key"):
            await world.revocations.add("user", "carol")
        await world.revocations.add("user", "ana")


async def test_what_could_not_be_stored_is_not_taken_back(tmp_path: Path) -> None:
    """Whoever asked is told; half a revocation, gone after a restart, would be worse than none."""
    async with sharing(tmp_path) as world:

        def fail(_: RevocationRow) -> None:
            raise StoreError("no disk")

        world.store.put_revocation = fail  # type: ignore[method-assign,assignment]
        with pytest.raises(StoreError):
            await world.revocations.add("user", "ana")
        assert not world.revocations.covers("ana", None, 0)
