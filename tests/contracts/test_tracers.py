"""What every Tracer does: it sees what a command reads, and tells it from what is known or the run's own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlproj.model.digest import Digest
from mlproj.model.events import silent
from mlproj.model.source import Snapshot, SnapshotFile
from mlproj.ports import Recorded, Traced
from mlproj.provenance.tracing.tracers import TRACERS, tracer_for
from mlproj.services.hook import FOLDER
from tests.conftest import can_strace, need

GIBIBYTE = 1 << 30


class Scene:
    """A project with a source file and data, of which `data/declared` is declared."""

    def __init__(self, folder: Path, way: str) -> None:
        self.project = folder / "project"
        (self.project / "data").mkdir(parents=True)
        for name in ("train.py", "data/declared", "data/a", "data/b"):
            (self.project / name).write_text(name)
        self._folder = folder
        self._way = way

    def trace(self, code: str, *, ends: int = 0, limit: int = GIBIBYTE) -> Traced:
        """What is told of a Python that runs the code, some time after the files were written."""
        time.sleep(0.02)  # the clock that files get their times from has grains
        tracer = tracer_for(self._way, self._folder / "cache", limit, os.environ)
        variables = tracer.begin(self._folder / "notes")
        argv = tracer.argv(("bash", "-c", f"exec {sys.executable} -c {code!r}"))
        environ = {**os.environ, "PYTHONPATH": str(FOLDER), **variables}
        done = subprocess.run(argv, cwd=self.project, env=environ, capture_output=True, timeout=120)
        assert done.returncode == ends, done.stderr
        held = SnapshotFile(path="train.py", mode=0o100644, digest=Digest.of(b""), size=0)
        recorded = Recorded(
            project=self.project,
            snapshot=Snapshot(root=self.project, files=(held,)),
            paths=(self.project / "data" / "declared", self._folder / "cache", FOLDER.parent),
        )
        return tracer.end(recorded, silent)


@pytest.fixture(params=TRACERS)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    if request.param == "full":
        need("strace", can_strace())
    return Scene(tmp_path, request.param)


def test_what_was_read_is_told_with_its_digest(scene: Scene) -> None:
    traced = scene.trace("open('data/a').close()")
    (state,) = traced.reads
    assert (state.name, state.path, state.kind, state.size) == ("data/a", "data/a", "file", 6)
    assert state.digest == Digest.from_hex(hashlib.sha256(b"data/a").hexdigest())
    assert not state.declared and traced.tracing.means is not None


def test_what_is_recorded_is_not(scene: Scene) -> None:
    assert scene.trace("import json; [open(x).close() for x in ('train.py', 'data/declared')]").reads == ()


def test_what_the_run_made_itself_is_written_and_not_read(scene: Scene) -> None:
    code = "import os; open('m', 'w').close(); open('m').close(); os.rename('m', 'n'); open('n').close()"
    traced = scene.trace(code)
    assert traced.reads == ()
    assert traced.tracing.written == ("n",)


def test_what_is_gone_is_not_told(scene: Scene) -> None:
    assert scene.trace("import os; open('data/a').close(); os.remove('data/a')").reads == ()


def test_what_was_changed_after_it_was_read_has_no_digest(scene: Scene) -> None:
    (state,) = scene.trace("open('data/a').close(); open('data/a', 'a').write('x')").reads
    assert (state.path, state.digest) == ("data/a", None)


def test_what_was_overwritten_without_being_read_is_none(scene: Scene) -> None:
    traced = scene.trace("open('data/a', 'w').close(); open('data/a').close()")
    assert traced.reads == () and traced.tracing.written == ("data/a",)


def test_children_are_seen_however_they_end(scene: Scene) -> None:
    code = (
        "import os; os.fork() or (open('data/a').close(), os._exit(0)); os.wait(); open('data/b');"
        " os.kill(os.getpid(), 9)"
    )
    assert [state.path for state in scene.trace(code, ends=-9).reads] == ["data/a", "data/b"]


def test_a_limit_is_kept(scene: Scene) -> None:
    traced = scene.trace("open('data/a').close(); open('data/b').close()", limit=8)
    assert [state.digest is None for state in traced.reads] == [False, True]
    assert "`data/b` is beyond the limit of what is digested" in traced.tracing.escaped
