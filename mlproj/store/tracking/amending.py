"""What clients write to a run after its seal: each piece a link of the chain, beside the tables."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from mlproj.model.digest import Digest
from mlproj.model.entries import RENAMED, AmendmentDocument
from mlproj.model.logged import LoggedDataset, LoggedModelUse, Point, point_lines
from mlproj.model.record import EntryKind, encode
from mlproj.model.tracking import DatasetInput
from mlproj.store.tracking.engine import raw
from mlproj.store.writing import append


def amend(connection: Connection, time: str, run_id: str, kind: str, content: dict[str, str]) -> None:
    """Appends one amendment, in the transaction of whoever changes the tables."""
    document = AmendmentDocument(run_id=run_id, kind=kind, content=content)
    append(raw(connection), kind=EntryKind.AMENDMENT, run_id=run_id, time=time, payload=encode(document))


def amend_name(connection: Connection, time: str, experiment: int, name: str, was: str) -> None:
    """Tells of an experiment's new name. The records of its runs hold the one that it had then."""
    amend(connection, time, "", RENAMED, {"experiment": str(experiment), "name": name, "was": was})


def amend_points(connection: Connection, time: str, run_id: str, points: Iterable[tuple[str, Point]]) -> None:
    lines = b"".join(point_lines(points)).decode()
    if lines:
        amend(connection, time, run_id, "metrics", {"points": lines})


def amend_dataset(connection: Connection, time: str, run_id: str, read: DatasetInput) -> None:
    dataset = read.dataset
    logged = LoggedDataset(
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=None if dataset.schema is None else Digest.of(dataset.schema.encode()),
        profile=None if dataset.profile is None else Digest.of(dataset.profile.encode()),
        tags=tuple(sorted(dict(read.tags).items())),
    )
    amend(connection, time, run_id, "dataset", {"dataset": encode(logged).decode()})


def amend_model(connection: Connection, time: str, run_id: str, use: LoggedModelUse) -> None:
    content = {"model_id": use.model_id, "direction": use.direction, "step": str(use.step)}
    amend(connection, time, run_id, "model", content)
