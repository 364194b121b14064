"""What goes into a bundle beside what the store holds: data from its place, packages, an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from mlproj.errors import DataError, EnvironmentFailed
from mlproj.files import digest_of
from mlproj.model.bundle import DATA, ENVIRONMENT, IMAGE, Place
from mlproj.model.digest import Digest, read_manifest
from mlproj.model.environment import ImageState
from mlproj.model.events import Report
from mlproj.model.provenance import InputState
from mlproj.model.run import Job, Run
from mlproj.ports import Observer, Package
from mlproj.store_ports import BlobStore


class Suppliers(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the world that a bundle is filled from: `packages` gives those that a lock needs on this
    machine into a folder, asking no network for a digest that is here already; `image` saves one there."""

    observer: Observer
    download: Callable[[str, Path, Report], Path]
    packages: Callable[[Job, bytes, BlobStore, Path, Report], tuple[Package, ...]]
    image: Callable[[ImageState, Path, Report], Path]


class Supplies(msgspec.Struct, frozen=True, kw_only=True):
    """Where the content of a bundle is: in the store, else at `places`. `beside` goes into it besides what
    the record names."""

    blobs: BlobStore
    places: Mapping[Digest, Path]
    beside: tuple[Place, ...]

    def read(self, digest: Digest) -> bytes:
        """The content of a manifest."""
        return self.find(Place(path=f"manifest {digest}", digest=digest))[0].read_bytes()

    def find(self, place: Place) -> tuple[Path, bool]:
        """The file with the content of `place`, and whether it is the store's."""
        if place.digest in self.blobs:
            return self.blobs.path(place.digest), True
        if place.digest in self.places:
            return self.places[place.digest], False
        return self.blobs.path(place.digest), True


def supply(
    run: Run, blobs: BlobStore, parts: tuple[str, ...], suppliers: Suppliers, folder: Path, report: Report
) -> Supplies:
    """Finds what the parts consist of, the one that is nowhere here into `folder`.

    Raises DataError and EnvironmentFailed, also for a part that an environment of the run's kind has not.
    """
    assert run.job is not None, "an exported run has a job"
    finding = _Finding(run.job, blobs, suppliers, folder, report)
    if DATA in parts:
        for state in run.job.inputs:
            finding.data(state)
    if ENVIRONMENT in parts:
        finding.packages()
    if IMAGE in parts:
        finding.image()
    return Supplies(blobs=blobs, places=finding.places, beside=tuple(finding.beside))


class _Finding:
    """What was found so far."""

    def __init__(
        self, job: Job, blobs: BlobStore, suppliers: Suppliers, folder: Path, report: Report
    ) -> None:
        self._job = job
        self._blobs = blobs
        self._suppliers = suppliers
        self._folder = folder
        self._report = report
        self.places: dict[Digest, Path] = {}
        self.beside: list[Place] = []

    def data(self, state: InputState) -> None:
        """Finds an input where it was recorded. That it still is what it was is looked at as it is copied."""
        if state.digest is None or (state.kind != "folder" and state.digest in self._blobs):
            return
        if state.kind == "folder":
            self._data_folder(state, state.digest)
        else:
            self.places[state.digest] = self._place(state)

    def _data_folder(self, state: InputState, digest: Digest) -> None:
        listed = self._blobs.path(digest).read_bytes() if digest in self._blobs else None
        files = () if listed is None else read_manifest(listed)
        if listed is not None and all(each in self._blobs for _, _, each in files):
            return
        place = self._place(state)
        if listed is None:
            listed = self._suppliers.observer.manifest(state.name, place, self._report)
            if Digest.of(listed) != digest:
                raise DataError(
                    f"the data `{state.name}` is no longer what was recorded: `{place}`",
                    hint="bring back what the run read, or export without `data`",
                )
            self._kept(listed)
        for path, _, each in read_manifest(listed):
            self.places[each] = place / path.decode("utf-8", "surrogateescape")

    def _kept(self, content: bytes) -> None:
        digest = Digest.of(content)
        self.places[digest] = self._folder / digest.hex
        self.places[digest].write_bytes(content)

    def _place(self, state: InputState) -> Path:
        if "://" in state.path:
            return self._suppliers.download(
                state.path, self._folder / f"data-{len(self.places)}", self._report
            )
        place = Path(self._job.directory, state.path)
        if not place.exists():
            raise DataError(
                f"the data `{state.name}` is not where it was: there is no `{place}`",
                hint="bring it back there, or export without `data`",
            )
        return place

    def packages(self) -> None:
        environment = self._job.environment
        if environment.kind not in ("virtualenv", "conda") or environment.lock_file is None:
            hint = "`--with image` takes the image along" if environment.kind == "docker" else None
            told = f"a run in a {environment.kind} environment has no packages that could be taken along"
            raise EnvironmentFailed(told, hint=hint or "the lock is in every bundle")
        lock = self._blobs.path(environment.lock_file).read_bytes()
        packages = self._suppliers.packages(self._job, lock, self._blobs, self._folder, self._report)
        for package in packages:
            self.places[package.digest] = package.path
            self.beside.append(Place(path=f"{ENVIRONMENT}/{package.name}", digest=package.digest))

    def image(self) -> None:
        image = self._job.environment.image
        if image is None:
            raise EnvironmentFailed(
                f"a run in a {self._job.environment.kind} environment has no image",
                hint="`--with environment` takes the packages of virtualenv and conda along",
            )
        path = self._suppliers.image(image, self._folder, self._report)
        digest = digest_of(path)[0]
        self.places[digest] = path
        self.beside.append(Place(path=f"{IMAGE}/{path.name}", digest=digest))
