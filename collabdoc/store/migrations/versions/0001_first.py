"""Documents, their log and their snapshots."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE document (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            epoch TEXT NOT NULL,
            title TEXT NOT NULL,
            kind TEXT NOT NULL,
            search TEXT NOT NULL,
            seq INTEGER NOT NULL,
            created_ms INTEGER NOT NULL,
            changed_ms INTEGER NOT NULL
        ) STRICT
        """
    )
    op.execute("CREATE INDEX document_changed ON document (changed_ms DESC, id DESC)")
    for table, key in (("log", "document_id, seq"), ("snapshot", "document_id")):
        op.execute(
            f"""
            CREATE TABLE {table} (
                document_id INTEGER NOT NULL REFERENCES document (id) ON DELETE CASCADE,
                seq INTEGER NOT NULL,
                payload BLOB NOT NULL,
                crc INTEGER NOT NULL,
                PRIMARY KEY ({key})
            ) STRICT, WITHOUT ROWID
            """
        )
