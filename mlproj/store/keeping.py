"""Files that a run's script left where a client was told to put them, kept before the run is sealed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import NoRoom, StoreError
from mlproj.model.digest import folder_manifest, readable
from mlproj.model.run import Output
from mlproj.store.artifact_rows import files_of, owner_of
from mlproj.store.gathering import keep_histories
from mlproj.store.place import Place
from mlproj.store.traced import traces_of

ARTIFACTS = "artifacts"
MODELS = "models"
TRACES = "traces"


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a run left and was kept, and by `unkept` the paths of what there was no room for."""

    outputs: tuple[Output, ...] = ()
    unkept: tuple[str, ...] = ()


Kept = Mapping[str, Left]
"""What was kept, by run id."""


def keep_all(place: Place, run_id: str) -> Kept:
    """What a run that ends, and the runs it owns, left; but its own artifacts are its runner's to keep."""
    begun = owned_runs(place, run_id)
    keep_histories(place, begun)
    owned = {each: keep_outputs(place, each) for each in begun}
    return {**owned, run_id: keep_beside(place, run_id)}


def owned_runs(place: Place, owner: str) -> tuple[str, ...]:
    """The runs that are not sealed and whose script is that of the run `owner`, in the order they began."""
    rows = place.connection.execute(
        "SELECT run_id FROM runs WHERE sequence IS NULL AND owner = ? ORDER BY number", (owner,)
    ).fetchall()
    return tuple(run_id for (run_id,) in rows)


def keep_outputs(place: Place, run_id: str) -> Left:
    """The artifacts of a run that a client began, and the files of the models and traces that it logged."""
    own = keep_artifacts(place, run_id)
    beside = keep_beside(place, run_id)
    return _together(own, beside)


def keep_artifacts(place: Place, run_id: str) -> Left:
    """The files in the artifact folder of a run."""
    return _keep(place, [(place.workspace(run_id) / ARTIFACTS, ARTIFACTS)])


def keep_beside(place: Place, run_id: str) -> Left:
    """The files of what a run logged beside its artifacts: each of a model, at `models/<model id>/`, and
    those of traces as a folder, since there may be thousands of them. With them those of its artifacts that
    a server took in, and which are kept already."""
    own = _taken_in(place, "runs", (run_id,), "")
    of_models = _models(place, run_id)
    models = _together(
        own,
        _keep(place, _folders(place.root / MODELS, of_models, f"{MODELS}/")),
        _taken_in(place, MODELS, of_models, f"{MODELS}/"),
    )
    of_traces = traces_of(place.connection, run_id)
    traces = _together(
        _keep(place, _folders(place.root / TRACES, of_traces, "")), _taken_in(place, TRACES, of_traces, "")
    )
    if not traces.outputs:
        return Left(outputs=models.outputs, unkept=models.unkept + traces.unkept)
    folder = f"{TRACES}/{run_id}"
    kept = [(os.fsencode(file.path), file.digest) for file in traces.outputs if file.digest is not None]
    try:
        listed = place.blobs.add_bytes(folder_manifest(kept))
    except NoRoom:
        return Left(outputs=models.outputs, unkept=(*models.unkept, folder))
    whole = Output(
        path=folder,
        state="written",
        kind="folder",
        digest=listed,
        size=sum(file.size for file in traces.outputs),
        declared=False,
    )
    return Left(outputs=(*models.outputs, whole), unkept=models.unkept + traces.unkept)


def _together(*several: Left) -> Left:
    outputs = tuple(output for left in several for output in left.outputs)
    return Left(outputs=outputs, unkept=tuple(path for left in several for path in left.unkept))


def _taken_in(place: Place, kind: str, names: Sequence[str], shown: str) -> Left:
    """The artifacts of runs, models or traces that are rows, each listed under its owner's name, but those of
    a run, which are listed as its own."""
    outputs = []
    for file in files_of(place.connection, [owner_of(f"{kind}/{name}") for name in names]):
        _, name, *inside = file.path.split("/", 2)
        if not inside:
            continue  # no artifact of a run is called like the run
        path = inside[0]
        listed = path if kind == "runs" else f"{shown}{name}/{path.removeprefix(f'{ARTIFACTS}/')}"
        outputs.append(
            Output(path=readable(listed), state="written", digest=file.digest, size=file.size, declared=False)
        )
    return Left(outputs=tuple(outputs))


def _folders(root: Path, names: Iterable[str], shown: str) -> list[tuple[Path, str]]:
    """The artifact folder of everything that is named, and what it is listed as."""
    return [
        (root / name / ARTIFACTS, f"{shown}{name}")
        for name in names
        if name == os.path.basename(name) and name not in ("", ".", "..")
    ]


def _models(place: Place, run_id: str) -> tuple[str, ...]:
    """The models that a run logged."""
    rows = place.connection.execute(
        "SELECT model_id FROM run_models WHERE run_id = ? AND direction = 'output'"
        " UNION SELECT model_id FROM logged_models WHERE source_run_id = ? ORDER BY 1",
        (run_id, run_id),
    ).fetchall()
    return tuple(model_id for (model_id,) in rows)


def _keep(place: Place, folders: list[tuple[Path, str]]) -> Left:
    """Keeps every file in these folders, each listed under its name. What vanishes meanwhile is none."""
    outputs, unkept = [], []
    for folder, name in folders:
        for path in sorted(_files(folder)):
            shown = f"{name}/{readable(path)}"
            try:
                digest, size = place.blobs.add_file(folder / path)
            except NoRoom:
                unkept.append(shown)
            except StoreError:
                if (folder / path).exists():
                    raise
            else:
                outputs.append(Output(path=shown, state="written", digest=digest, size=size, declared=False))
    return Left(outputs=tuple(outputs), unkept=tuple(unkept))


def _files(folder: Path) -> Iterator[str]:
    """The regular files in a folder, links left out; paths relative to it."""
    for inside, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(inside, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield os.path.relpath(path, folder)
