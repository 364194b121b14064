"""What a run left: written, unchanged or missing; files, folders and the output folder."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from mlproj.errors import StoreError
from mlproj.model.digest import Digest
from mlproj.model.events import Event
from mlproj.model.run import Output
from mlproj.ports import Digester
from mlproj.services.collect import Collected, Marks, collect, mark


class MemoryBlobs:
    """A blob store in memory. `meanwhile` holds what happens to a file while it is copied in."""

    def __init__(self) -> None:
        self.held: dict[Digest, bytes] = {}
        self.meanwhile: dict[Path, Callable[[], object]] = {}

    @property
    def folder(self) -> Path:
        raise StoreError("they lie in no folder")

    def name(self, digest: Digest) -> bytes:
        return digest.encode()

    def digested(
        self, digester: Digester, names: Iterable[Sequence[bytes]]
    ) -> Iterator[tuple[bytes, Digest | str]]:
        raise StoreError("they lie in no folder")

    def __contains__(self, digest: Digest) -> bool:
        return digest in self.held

    def path(self, digest: Digest) -> Path:
        raise StoreError(f"no file holds {digest}")

    def add_bytes(self, content: bytes) -> Digest:
        digest = Digest.of(content)
        self.held[digest] = content
        return digest

    def add_file(self, path: Path) -> tuple[Digest, int]:
        content = path.read_bytes()
        self.meanwhile.pop(path, int)()
        if not path.exists():
            raise StoreError("it is gone")
        return self.add_bytes(content), len(content)

    def adopt_file(self, path: Path) -> tuple[Digest, int]:
        return self.add_file(path)

    def add_files(self, files: Iterable[tuple[Path, Digest]]) -> tuple[Path, ...]:
        changed = []
        for path, digest in files:
            self.meanwhile.pop(path, int)()
            if path.exists() and Digest.of(path.read_bytes()) == digest:
                self.add_bytes(path.read_bytes())
            else:
                changed.append(path)
        return tuple(changed)

    def digests(self) -> Iterator[Digest]:
        return iter(self.held)

    def missing(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        return tuple(digest for digest in digests if digest not in self.held)

    def sizes(self, digests: Collection[Digest]) -> dict[Digest, int]:
        return {digest: len(self.held[digest]) for digest in digests if digest in self.held}

    def bring(self, digests: Collection[Digest], *, afresh: bool = False) -> None:
        """All of them are here."""


class Scene:
    """A project with declared outputs: mark, let something happen, collect."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.artifacts = folder / "artifacts"
        self.project.mkdir()
        self.artifacts.mkdir()
        self.blobs = MemoryBlobs()
        self.events: list[Event] = []

    def mark(self, *outputs: str) -> Marks:
        marks = mark(self.project, outputs)
        time.sleep(0.005)  # so that a rewritten file has another time
        return marks

    def collect(self, marks: Marks) -> Collected:
        outputs = tuple(marks.stamps)
        return collect(self.project, outputs, marks, self.artifacts, self.blobs, self.events.append)

    def one(self, marks: Marks) -> Output:
        (output,) = self.collect(marks).outputs
        return output


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def coreutils_digest(folder: Path) -> str:
    line = "find -L . -type f | cut -c3- | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    done = subprocess.run(("bash", "-c", line), cwd=folder, check=True, capture_output=True, text=True)
    return f"sha256:{done.stdout.split()[0]}"


def test_a_file_that_the_run_made_is_written_and_kept(scene: Scene) -> None:
    marks = scene.mark("model.bin")
    (scene.project / "model.bin").write_bytes(b"weights")
    output = scene.one(marks)
    assert output == Output(path="model.bin", state="written", digest=Digest.of(b"weights"), size=7)
    assert scene.blobs.held[Digest.of(b"weights")] == b"weights"


def test_a_file_that_the_run_did_not_touch_is_not_credited(scene: Scene) -> None:
    (scene.project / "model.bin").write_bytes(b"weights")
    output = scene.one(scene.mark("model.bin"))
    assert output == Output(path="model.bin", state="unchanged")
    assert not scene.blobs.held


def test_a_file_rewritten_with_the_same_content_is_written(scene: Scene) -> None:
    (scene.project / "model.bin").write_bytes(b"weights")
    marks = scene.mark("model.bin")
    (scene.project / "model.bin").write_bytes(b"weights")
    assert scene.one(marks).state == "written"


def test_a_file_replaced_with_its_old_time_is_written(scene: Scene) -> None:
    place = scene.project / "model.bin"
    place.write_bytes(b"weights")
    state = place.stat()
    marks = scene.mark("model.bin")
    place.write_bytes(b"WEIGHTS")
    os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert scene.one(marks).digest == Digest.of(b"WEIGHTS")


def test_an_output_that_is_not_there_is_missing(scene: Scene) -> None:
    assert scene.one(scene.mark("model.bin")) == Output(path="model.bin", state="missing")


def test_an_output_that_the_run_removed_is_missing(scene: Scene) -> None:
    (scene.project / "model.bin").write_bytes(b"weights")
    marks = scene.mark("model.bin")
    (scene.project / "model.bin").unlink()
    assert scene.one(marks).state == "missing"


@pytest.mark.parametrize("change", ["add", "rewrite", "remove"])
def test_a_folder_in_which_anything_changed_is_written_whole(scene: Scene, change: str) -> None:
    folder = scene.project / "out"
    (folder / "deep").mkdir(parents=True)
    for name in ("a", "b", "deep/c"):
        (folder / name).write_text(name)
    marks = scene.mark("out")
    match change:
        case "add":
            (folder / "odd \\ name\n").write_text("new")
        case "rewrite":
            (folder / "deep" / "c").write_text("deep/c")
        case _:
            (folder / "b").unlink()
    output = scene.one(marks)
    assert (output.state, output.kind) == ("written", "folder")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert output.size == sum(path.stat().st_size for path in files)
    assert output.digest is not None and output.digest in scene.blobs
    assert all(Digest.of(path.read_bytes()) in scene.blobs for path in files)
    if change != "add":  # the line in the documentation splits at newlines
        assert output.digest == coreutils_digest(folder)


def test_a_folder_that_was_not_touched_is_unchanged(scene: Scene) -> None:
    (scene.project / "out").mkdir()
    (scene.project / "out" / "a").write_text("a")
    assert scene.one(scene.mark("out/")) == Output(path="out/", state="unchanged", kind="folder")


def test_an_empty_folder_that_the_run_made_is_written(scene: Scene) -> None:
    marks = scene.mark("out")
    (scene.project / "out").mkdir()
    assert scene.one(marks) == Output(path="out", state="written", kind="folder", digest=Digest.of(b""))


def test_links_to_files_are_followed_and_links_to_folders_and_pipes_passed_over(
    scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("from outside")
    marks = scene.mark("out", "link")
    folder = scene.project / "out"
    folder.mkdir()
    (folder / "inner").symlink_to(tmp_path / "outside" / "file")
    (folder / "everything").symlink_to("/")
    (folder / "again").symlink_to(folder)
    (folder / "broken").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    (scene.project / "link").symlink_to(tmp_path / "outside" / "file")
    collected = scene.collect(marks)
    out, link = collected.outputs
    assert out.digest is not None
    manifest = scene.blobs.held[out.digest]
    assert manifest == f"{Digest.of(b'from outside').hex}  inner\n".encode()
    assert link.digest == Digest.of(b"from outside")
    assert collected.notes == ("`out/everything` links to a folder elsewhere, and is not kept",)


def test_an_output_that_is_a_pipe_is_missing_with_a_note(scene: Scene) -> None:
    marks = scene.mark("pipe")
    os.mkfifo(scene.project / "pipe")
    collected = scene.collect(marks)
    assert [output.state for output in collected.outputs] == ["missing"]
    assert collected.notes == ("the output `pipe` is neither a file nor a folder",)


@pytest.mark.parametrize("name", ["model.bin", "out/model.bin"])
def test_a_file_that_changes_while_it_is_kept_is_noted(scene: Scene, name: str) -> None:
    marks = scene.mark(name.split("/")[0])
    place = scene.project / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"before")
    scene.blobs.meanwhile[place] = lambda: place.write_bytes(b"afterwards")
    collected = scene.collect(marks)
    short = place.name
    assert collected.notes == (f"`{short}` changed while it was being kept",)
    (output,) = collected.outputs
    assert output.digest is not None and output.digest in scene.blobs


@pytest.mark.parametrize("name", ["model.bin", "out/model.bin"])
def test_a_file_that_vanishes_while_it_is_kept_is_noted(scene: Scene, name: str) -> None:
    marks = scene.mark(name.split("/")[0])
    place = scene.project / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"weights")
    scene.blobs.meanwhile[place] = place.unlink
    collected = scene.collect(marks)
    (note,) = collected.notes
    assert note.startswith("`model.bin` was written but cannot be kept: ")
    (output,) = collected.outputs
    if output.kind == "file":
        assert (output.state, output.digest) == ("missing", None)
    else:
        assert (output.state, output.digest) == ("written", Digest.of(b""))


def test_everything_in_the_output_folder_is_taken_in_undeclared(scene: Scene) -> None:
    (scene.artifacts / "plots").mkdir()
    (scene.artifacts / "plots" / "roc.png").write_bytes(b"png")
    (scene.artifacts / os.fsdecode(b"odd\xff")).write_bytes(b"")
    outputs = scene.collect(scene.mark()).outputs
    assert outputs == (
        Output(path="artifacts/odd\\xff", state="written", digest=Digest.of(b""), declared=False),
        Output(
            path="artifacts/plots/roc.png", state="written", digest=Digest.of(b"png"), size=3, declared=False
        ),
    )


def test_an_output_folder_that_the_run_removed_holds_nothing(scene: Scene) -> None:
    scene.artifacts.rmdir()
    assert scene.collect(scene.mark()) == Collected(outputs=())
