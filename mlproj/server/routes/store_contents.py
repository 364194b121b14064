"""Who read or left which content, over HTTP: of runs and models that the caller may read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from mlproj import store_wire as wire
from mlproj.lineage_ports import Uses
from mlproj.model.digest import Digest
from mlproj.model.registry import ModelVersion
from mlproj.model.run import Run
from mlproj.model.tracking import LoggedModel
from mlproj.server.failures import invalid
from mlproj.server.seen_contents import SeenContents
from mlproj.server.store_view import View
from mlproj.store_wire import Question

_AT_ONCE = 200


def makers(view: View, asked: wire.Users) -> Uses:
    return SeenContents(view).makers(digest_in(asked.what), asked.most)


def readers(view: View, asked: wire.Users) -> Uses:
    return SeenContents(view).readers(digest_in(asked.what), asked.most)


def model_readers(view: View, asked: wire.Users) -> Uses:
    return SeenContents(view).model_readers(asked.what, asked.most)


def dataset_readers(view: View, asked: wire.Users) -> Uses:
    return SeenContents(view).dataset_readers(asked.what, asked.most)


def beginning(view: View, asked: wire.Digits) -> tuple[Digest, ...]:
    return SeenContents(view).beginning(asked.digits)


def files(view: View, asked: wire.Named) -> tuple[tuple[bytes, Digest], ...]:
    return SeenContents(view).files(asked.digest)


def add_folder(view: View, asked: wire.Folder) -> None:
    SeenContents(view).add_folder(asked.manifest)


def folders(view: View, asked: wire.Page) -> tuple[tuple[Digest, bytes], ...]:
    found = sorted(SeenContents(view).folders())
    return tuple(itertools.islice((folder for folder in found if folder[0] > asked.after), _AT_ONCE))


def runs(view: View, asked: wire.OfRuns) -> tuple[Run, ...]:
    return SeenContents(view).runs(asked.run_ids)


def planned(view: View, asked: wire.Named) -> tuple[str, ...]:
    return SeenContents(view).planned(asked.digest)


def like(view: View, asked: wire.Like) -> tuple[str, ...]:
    return SeenContents(view).like(asked.project, asked.entry_point, asked.most)


def model(view: View, asked: wire.Numbered) -> LoggedModel | None:
    return SeenContents(view).model(asked.identifier)


def version(view: View, asked: wire.Version) -> ModelVersion | None:
    return SeenContents(view).version(asked.name, asked.version)


def versions(view: View, asked: wire.Numbered) -> tuple[ModelVersion, ...]:
    return SeenContents(view).versions(asked.identifier)


def digest_in(text: str) -> Digest:
    """Raises Failure for a text that is none."""
    try:
        return Digest(text)
    except ValueError as error:
        raise invalid(str(error)) from error


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
