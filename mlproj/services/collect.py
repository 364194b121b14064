"""Takes in what a run left: its declared outputs, and whatever it put into its output folder."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from mlproj.errors import NoRoom, StoreError
from mlproj.files import digest_of
from mlproj.model.digest import Digest, folder_manifest, readable
from mlproj.model.events import Progress, Report
from mlproj.model.notes import unkept
from mlproj.model.run import Output
from mlproj.services.fence import Fence
from mlproj.store_ports import BlobStore

_BEYOND = "links to what the isolated run did not see, and is not kept"

Stamp = tuple[int, int, int, int]
"""Inode, size, and the times of the last change of content and of state, in nanoseconds."""

ARTIFACTS = "artifacts"
"""The folder under which the content of the run's output folder is listed."""


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """The state of declared files before a run: per path the stamp of each file in it ("" for itself). Where
    there is a `fence`, what a link leads to beyond it is not there."""

    stamps: Mapping[str, Mapping[str, Stamp]]
    fence: Fence | None = None


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken in, and notes on what could not be. `failure` is that of a disk with no room for it."""

    outputs: tuple[Output, ...]
    notes: tuple[str, ...] = ()
    failure: NoRoom | None = None


def mark(project: Path, paths: Sequence[str], fence: Fence | None = None) -> Marks:
    """Notes the state of declared outputs and metrics files, for `collect` to see what the run wrote."""
    return Marks(stamps={path: _stamps(project / path, fence) for path in paths}, fence=fence)


def is_written(project: Path, path: str, marks: Marks) -> bool:
    """Whether `path` is there, and was made or touched since the marks were taken."""
    now = _stamps(project / path, marks.fence)
    return bool(now) and now != marks.stamps.get(path, {})


def collect(
    project: Path,
    outputs: Sequence[str],
    marks: Marks,
    artifacts_folder: Path,
    blobs: BlobStore,
    report: Report,
) -> Collected:
    """Copies what the run wrote into the blob store: declared outputs, and all of `artifacts_folder`.

    A declared output that was there before and was not written has no digest and is not credited to the
    run. What vanishes or changes while it is read is noted, its digest that of the bytes that were kept.
    What there is no room for is noted too, and the rest is kept.
    """
    collecting = _Collecting(blobs=blobs, report=report, fence=marks.fence)
    declared = [collecting.declared(project, path, marks) for path in outputs]
    outside = collecting.artifacts(artifacts_folder)
    notes, lacking = collecting.notes, collecting.lacking
    return Collected(
        outputs=(*declared, *outside),
        notes=(*notes, unkept(tuple(lacking))) if lacking else tuple(notes),
        failure=next(iter(lacking.values()), None),
    )


class _Collecting(msgspec.Struct, frozen=True, kw_only=True):
    """Takes things in, with a note (each once) on what cannot be."""

    blobs: BlobStore
    report: Report
    fence: Fence | None
    notes: list[str] = msgspec.field(default_factory=list)
    lacking: dict[str, NoRoom] = msgspec.field(default_factory=dict)
    """What there was no room for, by path."""

    def declared(self, project: Path, path: str, marks: Marks) -> Output:
        place = project / path
        kind = "folder" if place.is_dir() else "file"
        if not _stamps(place, self.fence):
            if self._is_beyond(place):
                self._note(f"`{path}` {_BEYOND}")
            elif os.path.lexists(place):
                self._note(f"the output `{path}` is neither a file nor a folder")
            return Output(path=path, state="missing", kind=kind)
        if not is_written(project, path, marks):
            return Output(path=path, state="unchanged", kind=kind)
        return self._folder(place, path) if kind == "folder" else self._file(place, path)

    def artifacts(self, folder: Path) -> tuple[Output, ...]:
        """Everything in the run's output folder, each file an output that nobody declared."""
        outside: list[str] = []
        found = self._keep(folder, sorted(_walk(folder, outside, self.fence)), f"{ARTIFACTS}/")
        for link in outside:
            self._note_link(folder / link, f"{ARTIFACTS}/{link}")
        return tuple(
            Output(
                path=f"{ARTIFACTS}/{readable(name)}",
                state="written",
                digest=digest,
                size=size,
                declared=False,
            )
            for name, digest, size in found
        )

    def _file(self, place: Path, path: str) -> Output:
        kept = self._keep_file(place, path)
        if kept is None:
            return Output(path=path, state="missing")
        return Output(path=path, state="written", digest=kept[0], size=kept[1])

    def _folder(self, place: Path, path: str) -> Output:
        outside: list[str] = []
        lacking = len(self.lacking)
        kept = self._keep(place, sorted(_walk(place, outside, self.fence)), f"{path}/")
        for link in outside:
            self._note_link(place / link, os.path.join(path, link))
        manifest = folder_manifest((os.fsencode(name), digest) for name, digest, _ in kept)
        digest = None if len(self.lacking) > lacking else self._keep_text(manifest, path)
        if digest is None:
            return Output(path=path, state="missing", kind="folder")
        return Output(
            path=path, state="written", kind="folder", digest=digest, size=sum(size for _, _, size in kept)
        )

    def _keep_text(self, text: bytes, path: str) -> Digest | None:
        try:
            return self.blobs.add_bytes(text)
        except NoRoom as error:
            self.lacking[path] = error
            return None

    def _keep(self, folder: Path, names: Sequence[str], within: str) -> list[tuple[str, Digest, int]]:
        """Keeps the files of a folder; their names, digests and sizes."""
        digested: list[tuple[str, Path, Digest, int]] = []
        for done, name in enumerate(names):
            self.report(Progress(stage="collect", done=done, total=len(names), unit="files"))
            place = Path(os.path.realpath(folder / name))
            try:
                digested.append((name, place, *digest_of(place)))
            except OSError as error:
                self._note(_unreadable(name, error.strerror))
        try:
            changed = set(self.blobs.add_files((place, digest) for _, place, digest, _ in digested))
        except NoRoom:
            return self._keep_some(digested, within)
        kept: list[tuple[str, Digest, int]] = []
        for name, place, digest, size in digested:
            if place not in changed:
                kept.append((name, digest, size))
            elif (again := self._keep_file(place, name)) is not None:
                self._note(_moving(name))
                kept.append((name, *again))
        return kept

    def _keep_some(
        self, files: Sequence[tuple[str, Path, Digest, int]], within: str
    ) -> list[tuple[str, Digest, int]]:
        """Keeps as many of the files as there is room for, the smallest first."""
        kept = []
        for name, place, _, _ in sorted(files, key=lambda file: file[3]):
            found = self._keep_file(place, name, within)
            if found is not None:
                kept.append((name, *found))
        return sorted(kept)

    def _keep_file(self, place: Path, name: str, within: str = "") -> tuple[Digest, int] | None:
        """Keeps one file, with a note where it vanished, cannot be read or changed meanwhile."""
        real = Path(os.path.realpath(place))
        before = _stamp(real)
        try:
            os.close(os.open(real, os.O_RDONLY | os.O_NONBLOCK))
            kept = self.blobs.add_file(real)
        except OSError as error:
            self._note(_unreadable(name, error.strerror))
            return None
        except NoRoom as error:
            self.lacking[f"{within}{readable(name)}"] = error
            return None
        except StoreError as error:
            if _stamp(real) is not None:
                raise
            self._note(_unreadable(name, error.message))
            return None
        if _stamp(real) != before:
            self._note(_moving(name))
        return kept

    def _is_beyond(self, place: Path) -> bool:
        return self.fence is not None and os.path.exists(place) and not self.fence.holds(place)

    def _note_link(self, place: Path, name: str) -> None:
        told = _BEYOND if self._is_beyond(place) else "links to a folder elsewhere, and is not kept"
        self._note(f"`{readable(name)}` {told}")

    def _note(self, message: str) -> None:
        if message not in self.notes:
            self.notes.append(message)


def _moving(name: str) -> str:
    return f"`{readable(name)}` changed while it was being kept"


def _unreadable(name: str, reason: str | None) -> str:
    return f"`{readable(name)}` was written but cannot be kept: {reason}"


def _stamps(place: Path, fence: Fence | None) -> dict[str, Stamp]:
    """The stamp of a file, or of a folder's files; empty where there is neither."""
    if fence is not None and not fence.holds(place):
        return {}
    with contextlib.suppress(OSError):
        state = place.stat()
        if stat.S_ISREG(state.st_mode):
            return {"": _of(state)}
        if stat.S_ISDIR(state.st_mode):
            files = ((name, _stamp(place / name)) for name in _walk(place, fence=fence))
            # Of the folder itself the inode only: its times change with what is passed over in it, too.
            return {"": (state.st_ino, 0, 0, 0)} | {name: stamp for name, stamp in files if stamp}
    return {}


def _stamp(place: Path) -> Stamp | None:
    try:
        return _of(place.stat())
    except OSError:
        return None


def _of(state: os.stat_result) -> Stamp:
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _walk(folder: Path, outside: list[str] | None = None, fence: Fence | None = None) -> Iterator[str]:
    """The regular files in a folder, links to files followed; paths relative to the folder.

    Pipes, sockets and broken links are passed over, and so is a link to a folder: what is in this one is
    found without it, and one elsewhere may hold the whole disk. Those are added to `outside`, and so are
    links to files beyond the fence.
    """
    top = os.path.realpath(folder)
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            entries = os.listdir(folder / inside)
        except OSError:
            continue
        for name in entries:
            path = os.path.join(inside, name)
            with contextlib.suppress(OSError):
                mode = os.stat(folder / path).st_mode
                is_link = os.path.islink(folder / path)
                if stat.S_ISREG(mode):
                    if fence is None or not is_link or fence.holds(folder / path):
                        yield path
                    elif outside is not None:
                        outside.append(path)
                elif stat.S_ISDIR(mode) and is_link:
                    if outside is not None and not _lies_in(os.path.realpath(folder / path), top):
                        outside.append(path)
                elif stat.S_ISDIR(mode):
                    waiting.append(path)


def _lies_in(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder
