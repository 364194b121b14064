"""A run that was sealed in another store, with what was added to it there, becomes one of this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from mlproj.errors import StoreError
from mlproj.model.additions import refuse_odd
from mlproj.model.digest import Digest, canonical
from mlproj.model.entries import UNDER, AmendmentDocument, read_amendment
from mlproj.model.index import index_of
from mlproj.model.logged import Logged, LoggedDataset, LoggedModelUse, read_points
from mlproj.model.record import EntryKind
from mlproj.model.run import Amendment, Run
from mlproj.store.connection import Connection
from mlproj.store.folders import note_outputs
from mlproj.store.place import Place
from mlproj.store.taking import refuse_odd_files
from mlproj.store.writing import add_history, add_points, append, close_run, rewrite
from mlproj.store_ports import BlobStore

_CONTEXT = "mlflow.data.context"
_DATASET = (
    'INSERT INTO datasets (experiment_id, name, digest, source_type, source, "schema", profile)'
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SAME_DATASET = "SELECT id FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
_UNTOLD = ("dataset",)
"""Kinds of amendments that name what no bundle holds: the texts of a dataset logged after the seal."""


def placed(run: Run, amendments: Sequence[bytes]) -> Run:
    """The run with what says under which experiment it is, if its record does not. Raises ValueError."""
    added = map(read_amendment, amendments)
    return replace(
        run,
        amendments=tuple(
            Amendment(sequence=0, time="", kind=document.kind, content=document.content)
            for document in added
            if document.kind == UNDER
        ),
    )


def bring_run(place: Place, run: Run, payload: bytes, amendments: Sequence[bytes], time: str) -> None:
    """Seals the run, whose row is there, with the bytes of its record and of what was added to it. Expects to
    be in a transaction. Raises ValueError for an amendment that is none, and for files that no run left."""
    connection = place.connection
    documents = [read_amendment(content) for content in amendments]
    told = (Amendment(sequence=0, time="", kind=each.kind, content=each.content) for each in documents)
    refuse_odd_files(place.blobs, replace(run, amendments=tuple(told)))
    close_run(connection, run, EntryKind.RUN, payload, time)
    note_outputs(connection, place.blobs, run)
    logged = _held((None if run.outcome is None else run.outcome.logged) or Logged(), run)
    add_history(connection, run.run_id, logged, place.blobs)
    _add_datasets(connection, run.run_id, logged.datasets, place.blobs)
    _add_models(connection, run.run_id, logged.models)
    added: list[Amendment] = []
    for document, content in zip(documents, amendments, strict=True):
        if document.run_id != run.run_id:
            raise ValueError(f"an amendment is of run `{document.run_id}`")
        if document.kind in _UNTOLD:
            continue
        refuse_odd(document.kind, document.content)
        link = append(connection, kind=EntryKind.AMENDMENT, run_id=run.run_id, time=time, payload=content)
        _act(connection, document)
        added.append(
            Amendment(sequence=link.sequence, time=time, kind=document.kind, content=document.content)
        )
    rewrite(connection, run.run_id, index_of(replace(run, amendments=tuple(added))))


def _held(logged: Logged, run: Run) -> Logged:
    """Without what the record says was lost: what is here of that is another's."""
    lost = () if run.outcome is None else run.outcome.lost

    def kept(digest: Digest | None) -> Digest | None:
        return None if digest in lost else digest

    datasets = tuple(
        replace(item, schema=kept(item.schema), profile=kept(item.profile)) for item in logged.datasets
    )
    return replace(logged, history=kept(logged.history), datasets=datasets)


def _act(connection: Connection, document: AmendmentDocument) -> None:
    """What an amendment changes beside the index of its run."""
    content = document.content
    if document.kind == "metrics":
        add_points(connection, document.run_id, read_points(content["points"].split("\n")))
    elif document.kind == "model":
        step = int(content["step"])
        use = LoggedModelUse(model_id=content["model_id"], direction=content["direction"], step=step)
        _add_models(connection, document.run_id, (use,))


def _add_datasets(
    connection: Connection, run_id: str, datasets: Iterable[LoggedDataset], blobs: BlobStore
) -> None:
    (experiment,) = connection.execute(
        "SELECT experiment_id FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    for item in datasets:
        schema, profile = _text(item.schema, blobs), _text(item.profile, blobs)
        row = connection.execute(_SAME_DATASET, (experiment, item.name, item.digest)).fetchone()
        if row is None:
            cells = (experiment, item.name, item.digest, item.source_type, item.source, schema, profile)
            connection.execute(_DATASET, cells)
            row = connection.execute(_SAME_DATASET, (experiment, item.name, item.digest)).fetchone()
        elif _differs(connection, row[0], item, schema, profile):
            raise StoreError(
                f"the experiment holds another dataset `{item.name}` with the digest `{item.digest}`",
                hint="import into another store",
            )
        tags = dict(item.tags)
        connection.execute(
            "INSERT INTO dataset_inputs (run_id, dataset_id, context, tags) VALUES (?, ?, ?, ?)",
            (run_id, row[0], tags.get(_CONTEXT), canonical(tags).decode()),
        )


def _differs(
    connection: Connection, number: int, item: LoggedDataset, schema: str | None, profile: str | None
) -> bool:
    known = connection.execute(
        'SELECT source_type, source, "schema", profile FROM datasets WHERE id = ?', (number,)
    ).fetchone()
    return bool(tuple(known) != (item.source_type, item.source, schema, profile))


def _text(digest: Digest | None, blobs: BlobStore) -> str | None:
    return None if digest is None else blobs.path(digest).read_bytes().decode()


def _add_models(connection: Connection, run_id: str, uses: Iterable[LoggedModelUse]) -> None:
    connection.executemany(
        "INSERT INTO run_models (run_id, direction, model_id, step) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(run_id, use.direction, use.model_id, use.step) for use in uses],
    )
