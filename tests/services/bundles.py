"""Bundles of small runs, and bundles that somebody changed and wrote anew as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from mlproj import wiring
from mlproj.exports.container import Writer, read_content, read_members
from mlproj.model.bundle import CRATE, DOCUMENT, MANIFEST, RECORD
from mlproj.model.digest import Digest, canonical, folder_manifest
from mlproj.model.events import silent
from mlproj.model.provenance import InputState
from mlproj.model.run import Run
from mlproj.services.exporting import Exported, Wanted, export_run
from mlproj.settings import Limits
from mlproj.store.folder import FolderStore
from tests.store.runs import begun, ended

LIMITS = Limits()
Files = dict[str, bytes]
FIRST = (DOCUMENT, MANIFEST, CRATE)
TABLE = b"x,y\n1,2\n"
PARTS = {b"one.csv": b"1\n", b"deep/two.csv": b"2\n"}


def run_with_data(
    store: FolderStore,
    project: Path,
    *,
    source: Mapping[bytes, bytes] | None = None,
    name: str = "calm-heron",
) -> Run:
    """A sealed run that read a file and a folder, which lie in `project`."""
    for path, content in {
        b"data.csv": TABLE,
        **{b"parts/" + key: value for key, value in PARTS.items()},
    }.items():
        target = project / path.decode()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    parts = folder_manifest((path, Digest.of(content)) for path, content in PARTS.items())
    inputs = (
        InputState(name="table", path="data.csv", kind="file", digest=Digest.of(TABLE), size=len(TABLE)),
        InputState(name="parts", path="parts", kind="folder", digest=Digest.of(parts), size=4, files=2),
        InputState(name="far", path="s3://bucket/x", kind="uri", digest=None, size=0),
    )
    run = begun(store.blobs, name=name) if source is None else begun(store.blobs, name=name, source=source)
    assert run.job is not None
    run = replace(run, job=replace(run.job, inputs=inputs, directory=str(project)))
    with store.begin(run):
        return store.seal(ended(store.blobs, run))


def export(store: FolderStore, run: Run, path: Path, *parts: str, force: bool = False) -> Exported:
    wanted = Wanted(path=path, parts=parts, replacing=force)
    return export_run(store, run, wanted, wiring.suppliers(os.environ), silent)


def contents(path: Path) -> dict[str, bytes]:
    with path.open("rb") as file:
        return {
            member.name: b"".join(read_content(file, member)) for member in read_members(file, most=10**6)
        }


def rewritten(path: Path, change: Callable[[Files], None], *, listed: bool = True) -> Path:
    """The bundle with other contents, in a zip as mlproj writes it, with a fitting manifest if `listed`."""
    files = contents(path)
    change(files)
    if listed:
        rest = ((name.encode(), Digest.of(each)) for name, each in files.items() if name != MANIFEST)
        files[MANIFEST] = folder_manifest(rest)
    first = [name for name in FIRST if name in files]
    ordered = first + sorted(files.keys() - set(first), key=str.encode)
    target = path.with_name(
        f"changed-{hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:8]}.zip"
    )
    with target.open("wb") as file:
        writer = Writer(file)
        for name in ordered:
            writer.add(name, len(files[name]), iter((files[name],)))
        writer.finish()
    return target


def made_to_fit(files: Files, record: dict[str, Any]) -> None:
    """Puts another record in, and has whatever names it name the new one."""
    content = canonical(record)
    digest, run_id = str(Digest.of(content)), record["run_id"]
    files[RECORD] = content
    for name in sorted(name for name in files if name.startswith(("chain/", "amendments/"))):
        document = {**json.loads(files[name]), "run_id": run_id}
        if name.startswith("chain/"):
            own = files.get(name.replace("chain", "amendments"))
            document["payload"] = digest if own is None else str(Digest.of(own))
        files[name] = canonical(document)
    links = sorted((name for name in files if name.startswith("chain/")), key=lambda name: int(name[6:-5]))
    document = {**json.loads(files[DOCUMENT]), "run_id": run_id, "record": digest}
    files[DOCUMENT] = canonical({**document, "links": [str(Digest.of(files[name])) for name in links]})


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in a document that holds no others."""
    below: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if not below:
        yield path
    else:
        for key, each in below:
            yield from leaves(each, (*path, key))
