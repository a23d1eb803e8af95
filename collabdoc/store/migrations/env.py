"""Alembic's entry: runs the revisions on the connection that the store passes in."""

from alembic import context

# SQLite's DDL is transactional, whatever Alembic assumes of it: a migration happens whole or not at all.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
