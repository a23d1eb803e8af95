"""Share links: what they open, until when, and what of them is kept."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from collabdoc.auth import Permission
from collabdoc.config import Limits
from collabdoc.errors import Malformed, NoSuchDocument, NotAllowed, ProtocolError, RateLimited
from collabdoc.links import MAX_DAYS, MAX_FOLLOWED, Wish, join_token, split_token
from tests.limits import bounds
from tests.sharing import START_S, sharing

pytestmark = pytest.mark.gen_test

WISH: dict[str, Any] = {"permission": Permission.READ, "label": "", "created_by": "ana", "lasts_s": 60.0}


async def test_a_link_is_found_by_its_token(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        world.store.create("notes/a")
        made, token = await world.links.make("notes/a", Wish(Permission.COMMENT, "for Bob", "Ana", 60.0))
        assert await world.links.find([token]) == [made]
        assert (made.document, made.permission, made.label, made.created_by) == ("notes/a", 2, "for Bob", "Ana")
        assert (made.created_ms, made.expires_ms) == (START_S * 1000, (START_S + 60) * 1000)
        assert await world.links.of("notes/a") == [made]


async def test_the_store_holds_no_secret(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        token = await world.link()
    (_, secret) = split_token(token) or ("", "")
    assert len(secret) == 32
    assert secret.encode() not in _everything_in(tmp_path)


async def test_a_token_that_is_none_finds_nothing(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        token, other = await world.link(), await world.link()
        (link_id, secret), (_, other_secret) = (split_token(each) or ("", "") for each in (token, other))
        forged = [
            join_token(link_id, other_secret),
            join_token(link_id, "A" * 32),
            join_token("0" * 16, secret),
            token + "A",
            token[:-1],
            token.upper(),
            " " + token,
            token + "\n",
            "cds_",
            "",
            "\ud800",
        ]
        assert await world.links.find(forged) == []


async def test_a_link_ends_at_its_time_and_one_without_a_time_does_not(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        ending, lasting = await world.link(lasts_s=60), await world.link()
        world.clock.now_s += 59.9
        assert len(await world.links.find([ending, lasting])) == 2
        world.clock.now_s += 0.1
        (found,) = await world.links.find([ending, lasting])
        assert found.expires_ms is None
        assert await world.links.of("a") == [found]
        assert await world.links.count(["a"]) == {"a": 1}


async def test_a_link_that_was_taken_back_opens_nothing(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        token = await world.link()
        (link_id, _) = split_token(token) or ("", "")
        assert not await world.links.revoke("other", link_id), "only its own document's admin takes it back"
        assert await world.links.revoke("a", link_id)
        assert await world.links.find([token]) == []
        assert not await world.links.revoke("a", link_id)


async def test_a_document_made_anew_under_the_same_name_is_not_shared(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        token = await world.link("a")
        world.store.delete("a")
        world.store.create("a")
        assert await world.links.find([token]) == []
        assert await world.links.of("a") == []


async def test_links_are_counted_where_there_are_any(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        for document in ("a", "a", "b"):
            await world.link(document)
        world.store.create("c")
        assert await world.links.count(["a", "b", "c", "nothing"]) == {"a": 2, "b": 1}
        assert await world.links.count([]) == {}


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"permission": Permission.ADMIN}, NotAllowed, "not administer"),
        ({"lasts_s": 0.0}, Malformed, "lasts 0 s"),
        ({"lasts_s": -5.0}, Malformed, "more than 0"),
        ({"lasts_s": float("nan")}, Malformed, "lasts nan"),
        ({"lasts_s": float("inf")}, Malformed, "lasts inf"),
        ({"lasts_s": MAX_DAYS * 86_400 + 1.0}, Malformed, "10000 days"),
        ({"label": "x" * 101}, Malformed, "100 characters"),
        ({"label": "a\nb"}, Malformed, "one line"),
        ({"label": "\ud800"}, Malformed, "one line"),
    ],
)
async def test_a_link_that_cannot_be_made_is_refused_in_words(
    tmp_path: Path, changes: dict[str, Any], error: type[ProtocolError], says: str
) -> None:
    async with sharing(tmp_path) as world:
        world.store.create("a")
        with pytest.raises(error, match=says):
            await world.links.make("a", Wish(**{**WISH, **changes}))
        assert await world.links.of("a") == []


async def test_a_document_that_is_not_there_is_not_shared(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        with pytest.raises(NoSuchDocument):
            await world.links.make("nothing", Wish(**WISH))


@bounds("links_per_document")
async def test_a_document_has_so_many_links_and_those_that_ended_make_room(tmp_path: Path) -> None:
    async with sharing(tmp_path, Limits(links_per_document=2)) as world:
        await world.link(lasts_s=10)
        await world.link()
        with pytest.raises(RateLimited, match="at most 2 links"):
            await world.link()
        await world.link("b")
        for _ in range(5):
            world.clock.now_s += 10
            await world.link(lasts_s=10)
        assert len(world.store.links("a")) == 2, "they do not pile up in the store"


async def test_a_client_that_shows_very_many_links_costs_no_more_than_a_few(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        asked: list[int] = []
        find = world.store.find_links

        def counted(ids: Any) -> Any:
            asked.append(len(ids))
            return find(ids)

        world.store.find_links = counted  # type: ignore[method-assign,assignment]
        token = await world.link()
        assert len(await world.links.find([*(join_token(f"{n:016x}", "A" * 32) for n in range(10_000)), token])) == 1
        assert asked == [MAX_FOLLOWED]


async def test_no_two_links_are_alike(tmp_path: Path) -> None:
    async with sharing(tmp_path) as world:
        tokens = await asyncio.gather(*(world.link() for _ in range(50)))
        parts = [split_token(token) or ("", "") for token in tokens]
        assert len({link_id for link_id, _ in parts}) == len({secret for _, secret in parts}) == 50


def _everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
