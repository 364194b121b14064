"""The files that a run left, listed or copied out of the store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlproj.errors import Altered, StoreError, UsageError, did_you_mean
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.run import Output, Run
from mlproj.store_ports import RunStore

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run left, or one in a folder that it left. One that is not `written` was not kept, and
    `state` says why (`unchanged`, `missing`, `served`)."""

    path: str
    digest: Digest | None
    size: int
    state: str = "written"


def artifacts(store: RunStore, run: Run) -> tuple[Artifact, ...]:
    """All files that the run left, those in folders one by one. Raises StoreError and Altered."""
    found: list[Artifact] = []
    for output in () if run.outcome is None else run.outcome.outputs:
        if output.kind == "folder" and output.digest is not None:
            listed = tuple(_listed(store, output))
            sizes = store.blobs.sizes([digest for _, digest in listed])
            found += (
                Artifact(path=path, digest=digest, size=sizes.get(digest, 0)) for path, digest in listed
            )
        else:
            found.append(
                Artifact(path=output.path, digest=output.digest, size=output.size, state=output.state)
            )
    return tuple(found)


def get_artifact(store: RunStore, run: Run, path: str, destination: Path) -> tuple[Path, ...]:
    """Copies a file that the run left, or every file under the folder `path`, and returns where to.

    A file or folder goes to `destination`, or into it where that is a folder, as with `cp -r`; with `.`, all
    that the run left goes below it. Raises UsageError where the run left no such file or where one is in the
    way, Altered where the content is no longer what was recorded.
    """
    found = artifacts(store, run)
    kept = {item.path: item.digest for item in found if item.digest and item.state == "written"}
    chosen = _chosen(kept, path.rstrip("/"), destination)
    if not chosen:
        _refuse_served(run, path.rstrip("/"), found)
        raise UsageError(
            f"run `{run.name}` left no file `{path}`",
            hint=did_you_mean(path, kept) or "`mlproj artifacts` lists what it left",
        )
    for target in chosen:
        if target.exists():
            raise UsageError(f"`{target}` is there already", hint="name another destination")
    store.blobs.bring(tuple(chosen.values()))
    for target, digest in chosen.items():
        copy_content(store, digest, target)
    return tuple(chosen)


def _refuse_served(run: Run, path: str, found: tuple[Artifact, ...]) -> None:
    """Says of files that a tracking server holds where they are."""
    beginnings = (path, f"{path}/") if path not in ("", ".") else ("",)
    if any(
        item.state == "served" and (item.path == path or item.path.startswith(beginnings[-1]))
        for item in found
    ):
        assert run.job is not None and run.job.server is not None, "what is served is so by a server"
        at = run.job.server
        raise UsageError(
            f"`{path}` is not in the store: the server `{at.uri}` holds it",
            hint=f"MLflow's page or client has it, where the run is `{at.run_id}`",
        )


def _chosen(kept: Mapping[str, Digest], wanted: str, destination: Path) -> dict[Path, Digest]:
    """What goes where: the file that is wanted, or the files of that folder, all of which stay below it."""
    everything = wanted in ("", ".")
    into = destination.is_dir() and not everything
    target = destination / Path(wanted).name if into else destination
    if wanted in kept:
        return {target: kept[wanted]}
    prefix = "" if everything else f"{wanted}/"
    chosen = {
        target / name.removeprefix(prefix): digest for name, digest in kept.items() if name.startswith(prefix)
    }
    for place in chosen:
        if not place.resolve().is_relative_to(target.resolve()):
            raise Altered(f"`{place}` lies outside the folder it belongs to")
    return chosen


def _listed(store: RunStore, output: Output) -> Iterator[tuple[str, Digest]]:
    assert output.digest is not None, "only an output that was kept has a manifest"
    try:
        entries = read_manifest(store.blobs.path(output.digest).read_bytes())
    except ValueError as error:
        raise Altered(f"the list of files of `{output.path}` is not what was recorded: {error}") from error
    for path, _, digest in entries:
        yield f"{output.path.rstrip('/')}/{readable(path)}", digest


def copy_content(store: RunStore, digest: Digest, target: Path) -> None:
    """Copies a content to a new file, held against its digest. Raises StoreError, and Altered."""
    source = store.blobs.path(digest)
    hasher = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as reading, target.open("xb") as writing:
            while data := reading.read(_PIECE):
                hasher.update(data)
                writing.write(data)
    except OSError as error:
        raise StoreError(f"`{target}` cannot be written: {error.strerror}") from error
    if hasher.hexdigest() != digest.hex:
        target.unlink()
        raise Altered(f"the content of `{target.name}` is no longer what was recorded")
