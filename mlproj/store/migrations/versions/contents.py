"""What lineage needs: the files in the folders that runs left, to be found by their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

from mlproj.model.digest import Digest, read_manifest

revision = "0004"
down_revision = "0003"

_AT_ONCE = 500
_MOST_FILES = 10_000


def upgrade() -> None:
    op.create_index("datasets_by_digest", "datasets", ["digest"], unique=False)
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "folder_files",
        sa.Column("folder", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.ForeignKeyConstraint(["folder"], ["folders.id"]),
        sa.PrimaryKeyConstraint("folder", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("folder_files_by_digest", "folder_files", ["digest"], unique=False)
    root = op.get_context().config.attributes.get("root")  # type: ignore[union-attr]  # there is one here
    if root is not None:
        _fill(op.get_bind(), root)


def _fill(connection: sa.Connection, root: Path) -> None:
    """Has the tables hold the files of every folder that a record names as an output and the store holds."""
    new = sa.text("INSERT INTO folders (id, digest) VALUES (:id, :digest)")
    lines = sa.text(
        "INSERT INTO folder_files (folder, position, path, digest)"
        " VALUES (:folder, :position, :path, :digest)"
    )
    for number, folder in enumerate(sorted(set(_folders(connection))), 1):
        rows = [
            {"folder": number, "position": position, "path": path, "digest": digest}
            for position, (path, _, digest) in enumerate(_files(root, folder))
        ]
        if rows:
            connection.execute(new, {"id": number, "digest": folder})
            connection.execute(lines, rows)


def _folders(connection: sa.Connection) -> Iterator[str]:
    documents = sa.text(
        "SELECT sequence, payload FROM entries WHERE sequence > :last AND kind IN ('run', 'import')"
        " AND payload IS NOT NULL ORDER BY sequence LIMIT :most"
    )
    last = 0
    while rows := connection.execute(documents, {"last": last, "most": _AT_ONCE}).all():
        last = rows[-1][0]
        for _, payload in rows:
            yield from _folders_in(payload)


def _folders_in(document: Any) -> list[str]:
    try:
        outputs = json.loads(document)["outcome"]["outputs"]
        found = [output["digest"] for output in outputs if output["kind"] == "folder"]
    except (ValueError, KeyError, TypeError):
        return []  # nothing is left of it, or it never ended
    return [digest for digest in found if isinstance(digest, str)]


def _files(root: Path, folder: str) -> tuple[tuple[bytes, int, Digest], ...]:
    """The files that the manifest lists; none where it is gone, altered, or lists more than is indexed."""
    digits = folder.partition(":")[2]
    try:
        manifest = (root / "blobs" / "sha256" / digits[:2] / digits[2:]).read_bytes()
        listed = read_manifest(manifest) if hashlib.sha256(manifest).hexdigest() == digits else ()
    except (OSError, ValueError):
        return ()
    return listed if len(listed) <= _MOST_FILES else ()
