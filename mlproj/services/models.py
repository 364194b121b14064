"""The models of a run, each with its files, its flavours and the versions that were registered of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mlproj.errors import SpecError, StoreError
from mlproj.model.registry import ModelVersion
from mlproj.model.run import MODEL_FILE, Output, Run, models_among
from mlproj.spec.documents import Table, parse
from mlproj.store_ports import BlobStore, RunStore

_LARGEST = 1024 * 1024
"""Bytes of a description that is read."""


class ShownModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a run read (`input`) or made (`output`).

    `model_id` and `status` are None for one that was logged among the run's artifacts, by clients before
    MLflow 3. `path` is where its files are among the outputs; of one that the run read there are none.
    """

    name: str
    path: str
    model_id: str | None = None
    direction: str = "output"
    step: int = 0
    status: str | None = None
    type: str | None = None
    flavors: tuple[str, ...] = ()
    files: tuple[Output, ...] = ()
    versions: tuple[ModelVersion, ...] = ()


def models_of(run: Run, store: RunStore) -> tuple[ShownModel, ...]:
    """Those that were logged as models, then folders of artifacts that are one, then outputs of which the
    project says so."""
    outputs = () if run.outcome is None else run.outcome.outputs
    found = store.models(run.run_id)
    logged = [
        ShownModel(
            name=used.model.name,
            path=f"models/{used.model.model_id}",
            model_id=used.model.model_id,
            direction=used.direction,
            step=used.step,
            status=used.model.status,
            type=used.model.model_type,
        )
        for used in found.used
    ]
    known = {model.path for model in logged}
    folders = [folder for folder in models_among(outputs) if folder not in known]
    among = [ShownModel(name=folder.rpartition("/")[2], path=folder) for folder in folders]
    declared = [ShownModel(name=output.path, path=output.path) for output in outputs if output.model]
    models = (*logged, *among, *declared)
    return tuple(_completed(model, outputs, found.versions, store.blobs) for model in models)


def _completed(
    model: ShownModel, outputs: Sequence[Output], versions: Sequence[ModelVersion], blobs: BlobStore
) -> ShownModel:
    files = tuple(
        output
        for output in outputs
        if output.path.startswith(f"{model.path}/") or (output.model and output.path == model.path)
    )
    return msgspec.structs.replace(
        model,
        files=files,
        flavors=tuple(_flavors(files, f"{model.path}/{MODEL_FILE}", blobs)),
        versions=tuple(version for version in versions if _is_of(version, model)),
    )


def _is_of(version: ModelVersion, model: ShownModel) -> bool:
    if version.model_id is not None or model.model_id is not None:
        return version.model_id == model.model_id
    source = version.source.rstrip("/")
    return source.endswith(f"/{model.path}") or source.endswith(f"/{model.path.partition('/')[2]}")


def _flavors(files: Sequence[Output], description: str, blobs: BlobStore) -> Iterator[str]:
    """What the description names; nothing where it is not here, or cannot be read."""
    for file in files:
        if file.path != description or file.digest is None or file.size > _LARGEST:
            continue
        try:
            root = parse(blobs.path(file.digest).read_text(errors="replace"), MODEL_FILE, [])
        except (OSError, StoreError, SpecError):
            continue
        for entry in root.entries if isinstance(root, Table) else ():
            if entry.key == "flavors" and isinstance(entry.value, Table):
                yield from (flavor.key for flavor in entry.value.entries)
