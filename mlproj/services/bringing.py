"""Brings the data of a recorded run to where it is to be read again, and looks at it before anything runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from mlproj.errors import Altered, DataError, Refused
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.events import Report
from mlproj.model.index import inputs_of
from mlproj.model.provenance import InputState
from mlproj.model.run import Run
from mlproj.ports import Observer
from mlproj.services.request import Tools
from mlproj.store_ports import BlobStore


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look for data, and where to put it.

    `named` are files and folders that a person says hold an input, `given` ones to look in, `replaced` the
    inputs that are to be others. `here` are runs of this machine: the run itself and those that it did
    again, whose data may still be where it was. `root` is the source's folder, `directory` the
    project's in it, `aside` a folder for what lay outside; with `offline` nothing is downloaded.
    """

    root: Path
    directory: Path
    aside: Path
    named: Mapping[str, Path]
    given: tuple[Path, ...]
    replaced: Mapping[str, Path]
    here: tuple[Run, ...]
    offline: bool


class Bringer:
    """Brings one piece of data of a run after the other, by their recorded states."""

    def __init__(self, run: Run, blobs: BlobStore, places: Places, tools: Tools, report: Report) -> None:
        self._states = inputs_of(run)
        self._blobs = blobs
        self._places = places
        self._tools = tools
        self._report = report

    def bring(self, state: InputState, inside: str | None) -> Path:
        """The input's content, made or found where it is `inside` of the project, by its path from there;
        aside where that is None.

        Raises DataError where nobody has it, Refused where what is there is another, and Altered for a path
        that leads out of the source.
        """
        place = None if inside is None else self._place(state, inside)
        replaced = self._places.replaced.get(state.name)
        if replaced is not None:
            return self._put(replaced, place or self._aside(state))
        assert state.digest is not None, "what was not digested cannot be brought"
        if self._said(state) is None and place is not None and self.is_as_recorded(place, state):
            return place
        source = self._source(state)
        return self._put(source, place or self._aside(state))

    def _place(self, state: InputState, inside: str) -> Path:
        place = os.path.normpath(os.path.join(self._places.directory, inside))
        root = os.path.normpath(self._places.root)
        if "\0" in place or os.path.commonpath((root, place)) != root:
            raise Altered(
                f"the data `{state.name}` is recorded at `{readable(inside)}`, which leads out of the source"
            )
        return Path(place)

    def _source(self, state: InputState) -> Path:
        named = self._said(state)
        if named is not None:
            if self.is_as_recorded(named, state):
                return named
            raise Refused(
                f"the data `{state.name}` in `{readable(str(named))}` is not what was recorded:"
                f" its digest is {self._digest(named)}, not {state.digest}",
                hint=f"`--override-data {state.name}=PATH` takes it all the same, and the verdict says so",
            )
        kept = self._kept(state)
        if kept is not None:
            return kept
        tried = []
        for found in dict.fromkeys(self._was(state)):
            if self.is_as_recorded(found, state):
                return found
            told = "is another: its content has changed" if os.path.exists(found) else "is not there"
            tried.append(f"`{readable(str(found))}` {told}")
        if state.kind == "uri" or "://" in state.path:
            downloaded = self._downloaded(state)
            if self.is_as_recorded(downloaded, state):
                return downloaded
            tried.append(f"what `{state.path}` gives now is another")
        raise Refused(
            f"the data `{state.name}` that was recorded ({state.digest}) is not to be had:"
            f" {'; '.join(tried) or 'nobody keeps it'}",
            hint=f"`--data {state.name}=PATH` says where it is, `--override-data` has another one taken",
        )

    def _was(self, state: InputState) -> Iterator[Path]:
        for run in self._places.here:
            for one in inputs_of(run):
                is_path = "://" not in one.path and "\0" not in one.path
                if run.job is not None and one.name == state.name and is_path:
                    yield Path(run.job.directory, one.path)

    def _said(self, state: InputState) -> Path | None:
        """Where it is as a person says; None where nobody said."""
        return self._places.named.get(state.name) or next(self._beneath(state), None)

    def _beneath(self, state: InputState) -> Iterator[Path]:
        """What is called so in the places that a person gave; a file is taken for an input of its name, or
        for the only one that there is."""
        name = PurePosixPath(state.path).name
        is_only = state.declared and sum(one.declared for one in self._states) == 1
        for place in self._places.given:
            if not place.is_dir() or (state.kind == "folder" and place.name == name):
                inside = [place] if place.name == name or is_only else []
            else:
                below = state.path.lstrip("/")
                inside = [place / name] if ".." in below.split("/") else [place / below, place / name]
            yield from (path for path in inside if path.exists())

    @property
    def looks_here(self) -> bool:
        """Whether the run was recorded here, so that what it names on this machine may be looked at."""
        return bool(self._places.here)

    def is_replaced(self, state: InputState) -> bool:
        """Whether a person wants other data in its place."""
        return state.name in self._places.replaced

    def is_as_recorded(self, path: Path, state: InputState) -> bool:
        """Whether at `path` there is what was recorded."""
        return os.path.exists(path) and self._digest(path) == state.digest

    def _digest(self, path: Path) -> Digest | None:
        observer: Observer = self._tools.observer
        return observer.data(
            str(path), path, self._places.directory, declared=True, report=self._report
        ).state.digest

    def _kept(self, state: InputState) -> Path | None:
        """The content out of the store, if it is there to the last file."""
        digest = state.digest
        if digest is None or digest not in self._blobs:
            return None
        if state.kind != "folder":
            return self._blobs.path(digest)
        try:
            files = [(path, one) for path, _, one in read_manifest(self._blobs.path(digest).read_bytes())]
        except ValueError as error:
            raise Altered(f"the list of files of the data `{state.name}` is none: {error}") from error
        self._blobs.bring([one for _, one in files])
        if not all(one in self._blobs for _, one in files):
            return None
        folder = self._aside(state, "kept")
        folder.mkdir(parents=True, exist_ok=True)  # an empty one is a folder, too
        for path, one in files:
            _check(path, state.name)
            try:
                _copy(self._blobs.path(one), folder / os.fsdecode(path))
            except OSError as error:
                raise DataError(
                    f"the file `{readable(path)}` of the data `{state.name}` cannot be put anywhere:"
                    f" {error.strerror}"
                ) from error
        return folder

    def _downloaded(self, state: InputState) -> Path:
        if self._places.offline:
            raise DataError(
                f"the data `{state.name}` is at `{state.path}`, and nothing is fetched with `--offline`",
                hint=f"`--data {state.name}=PATH` says where a copy of it is",
            )
        return self._tools.download(state.path, self._aside(state, "downloaded"), self._report)

    def _aside(self, state: InputState, kind: str = "inputs") -> Path:
        """A place of its own, named as the data was, since scripts look at the ends of names."""
        number = next(at for at, one in enumerate(self._states) if one.name == state.name)
        folder = self._places.aside / kind / str(number)
        name = PurePosixPath(state.path).name
        return folder if kind == "downloaded" else folder / ("data" if name in ("", "..") else name)

    def _put(self, source: Path, place: Path) -> Path:
        if os.path.abspath(source) == os.path.abspath(place):
            return place
        if self._places.directory.is_relative_to(place):
            raise DataError(f"the data would take the place of the project: `{place}`")
        self._check_way(place)
        try:
            _remove(place)
            _copy(source, place)
        except OSError as error:
            raise DataError(f"the data cannot be put at `{place}`: {error.strerror}") from error
        return place

    def _check_way(self, place: Path) -> None:
        """Nothing is written through a link of the project's, which may lead to somebody's own data."""
        for folder in (place, *place.parents):
            if folder in (self._places.root, self._places.directory, self._places.aside):
                return
            if folder != place and folder.is_symlink():
                raise DataError(
                    f"the data would lie behind the link `{folder.name}` of the source",
                    hint="have the data where the link leads to",
                )


def _check(path: bytes, name: str) -> None:
    if any(part in (b"", b".", b"..") for part in path.split(b"/")) or b"\0" in path:
        raise Altered(f"a file of the data `{name}` is recorded at `{readable(path)}`")


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, place)
    else:
        shutil.copyfile(source, place)
