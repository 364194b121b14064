"""Commands that have to fail well, in worlds that lack something: programs, permissions, space, folders."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import COMMAND, Answer
from tests.conftest import need

PATIENCE = 120.0


def called(
    *arguments: str | Path,
    cwd: Path,
    variables: dict[str, str | None] | None = None,
    before: Callable[[], None] | None = None,
) -> Answer:
    """What a command answers with these variables (None takes one away), `before` called in its process."""
    own: dict[str, str | None] = {"MLPROJ_STORE": str(cwd.parent / "store")}
    # uv makes folders for its Pythons where it looks for one.
    own["XDG_DATA_HOME"] = str(cwd.parent / "data")
    changed = {**own, **(variables or {})}
    environ = {**os.environ, **{name: value for name, value in changed.items() if value is not None}}
    for name in (name for name, value in changed.items() if value is None):
        environ.pop(name, None)
    done = subprocess.run(
        (*COMMAND, *map(str, arguments)),
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        preexec_fn=before,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def told(
    *arguments: str | Path,
    cwd: Path,
    code: int,
    says: str,
    hint: str | None,
    variables: dict[str, str | None] | None = None,
    before: Callable[[], None] | None = None,
) -> str:
    """Checks a failure in both of its forms, and returns what was said in the plain one.

    It is one line `error: ...` with `says` in it, and one `hint: ...`; with `--json`, one document.
    """
    answer = called(*arguments, cwd=cwd, variables=variables, before=before)
    assert answer.code == code, answer
    assert "Traceback" not in answer.stderr and answer.stdout == "", answer
    lines = answer.stderr.split("\n")
    (error,) = (line for line in lines if line.startswith("error: "))
    assert says in error, error
    assert [line for line in lines if line.startswith("hint: ")] == lines[-2:-1] * (hint is not None), lines
    assert hint is None or hint in lines[-2], lines

    answer = called(*arguments, "--json", cwd=cwd, variables=variables, before=before)
    assert answer.code == code and not answer.stderr.count("\nerror: "), answer
    document = answer.document
    assert (document["schema"], document["exit_code"]) == ("mlproj/error/1", code)
    assert says in document["message"] and "\n" not in document["message"]
    assert hint is None or hint in document["hint"]
    return "\n".join(lines)


def path_of(folder: Path, *programs: str) -> str:
    """A PATH with these programs only."""
    folder.mkdir()
    for program in programs:
        found = shutil.which(program)
        assert found is not None, program
        (folder / program).write_text(f'#!/bin/sh\nexec "{found}" "$@"\n')
        (folder / program).chmod(0o755)
    return str(folder)


def unprivileged() -> None:
    """Root may read and write anything: takes that away from the process that is about to start."""
    if os.geteuid() == 0 and sys.platform == "linux":
        library = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            library.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own in the new folder `folder`, without room for a file of any size."""
    folder.mkdir()
    mounted = os.geteuid() == 0 and sys.platform == "linux" and _mount(folder)
    need("tmpfs", mounted)
    try:
        with (folder / "fill").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def _mount(folder: Path) -> bool:
    options = ("-t", "tmpfs", "-o", "size=64k", "tmpfs")
    return subprocess.run(("mount", *options, str(folder)), capture_output=True).returncode == 0
