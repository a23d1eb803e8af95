"""`collabdoc verify`, `repair` and `backup`, as an operator runs them."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from pycrdt import Text

from collabdoc.cli import commands
from collabdoc.client import connect
from collabdoc.store.sqlite import SqliteStore
from collabdoc.store.sqlite_folder import FILE_NAME
from tests.process import ServerProcess
from tests.test_cli import fails, run


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    files = [folder / name for name in ("one", "two")]
    for file in files:
        file.write_text(f"the text of {file.name}")
    data = folder / "data"
    data.mkdir()
    assert run("import", *map(str, files), "--data", str(data)).returncode == 0
    return data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A folder with two documents."""
    return Path(shutil.copytree(original, tmp_path / "data"))


def flip(folder: Path, text: bytes) -> None:
    content = bytearray((folder / FILE_NAME).read_bytes())
    content[content.index(text)] ^= 1
    (folder / FILE_NAME).write_bytes(content)


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as db:
        assert db.execute(statement).rowcount > 0


def epoch_of(folder: Path, name: str) -> str:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        (epoch,) = db.execute("SELECT epoch FROM document WHERE name = ?", (name,)).fetchone()
    return str(epoch)


def test_help_teaches() -> None:
    for command in ("verify", "repair", "backup"):
        said = CliRunner().invoke(commands, [command, "--help"]).output
        assert "COLLABDOC_DATA" in said
        assert "Exit code 0" in said


def test_a_folder_that_is_well_is_said_to_be_and_left_alone(data: Path) -> None:
    verified, repaired = (run(command, "--data", str(data)) for command in ("verify", "repair"))
    assert (verified.returncode, verified.stdout) == (0, f"{data} is well\n")
    assert (repaired.returncode, repaired.stdout) == (0, f"{data} is well, nothing was changed\n")
    assert not (data / "damaged-1").exists()


def test_a_letter_that_changed_is_found_and_taken_with_a_warning_and_a_new_epoch(data: Path) -> None:
    epochs = [epoch_of(data, name) for name in ("one", "two")]
    flip(data, b"text of one")
    verified = run("verify", "--data", str(data))
    assert verified.returncode == 1
    assert "'one'" in verified.stdout
    assert "checksum" in verified.stdout
    fails(run("export", "one", "--data", str(data)), "checksum")
    repaired = run("repair", "--data", str(data))
    assert repaired.returncode == 1
    assert "taken although damaged" in repaired.stdout
    assert run("verify", "--data", str(data)).returncode == 0
    assert run("export", "one", "--data", str(data)).stdout == "the uext of one"
    assert run("export", "two", "--data", str(data)).stdout == "the text of two"
    assert epoch_of(data, "one") != epochs[0]
    assert epoch_of(data, "two") == epochs[1]


def test_an_update_that_makes_no_sense_is_left_out_and_kept_in_a_side_file(data: Path) -> None:
    change(data, "UPDATE log SET payload = x'ffff' WHERE document_id = 1")
    repaired = run("repair", "--data", str(data))
    assert repaired.returncode == 1
    assert "one: lacking: edit 1" in repaired.stdout
    (line,) = (data / "damaged-1" / "left-out.jsonl").read_text().splitlines()
    assert json.loads(line)["document"] == "one"
    assert json.loads(line)["update"] == "//8="
    assert run("export", "one", "--data", str(data)).stdout == ""


def test_a_document_whose_row_is_gone_is_found_and_comes_back_under_another_name(data: Path) -> None:
    change(data, "DELETE FROM document WHERE name = 'one'")
    fails(run("export", "one", "--data", str(data)), "its row is missing")
    assert "the document with the id 1" in run("verify", "--data", str(data)).stdout
    repaired = run("repair", "--data", str(data))
    assert repaired.returncode == 1
    assert "its name is lost" in repaired.stdout
    assert run("export", "recovered/1", "--data", str(data)).stdout == "the text of one"


def test_who_has_the_document_open_brings_back_what_is_lacking(tmp_path: Path) -> None:
    async def tell() -> None:
        with ServerProcess(tmp_path) as server:
            async with connect(server.url, max_backoff_s=0.2) as client:
                document = await client.open("one")
                text = document.doc.get("content", type=Text)
                for word in ("hello", " brave", " world"):
                    text += word
                    await document.saved()
                server.kill()
                change(tmp_path, "DELETE FROM log WHERE seq = 2")
                repaired = await asyncio.to_thread(run, "repair", "--data", str(tmp_path))
                assert "lacking: edits 2 to 3" in repaired.stdout
                assert (await asyncio.to_thread(run, "export", "one", "--data", str(tmp_path))).stdout == "hello"
                await asyncio.to_thread(server.start)
                text += "!"
                await document.saved()
                exported = await asyncio.to_thread(run, "export", "one", "--url", server.url)
                assert exported.stdout == "hello brave world!"

    asyncio.run(tell())


def test_what_can_be_restored_whole_is_code_0(data: Path) -> None:
    change(data, "UPDATE document SET seq = 0 WHERE name = 'one'")
    repaired = run("repair", "--data", str(data))
    assert repaired.returncode == 0
    assert "one: restored whole" in repaired.stdout
    assert run("export", "one", "--data", str(data)).stdout == "the text of one"


def test_commits_that_are_lost_with_the_wal_are_found(data: Path) -> None:
    older = (data / FILE_NAME).read_bytes()
    (data.parent / "three").write_text("three")
    assert run("import", str(data.parent / "three"), "--data", str(data)).returncode == 0
    (data / FILE_NAME).write_bytes(older)
    assert "older than what was committed last" in run("verify", "--data", str(data)).stdout
    fails(run("export", "one", "--data", str(data)), "older than what was committed last")
    repaired = run("repair", "--data", str(data))
    assert repaired.returncode == 1
    assert "may lack its newest edits" in repaired.stdout
    assert run("export", "one", "--data", str(data)).stdout == "the text of one"


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_database_that_is_gone_is_not_begun_anew(data: Path, how: str) -> None:
    (data / FILE_NAME).unlink()
    if how == "empty":
        (data / FILE_NAME).touch()
    fails(run("serve", "--port", "0", "--data", str(data)), f"is {how}: put a backup in its place")
    assert f"is {how}" in run("verify", "--data", str(data)).stdout
    fails(run("repair", "--data", str(data)), f"is {how}")


def test_repair_waits_for_nobody_and_disturbs_no_server(data: Path) -> None:
    with ServerProcess(data) as server:
        assert run("verify", "--data", str(data)).returncode == 0
        server.kill()
        flip(data, b"text of one")
        server.start()
        fails(run("repair", "--data", str(data)), "held by another process")


def test_a_backup_of_a_live_server_opens_as_another_life(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "backup.sqlite3"
    with ServerProcess(data) as server:
        made = run("backup", str(copy), "--data", str(data))
        assert made.returncode == 0
        assert "is whole" in made.stdout
        fails(run("backup", str(copy), "--data", str(data)), "there already")
        assert run("export", "one", "--url", server.url).stdout == "the text of one"
        assert server.terminate() == 0
    assert run("verify", str(copy)).returncode == 0
    epoch = epoch_of(data, "one")
    shutil.copy(copy, data / FILE_NAME)
    assert run("verify", "--data", str(data)).returncode == 0
    assert run("export", "one", "--data", str(data)).stdout == "the text of one"
    assert epoch_of(data, "one") != epoch
    assert run("verify", "--data", str(data)).returncode == 0


def test_a_backup_beside_the_wal_of_another_database_is_refused(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "backup.sqlite3"
    assert run("backup", str(copy), "--data", str(data)).returncode == 0
    store = SqliteStore(data)
    store.create("three")
    wal = (data / f"{FILE_NAME}-wal").read_bytes()
    store.close()
    shutil.copy(copy, data / FILE_NAME)
    (data / f"{FILE_NAME}-wal").write_bytes(wal)
    fails(run("export", "one", "--data", str(data)), "remove that file")
    (data / f"{FILE_NAME}-wal").unlink()
    assert run("export", "one", "--data", str(data)).stdout == "the text of one"


def test_where_there_is_nothing_to_look_at_is_code_2(tmp_path: Path) -> None:
    for command in (["verify"], ["repair"], ["backup", str(tmp_path / "b")]):
        fails(run(*command, "--data", str(tmp_path / "nowhere")), "no data folder")
        fails(run(*command, "--data", str(tmp_path)), "no database")
    assert list(tmp_path.iterdir()) == []
