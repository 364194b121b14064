"""Alembic's entrance: it runs this file to migrate the connection that `migrating` hands over."""

from __future__ import annotations

from alembic import context

from mlproj.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
