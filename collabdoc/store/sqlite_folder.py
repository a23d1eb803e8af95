"""The data folder and its SQLite file: who holds it, how it is opened, its revisions (docs/storage-format.md)."""

import importlib.resources
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from collabdoc.errors import StoreDamaged, StoreError, StoreStopped, UsageError
from collabdoc.store.mark import remove_mark

REVISION = "0002"
APPLICATION_ID = 0x63446F63
FILE_NAME = "collabdoc.sqlite3"
CACHE_KIB = 8 * 1024
WAL_PAGES = 4_000
"""Pages of 4 KiB in the WAL, after which what is in it goes to the database."""
BUSY_MS = 5_000
"""How long a connection waits for another that is about to take back what a crash left."""
BACKUP = 1
"""The `user_version` of a backup that no server has opened yet."""

_FSYNC_FAILED = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a database to `REVISION`; one from a later version is refused."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise UsageError(f"{path} is a database of another program")
    if "alembic_version" in tables:
        (revision,) = db.execute("SELECT max(version_num) FROM alembic_version").fetchone()
        if revision == REVISION:
            return
        if revision is not None and revision > REVISION:
            raise UsageError(f"{path} is of format {revision}, this version knows {REVISION}: use a newer collabdoc")
    # Marked before the first table: whenever the power fails, the next start knows the file for its own.
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _run_alembic(db)


def _begin_new_lives(db: sqlite3.Connection, folder: Path) -> None:
    """In a backup, give each document a new epoch: clients may have seen what came after it.

    Before there is a WAL, so that `user_version` changes in the file itself.
    """
    if db.execute("PRAGMA user_version").fetchone() != (BACKUP,):
        return
    remove_mark(folder)  # of the life before
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE document SET epoch = lower(hex(randomblob(8)))")
    db.execute("PRAGMA user_version = 0")
    db.execute("COMMIT")


def _run_alembic(db: sqlite3.Connection) -> None:
    # Imported where a migration is due: SQLAlchemy would double the time that a start takes.
    import alembic.command
    import alembic.config
    import sqlalchemy
    import sqlalchemy.pool

    config = alembic.config.Config()
    with importlib.resources.as_file(importlib.resources.files("collabdoc.store") / "migrations") as scripts:
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        engine = sqlalchemy.create_engine("sqlite://", creator=lambda: db, poolclass=sqlalchemy.pool.StaticPool)
        # The connection is in autocommit mode, where pysqlite begins no transaction by itself.
        sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        try:
            with engine.connect() as connection:
                config.attributes["connection"] = connection
                alembic.command.upgrade(config, "head")
                connection.commit()
        except sqlalchemy.exc.DBAPIError as error:
            raise StoreError(f"a migration failed, nothing was changed: {error.orig}") from error


def lock_folder(folder: Path) -> FileLock:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # documents are nobody else's on this machine
        lock = FileLock(folder / "lock", blocking=False, thread_local=False)
        lock.acquire()
    except Timeout:
        raise UsageError(f"the data folder {folder} is held by another process: stop that one first") from None
    except OSError as error:
        raise UsageError(f"the data folder {folder} cannot be written: {error.strerror}") from None
    return lock


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes; the caller holds the folder."""
    with ExitStack() as stack:
        db = stack.enter_context(closing(_connect(path.absolute().as_uri())))
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect only before the first table
        _begin_new_lives(db, path.parent)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        # Each document that is edited has a page of its own, written once more with each commit. What SQLite has by
        # itself, 2 MB and 1,000 pages, is too little for 500 of them.
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        stack.pop_all()
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    """Any number may read, of any process, while one writes."""
    with ExitStack() as stack:
        db = stack.enter_context(closing(_connect(f"{path.absolute().as_uri()}?mode=ro")))
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()  # opens the file
        db.execute("PRAGMA cache_size = -256")  # KiB: what is read whole is not read again, and the system has it, too
        stack.pop_all()
    return db


def _connect(uri: str) -> sqlite3.Connection:
    # isolation_level None: transactions are begun and ended here, in words. The store's caller keeps each connection
    # in one thread at a time, which need not be the one that opened it.
    db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
    db.text_factory = _text
    return db


def _text(stored: bytes) -> str | bytes:
    """A text; what is none is damage of its row, and not of all that are read with it."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code in _FSYNC_FAILED:
            # The kernel may have dropped the pages that it could not write: a retry could succeed and be untrue.
            raise StoreStopped(f"the disk did not confirm a write: {error}") from error
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT):
            # Nothing here breaks a constraint of rows that are as they were written.
            raise StoreDamaged(f"the database is damaged: {error}") from error
        raise StoreError(str(error)) from error


def search_text(title: str, name: str) -> str:
    """What a list of documents is searched in."""
    return f"{title}\n{name}".casefold()
