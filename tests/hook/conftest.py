"""What tests of the hook run: a script in a hooked Python, of which a stub or a server keeps the record."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlproj.services.hook import Wishes, hook_variables
from tests.hook.stub import Stub, serving
from tests.mlflow_clients import QUIET, ClientPython, client_python

__all__ = ["client_python"]

RUN_ID = "a" * 32

DEFAULT = Wishes()

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server with two experiments besides the default one, and a run under the first of them."""
    with serving() as stub:
        stub.experiments.update({"1": "first", "2": "second"})
        stub.add_run(RUN_ID, "1")
        yield stub


def hooked(
    uri: str,
    wishes: Wishes = DEFAULT,
    executable: tuple[str, ...] = ("mlproj",),
    *,
    run_id: str = RUN_ID,
    experiment_id: str = "1",
) -> dict[str, str]:
    """The variables of a run's process."""
    ours = hook_variables(
        run_id=run_id, tracking_uri=uri, executable=executable, wishes=wishes, environ=os.environ
    )
    changes = {
        **QUIET,
        "MLFLOW_RUN_ID": run_id,
        "MLFLOW_EXPERIMENT_ID": experiment_id,
        "MLFLOW_TRACKING_URI": uri,
        **ours,
    }
    kept = {name: value for name, value in os.environ.items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}


@pytest.fixture
def script(stub: Stub, client_python: ClientPython, tmp_path: Path) -> Script:
    """Runs a script on a line of MLflow, under the hook. It must end well, unless told otherwise."""

    def run(
        line: str,
        text: str,
        *,
        wishes: Wishes = DEFAULT,
        executable: tuple[str, ...] = ("mlproj",),
        code: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        environ = hooked(stub.uri, wishes, executable)
        return run_script(client_python(line), textwrap.dedent(text), tmp_path, environ, code=code)

    return run


def run_script(
    python: Path, text: str, folder: Path, environ: dict[str, str], *, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Runs a script in a folder, with the programs of its Python's environment first on the PATH."""
    path = os.pathsep.join((str(python.parent), environ["PATH"]))
    (folder / "script.py").write_text(text)
    done = subprocess.run(
        (python, "script.py"),
        cwd=folder,
        env=environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == code, done.stderr
    assert "sitecustomize" not in done.stderr
    return done
