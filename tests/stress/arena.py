"""A project that goes through every stage of a run, a store for it, and what has to be true afterwards."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlproj.files import digest_of
from mlproj.model.run import Status
from mlproj.services.verify import verify
from mlproj.store.opening import open_store
from mlproj.store_ports import RunQuery

MLPROJECT = """\
name: stressed
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      data: {type: path, default: data}
      number: {type: int, default: 1}
    outputs: [model.bin, report]
    metrics: [metrics.json]
    command: |
      cat {data}/* > model.bin; mkdir -p report
      for i in 1 2 3; do echo "step $i of {number}"; sleep 0.1; echo "$i {number}" > report/$i; done
      echo '{{"score": 0.5}}' > metrics.json; echo {number} > "$MLPROJ_OUTPUT_DIR/extra"
  quick:
    parameters: {number: int}
    command: echo {number}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """A folder with the project, its store and a cache of its own."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def start(
        self, *arguments: str, variables: Mapping[str, str] | None = None, cache: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """`mlproj` as a process of its own, its streams together in its stdout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLPROJ_")}
        environ = {**kept, "MLPROJ_STORE": str(self.store), "MLPROJ_CACHE_DIR": str(cache or self.cache)}
        return subprocess.Popen(
            (sys.executable, "-m", "mlproj", *arguments),
            cwd=self.project,
            env={**environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


def lay_out(folder: Path) -> Arena:
    """The project, under git, with a changed and an untracked file."""
    arena = Arena(folder=folder)
    data = arena.project / "data"
    data.mkdir(parents=True)
    (arena.project / "MLproject").write_text(MLPROJECT)
    (arena.project / "python_env.yaml").write_text("build_dependencies: []\ndependencies: []\n")
    (arena.project / "helper.py").write_text("answer = 41\n")
    dice = random.Random(1)
    for number in range(20):
        (data / f"{number}.bin").write_bytes(dice.randbytes(4096))
    identity = ("-c", "user.name=stress", "-c", "user.email=stress@example.org")
    for arguments in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "-m", "first")):
        subprocess.run(("git", *arguments), cwd=arena.project, check=True)
    (arena.project / "helper.py").write_text("answer = 42\n")
    (arena.project / "untracked.py").write_text("more = 1\n")
    return arena


def faults(root: Path) -> list[str]:
    """What is wrong with the store at `root`: half a blob, a run that runs for ever or that lost something,
    whatever `verify` finds. Looking closes the runs whose runner is gone."""
    if not (root / "store.db").exists():
        return []
    store = open_store(root, create=False)
    try:
        found = [f"{problem.part}: {problem.message}" for problem in verify(store).problems]
        for digest in store.blobs.digests():
            if digest_of(store.blobs.path(digest))[0] != digest:
                found.append(f"half a blob: {digest}")
        for run in store.search(RunQuery(limit=None, deleted=True)):
            if run.outcome is None or run.status is Status.RUNNING:
                found.append(f"run {run.run_id} still runs")
            elif run.outcome.lost:
                found.append(f"run {run.run_id} names what never came: {run.outcome.lost}")
    finally:
        store.close()
    return found
