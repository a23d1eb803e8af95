"""Commands about the data folder itself: is it well, make it well, copy it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from collabdoc.errors import StoreError, UsageError
from collabdoc.repair import LEFT_OUT_NAME
from collabdoc.repair import repair as repair_folder
from collabdoc.store.copies import back_up
from collabdoc.store.mark import sync
from collabdoc.store.remains import verify as verify_folder
from collabdoc.store.remains import verify_file
from collabdoc.store.sqlite_folder import FILE_NAME

EXIT_DAMAGED = 1

_data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="COLLABDOC_DATA",
    default=Path("collabdoc-data"),
    help="Folder that holds the documents.  [env: COLLABDOC_DATA; default: ./collabdoc-data]",
)


@click.command()
@click.argument("backup", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_data_option
def verify(backup: Path | None, data: Path) -> None:
    """Look for damage in every document of the data folder, or of the file BACKUP.

    A server may hold the folder and go on. Nothing is changed.

    Exit code 0: all is well. 1: something is damaged, one line for each. 2: there is nothing to look at.
    """
    findings = verify_file(backup) if backup else verify_folder(_existing(data))
    _end(_collect(findings, "looking at documents"), f"{backup or data} is well")


@click.command()
@_data_option
def repair(data: Path) -> None:
    """Make a damaged data folder anew of what can be read.

    Stop the server first. What is whole stays as it is; of a damaged document each edit is kept that is there and fits.
    The damaged files go into a new folder damaged-1 in it, with the edits that found no place (left-out.jsonl). Clients
    that still have what is lacking bring it back when they connect.

    Exit code 0: nothing was damaged, or all of it is there again. 1: something is lost, as told. 2: it cannot be done.
    """
    folder = _existing(data)
    if not _collect(verify_folder(folder), "looking at documents"):
        click.echo(f"{data} is well, nothing was changed")
        return
    try:
        with _progress("repairing documents") as on_progress:
            aside, report, is_whole = repair_folder(folder, on_progress)
    except (StoreError, OSError) as error:
        raise UsageError(f"{data} cannot be repaired, nothing was changed: {error}") from error
    for line in report:
        click.echo(line)
    if left := _collect(verify_folder(folder), "looking again"):
        raise UsageError(f"{data} is still damaged: {left[0]}")
    click.echo(f"{data} is well again; the damaged files are in {aside}, what found no place in {LEFT_OUT_NAME} there")
    sys.exit(0 if is_whole else EXIT_DAMAGED)


@click.command()
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@_data_option
def backup(target: Path, data: Path) -> None:
    """Copy all documents as they are at this moment into FILE, which is new. A server may hold the folder and go on.

    To go back to it: stop the server, put FILE in a data folder as collabdoc.sqlite3, remove collabdoc.sqlite3-wal and
    collabdoc.sqlite3-shm there, and start the server. Clients that have seen what came after keep their copy aside.

    collabdoc backup /backups/$(date +%F).sqlite3 --data ./collabdoc-data

    Exit code 0: the copy was made and is whole. 1: what was copied is damaged, as told. 2: it cannot be made.
    """
    folder = _existing(data)
    if not (folder / FILE_NAME).exists():
        raise UsageError(f"there is no database in {data}")
    if target.exists():
        raise UsageError(f"{target} is there already: say a name that is new")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        with _progress("copying pages") as on_progress:
            back_up(folder, part, on_progress)
        part.rename(target)
        sync(target.parent)
    except (StoreError, OSError) as error:
        part.unlink(missing_ok=True)
        raise UsageError(f"{target} could not be made: {error}") from error
    _end(_collect(verify_file(target), "looking at documents"), f"{target} is whole, {target.stat().st_size} bytes")


def _existing(data: Path) -> Path:
    if not data.is_dir():
        raise UsageError(f"there is no data folder {data}")
    return data


def _end(damage: list[str], otherwise: str) -> None:
    for line in damage:
        click.echo(line)
    if damage:
        sys.exit(EXIT_DAMAGED)
    click.echo(otherwise)


def _collect(findings: Iterator[str | tuple[int, int]], what: str) -> list[str]:
    damage = []
    with _progress(what) as on_progress:
        try:
            for finding in findings:
                if isinstance(finding, str):
                    damage.append(finding)
                else:
                    on_progress(*finding)
        except StoreError as error:
            raise UsageError(str(error)) from error
    return damage


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """On a terminal, a bar; on standard error, so that what is found can be piped."""
    with click.progressbar(length=0, label=what, file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield on_progress
