"""Who read or left which content, over HTTP: of runs and models that the caller may read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from mlproj import store_wire as wire
from mlproj.lineage_ports import Uses
from mlproj.model.access import Kind, Level
from mlproj.model.digest import Digest
from mlproj.model.registry import ModelVersion
from mlproj.model.run import Run
from mlproj.model.tracking import LoggedModel
from mlproj.server.failures import invalid
from mlproj.server.store_view import View
from mlproj.store_wire import Question

_AT_ONCE = 200
_ONE = 1


def sees_model(view: View, model: LoggedModel) -> bool:
    return view.within is None or model.experiment_id in view.within


def sees_version(view: View, version: ModelVersion) -> bool:
    return view.caller.may(Level.READ, Kind.MODEL, version.name)


def makers(view: View, asked: wire.Users) -> Uses:
    return view.seen_uses(view.store.contents.makers(_digest(asked.what), _most(view, asked.most)))


def readers(view: View, asked: wire.Users) -> Uses:
    return view.seen_uses(view.store.contents.readers(_digest(asked.what), _most(view, asked.most)))


def model_readers(view: View, asked: wire.Users) -> Uses:
    return view.seen_uses(view.store.contents.model_readers(asked.what, _most(view, asked.most)))


def dataset_readers(view: View, asked: wire.Users) -> Uses:
    return view.seen_uses(view.store.contents.dataset_readers(asked.what, _most(view, asked.most)))


def beginning(view: View, asked: wire.Digits) -> tuple[Digest, ...]:
    return tuple(found for found in view.store.contents.beginning(asked.digits) if _is_used(view, found))


def files(view: View, asked: wire.Named) -> tuple[tuple[bytes, Digest], ...]:
    return view.store.contents.files(asked.digest) if _is_used(view, asked.digest) else ()


def add_folder(view: View, asked: wire.Folder) -> None:
    view.store.contents.add_folder(asked.manifest)


def folders(view: View, asked: wire.Page) -> tuple[tuple[Digest, bytes], ...]:
    view.refuse_others("a look at all folders")
    found = sorted(view.store.contents.folders())
    return tuple(itertools.islice((folder for folder in found if folder[0] > asked.after), _AT_ONCE))


def runs(view: View, asked: wire.OfRuns) -> tuple[Run, ...]:
    return view.store.contents.runs(view.seen(asked.run_ids))


def planned(view: View, asked: wire.Named) -> tuple[str, ...]:
    return view.seen(view.store.contents.planned(asked.digest))


def like(view: View, asked: wire.Like) -> tuple[str, ...]:
    return view.seen(view.store.contents.like(asked.project, asked.entry_point, asked.most))


def model(view: View, asked: wire.Numbered) -> LoggedModel | None:
    found = view.store.contents.model(asked.identifier)
    return found if found is not None and sees_model(view, found) else None


def version(view: View, asked: wire.Version) -> ModelVersion | None:
    found = view.store.contents.version(asked.name, asked.version)
    return found if found is not None and sees_version(view, found) else None


def versions(view: View, asked: wire.Numbered) -> tuple[ModelVersion, ...]:
    found = view.store.contents.versions(asked.identifier)
    return tuple(each for each in found if sees_version(view, each))


def _digest(text: str) -> Digest:
    try:
        return Digest(text)
    except ValueError as error:
        raise invalid(str(error)) from error


def _most(view: View, most: int) -> int:
    """Of those who do not see every run, all are looked through: the first ones may be others'."""
    return most if view.within is None else 1_000_000


def _is_used(view: View, digest: Digest) -> bool:
    """Whether a run that may be read made or read the content."""
    if view.within is None:
        return True
    contents, most = view.store.contents, _most(view, _ONE)
    return any(view.seen_uses(find(digest, most)).uses for find in (contents.makers, contents.readers))


ANSWERS: tuple[tuple[Question, Callable[[View, Any], Any]], ...] = (
    (wire.MAKERS, makers),
    (wire.READERS, readers),
    (wire.MODEL_READERS, model_readers),
    (wire.DATASET_READERS, dataset_readers),
    (wire.BEGINNING, beginning),
    (wire.FILES, files),
    (wire.ADD_FOLDER, add_folder),
    (wire.FOLDERS, folders),
    (wire.RUNS, runs),
    (wire.PLANNED, planned),
    (wire.LIKE, like),
    (wire.MODEL, model),
    (wire.VERSION, version),
    (wire.VERSIONS, versions),
)
