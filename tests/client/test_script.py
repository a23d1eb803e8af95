"""One document in a script, without asyncio."""

import asyncio
from pathlib import Path

import pytest

import collabdoc
from collabdoc.client import Refused
from collabdoc.errors import UsageError
from tests.process import ServerProcess


def test_a_script_edits_what_the_next_one_reads(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        with collabdoc.edit(process.url, "notes/today") as note:
            note.text().append("Grüße ")
            note.text().append("😀")
        process.kill()  # it was saved
        process.start()
        with collabdoc.edit(process.url, "notes/today") as note:
            assert str(note.text()) == "Grüße 😀"


def test_a_script_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        with pytest.raises(IndexError), collabdoc.edit(process.url, "a") as note:  # noqa: PT012  # the second fails
            note.text().append("half of it")
            note.text().delete(0, 99)
        with collabdoc.edit(process.url, "a") as note:
            assert str(note.text()) == ""


def test_a_script_is_told_where_it_is_refused_and_where_nobody_answers(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path)
    with process, pytest.raises(Refused, match="segment"), collabdoc.edit(process.url, "a//b"):
        pass
    with pytest.raises(TimeoutError, match=r"within 0.3 s"), collabdoc.edit(process.url, "a", timeout_s=0.3):
        pass


def test_a_script_waits_for_a_server_that_was_away_while_it_worked(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as process:
        with collabdoc.edit(process.url, "a") as note:
            note.text().append("kept")
            process.kill()
            process.start()
        with collabdoc.edit(process.url, "a") as note:
            assert str(note.text()) == "kept"


def test_where_a_loop_runs_already_there_is_another_way_and_it_is_named() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="async with connect"), collabdoc.edit("http://localhost", "a"):
            pass

    asyncio.run(main())


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://a", "", "http://", "http://[::"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(UsageError, match="expected one such as"), collabdoc.edit(url, "a"):
        pass
