"""Revisions of the storage format (docs/storage-format.md), applied by Alembic."""
