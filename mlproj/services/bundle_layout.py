"""Which file of a run lies where in a bundle: one answer, for whoever writes one and whoever checks one."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from mlproj.exports.paths import Taken, complaint
from mlproj.model.arrivals import leads_out
from mlproj.model.bundle import (
    ATTESTATIONS,
    BLOBS,
    DATA,
    LOCK,
    LOGGED,
    LOGS,
    MANIFESTS,
    OUTPUTS,
    SOURCE,
    LeftOut,
    Place,
)
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.logged import Logged
from mlproj.model.provenance import InputState
from mlproj.model.record import ATTESTED
from mlproj.model.run import Amendment, Output, Run

Reader = Callable[[Digest], bytes]
"""Gives the content of a manifest by its digest."""

LOCK_NAMES: Mapping[str | None, str] = {
    "pylock": "pylock.toml",
    "conda": "conda.lock",
    "uv": "uv.lock",
    "installed": "installed.txt",
    "image": "image.json",
}
_LOST = "it never came into the store"
_UNDECLARED = "the run read it, and nobody declared it as an input"
_EXECUTABLE = 0o111
_LINK = 0o120000


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a bundle beside its own documents, and as `attached` those of them (by path) that the
    record alone does not bring; see `BundleDocument` for the rest."""

    places: tuple[Place, ...]
    attached: tuple[Place, ...]
    elsewhere: dict[str, str]
    left_out: tuple[LeftOut, ...]


def layout(run: Run, read: Reader, *, data: bool = False, beside: tuple[Place, ...] = ()) -> Layout:
    """Where everything goes that the record of a sealed run names, with the inputs' content if `data`, and
    files that came `beside`.

    Raises what `read` raises, and ValueError for a manifest that is none, or whose files would lie
    elsewhere than in its folder.
    """
    plan = _Plan(run, read)
    plan.source()
    plan.lock()
    plan.outputs()
    plan.logs()
    plan.logged()
    plan.attested(run.amendments)
    before = len(plan.places)
    if data:
        plan.data()
    for place in beside:
        plan.put(place.path, place.digest)
    return Layout(
        places=tuple(plan.places),
        attached=tuple(plan.places[before:]),
        elsewhere=plan.elsewhere,
        left_out=tuple(plan.left_out),
    )


class _Plan:
    """The places found so far, and the paths that are in use."""

    def __init__(self, run: Run, read: Reader) -> None:
        assert run.job is not None and run.outcome is not None, "only a run that has ended is handed over"
        self._job, self._outcome = run.job, run.outcome
        self._read = read
        self._taken = Taken()
        self._digests: dict[str, Digest] = {}
        self._lost = frozenset(run.outcome.lost)
        self.places: list[Place] = []
        self.elsewhere: dict[str, str] = {}
        self.left_out: list[LeftOut] = []

    def source(self) -> None:
        source = self._job.source
        omitted = {file.path: file.reason for file in source.omitted}
        if source.omitted_manifest is not None:
            for path, _, _ in self._manifest(source.omitted_manifest):
                omitted.setdefault(readable(path), "it is too large, or looks like a secret")
        for path, mode, digest in self._manifest(source.snapshot):
            if readable(path) not in omitted:
                executable = mode != _LINK and bool(mode & _EXECUTABLE)
                self._file(SOURCE, path, digest, executable=executable)
        digests = {file.path: file.digest for file in source.omitted}
        self.left_out += [
            LeftOut(path=f"{SOURCE}/{path}", reason=reason, digest=digests.get(path))
            for path, reason in omitted.items()
        ]

    def lock(self) -> None:
        environment = self._job.environment
        if environment.lock_file is not None:
            name = LOCK_NAMES.get(environment.lock_format, "lock.txt")
            self.put(f"{LOCK}/{name}", environment.lock_file)

    def outputs(self) -> None:
        for output in self._outcome.outputs:
            if output.digest is None or output.state != "written":
                self._unkept(output)
            elif output.kind == "folder":
                self._folder(f"{OUTPUTS}/{output.path.rstrip('/')}", output.digest)
            else:
                self.put(f"{OUTPUTS}/{output.path}", output.digest)

    def logs(self) -> None:
        for log in self._outcome.logs:
            self.put(f"{LOGS}/{log.name}", log.digest)

    def logged(self) -> None:
        logged = self._outcome.logged or Logged()
        named = {f"{LOGGED}/history.jsonl": logged.history, f"{LOGGED}/traces.jsonl": logged.traces}
        for number, dataset in enumerate(logged.datasets, start=1):
            named[f"{LOGGED}/datasets/{number}/schema.json"] = dataset.schema
            named[f"{LOGGED}/datasets/{number}/profile.json"] = dataset.profile
        for path, digest in named.items():
            if digest is not None:
                self.put(path, digest)

    def attested(self, amendments: Iterable[Amendment]) -> None:
        named = (each.content.get("envelope", "") for each in amendments if each.kind == ATTESTED)
        for number, envelope in enumerate(named, start=1):
            name = ATTESTATIONS if number == 1 else f"{ATTESTATIONS}-{number}"
            self.put(f"{name}.json", Digest(envelope))

    def data(self) -> None:
        for state in self._job.inputs:
            path = data_path(state)
            if state.digest is None:
                self.left_out.append(
                    LeftOut(path=path, reason="nobody read its content, so none is recorded")
                )
            elif state.kind == "folder":
                self._folder(path, state.digest)
            else:
                self.put(path, state.digest)
        self.left_out += [
            LeftOut(path=data_path(state), reason=_UNDECLARED, digest=state.digest)
            for state in self._outcome.reads
        ]

    def put(self, path: str, digest: Digest, *, executable: bool = False) -> None:
        """Gives a file its place: the path, or one by its digest where that cannot be."""
        shown = readable(path)
        if digest in self._lost:
            self.left_out.append(LeftOut(path=shown, reason=_LOST, digest=digest))
        elif self._digests.get(path) != digest:
            if complaint(path) is not None or not self._taken.take(path):
                path = self.elsewhere[shown] = f"{BLOBS}/{digest.hex}"
                executable = False
            if path not in self._digests:
                self._digests[path] = digest
                self.places.append(Place(path=path, digest=digest, executable=executable))

    def _folder(self, path: str, manifest: Digest) -> None:
        for below, _, digest in self._manifest(manifest):
            self._file(path, below, digest)

    def _file(self, folder: str, path: bytes, digest: Digest, *, executable: bool = False) -> None:
        self.put(f"{folder}/{path.decode('utf-8', 'surrogateescape')}", digest, executable=executable)

    def _manifest(self, digest: Digest) -> Iterator[tuple[bytes, int, Digest]]:
        """What a manifest lists, which is in the bundle too, under its digest."""
        self.put(f"{MANIFESTS}/{digest.hex}.txt", digest)
        if digest not in self._lost:
            for path, mode, each in read_manifest(self._read(digest)):
                if leads_out(path):
                    raise ValueError(f"`{readable(path)}` leads out of its folder")
                yield path, mode, each

    def _unkept(self, output: Output) -> None:
        reason = {"missing": "the run did not write it", "unchanged": "it was there before the run"}
        told = reason.get(output.state, "a tracking server holds it")
        self.left_out.append(LeftOut(path=f"{OUTPUTS}/{output.path}", reason=told, digest=output.digest))


def data_path(state: InputState) -> str:
    """Where an input lies, if its content is in a bundle: by its path in the project, else by its name."""
    if state.kind != "uri" and complaint(f"{DATA}/{state.path}") is None and "://" not in state.path:
        return f"{DATA}/{state.path}"
    return f"{DATA}/{state.name.strip('/')}/{posixpath.basename(state.path.rstrip('/')) or 'data'}"
