"""Share links and revocations."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE link (
            id TEXT NOT NULL UNIQUE,
            document_id INTEGER NOT NULL REFERENCES document (id) ON DELETE CASCADE,
            secret_hash BLOB NOT NULL,
            permission INTEGER NOT NULL,
            label TEXT NOT NULL,
            created_by TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            expires_ms INTEGER
        ) STRICT
        """
    )
    op.execute("CREATE INDEX link_document ON link (document_id)")
    op.execute(
        """
        CREATE TABLE revocation (
            kind TEXT NOT NULL,
            value TEXT NOT NULL,
            before_s REAL NOT NULL,
            PRIMARY KEY (kind, value)
        ) STRICT, WITHOUT ROWID
        """
    )
