"""Whether what a version of a model is made of is still what its run left: clients may log to a run, under
the names that are there already, when it has been sealed, reproduced and attested."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mlproj.artifact_ports import Artifacts
from mlproj.errors import NotFound
from mlproj.model.digest import Digest, folder_manifest
from mlproj.model.run import Run
from mlproj.services.artifacts import Artifact
from mlproj.services.artifacts import artifacts as left_by
from mlproj.services.own_tracked import Located
from mlproj.store_ports import RunStore


def strange_file(
    place: Located, run: Run, store: RunStore, artifacts: Artifacts, *, thorough: bool
) -> str | None:
    """What of the files is not what the sealed record of the run has, in words; None where all is. Not
    `thorough`, their content is not read, and their sizes count."""
    if run.outcome is None:
        return None
    recorded = _recorded(place, run, store)
    found = dict(_files(artifacts, place.stored, ""))
    if not recorded:
        # A declared output has its content by the record alone. What was moved in has no record of files.
        return "they are not on its record" if found and run.imported is None else None
    for name, each in recorded.items():
        if name not in found:
            return f"`{each.path}` is not there any more"
        if found[name] != each.size or (
            thorough and _digest(artifacts, f"{place.stored}{name}") != each.digest
        ):
            return f"`{each.path}` is another one"
    return None


def recorded_digest(place: Located, run: Run, store: RunStore) -> Digest | None:
    """The digest of the file or folder by the record of its run; None where that does not have all of it."""
    files = _recorded(place, run, store)
    digests = [(name[1:].encode(), each.digest) for name, each in files.items() if each.digest is not None]
    if not files or len(digests) < len(files):
        return None
    return digests[0][1] if "" in files else Digest.of(folder_manifest(digests))


def _recorded(place: Located, run: Run, store: RunStore) -> dict[str, Artifact]:
    """What the run left there, each file by its path below the place, with the `/` before it."""
    below = f"{place.recorded}/"
    return {
        each.path.removeprefix(place.recorded): each
        for each in left_by(store, run)
        if each.state == "written" and f"{each.path}/".startswith(below)
    }


def _files(artifacts: Artifacts, root: str, path: str) -> Iterator[tuple[str, int]]:
    """The files below the root, each with its size; of one that is a file itself, that, by an empty path."""
    try:
        if not path:
            yield "", artifacts.size(root)
            return
    except NotFound:
        pass
    for stored, is_folder, size in artifacts.list(f"{root}{path}"):
        inside = stored.removeprefix(root)
        if is_folder:
            yield from _files(artifacts, root, inside)
        else:
            yield inside, size


def _digest(artifacts: Artifacts, path: str) -> str:
    hasher = hashlib.sha256()
    for piece in artifacts.read(path):
        hasher.update(piece)
    return f"sha256:{hasher.hexdigest()}"
