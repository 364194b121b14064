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


def hooked(stub: Stub, wishes: Wishes, executable: tuple[str, ...] = ("mlproj",)) -> dict[str, str]:
    """The variables of a run's process."""
    ours = hook_variables(
        run_id=RUN_ID, tracking_uri=stub.uri, executable=executable, wishes=wishes, environ=os.environ
    )
    changes = {
        **QUIET,
        "MLFLOW_RUN_ID": RUN_ID,
        "MLFLOW_EXPERIMENT_ID": "1",
        "MLFLOW_TRACKING_URI": stub.uri,
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
        variables: dict[str, str] | None = None,
        code: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        python = client_python(line)
        environ = hooked(stub, wishes, executable) | (variables or {})
        environ["PATH"] = os.pathsep.join((str(python.parent), environ["PATH"]))
        (tmp_path / "script.py").write_text(textwrap.dedent(text))
        done = subprocess.run(
            (python, "script.py"), cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == code, done.stderr
        assert "sitecustomize" not in done.stderr
        return done

    return run
