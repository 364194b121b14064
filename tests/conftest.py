"""Fixtures for every test, and guards: no test writes to a home folder or changes the environment."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlproj import wiring
from mlproj.process import stop
from mlproj.store.folder import FolderStore
from mlproj.tracking_ports import Tracking
from tests.s3_server import S3Server, s3_server

REQUIRED = frozenset(filter(None, os.environ.get("MLPROJ_TEST_REQUIRE", "").split(",")))
"""What must be there on this machine: with it, a test that would be skipped for lack of it fails."""

AT_THE_END = contextlib.ExitStack()
"""What is started once for many tests, and has to be ended after the last."""

ProjectMaker = Callable[..., Path]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has its background jobs ignore Ctrl-C, and so would every program that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # So has `nohup` with the end of the terminal.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


# What every program here compiles is kept for the next one: it is most of what a short one does otherwise.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def need(thing: str, present: bool) -> None:
    """Skips the test where `thing` is not present, or fails it where MLPROJ_TEST_REQUIRE lists it."""
    if present:
        return
    if thing in REQUIRED:
        pytest.fail(f"{thing} is required here and is not there")
    pytest.skip(f"{thing} is not on this machine")


def can_strace() -> bool:
    """Whether strace is here, and may look at other programs."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(("strace", "-o", os.devnull, "true"), capture_output=True).returncode == 0


@contextlib.contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which is over at the end of the `with` however that comes: a test that failed while it
    went on would wait for it, for ever where it waits for the test."""
    with process:
        try:
            yield process
        finally:
            stop(process, patience=10)


@pytest.fixture(scope="session", autouse=True)
def isolation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home folder, a cache and a git identity of the tests' own; uv's download cache stays the user's."""
    home = tmp_path_factory.mktemp("home")
    git_config = tmp_path_factory.mktemp("git") / "config"
    git_config.write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n'
    )
    changes = {
        "HOME": str(home),
        # Debian's own Python is called python3 only
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"),
        "MLPROJ_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        "GIT_CONFIG_GLOBAL": str(git_config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYENV_ROOT": os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv"),
    }
    dropped = [name for name in os.environ if name.startswith(("MLPROJ_", "MLFLOW_"))]
    with pytest.MonkeyPatch.context() as patch:
        for name in dropped:
            patch.delenv(name)
        for name, value in changes.items():
            patch.setenv(name, value)
        yield home


@pytest.fixture(scope="session", autouse=True)
def the_end(isolation: Path) -> Iterator[None]:
    """Ends what was started for many tests."""
    with AT_THE_END:
        yield


@pytest.fixture(autouse=True)
def guard(isolation: Path) -> Iterator[None]:
    """Fails a test that leaves a file in the home folder or a changed environment variable behind."""
    before = {**os.environ}
    yield
    after = {**os.environ}
    for volatile in ("PYTEST_CURRENT_TEST",):
        before.pop(volatile, None)
        after.pop(volatile, None)
    assert after == before, "the test changed os.environ"
    left = sorted(isolation.iterdir())
    for path in left:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert not left, f"the test wrote to the home folder: {left}"


@pytest.fixture(scope="session")
def s3_of_all() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(guard: None, s3_of_all: S3Server) -> Iterator[S3Server]:
    """A server that speaks S3, which its clients find by their variables as long as the test goes on."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_of_all.variables.items():
            patch.setenv(name, value)
        yield s3_of_all


@pytest.fixture
def make_project(tmp_path: Path) -> ProjectMaker:
    """Writes files (path to text) into a new folder, as a git repository with one commit unless told not to.

    `make_project({"MLproject": "..."}, git=False, name="project")` returns the folder.
    """

    def make(files: dict[str, str], *, git: bool = True, name: str = "project") -> Path:
        root = tmp_path / name
        for path, text in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        root.mkdir(exist_ok=True)
        if git:
            commit_all(root)
        return root

    return make


def commit_all(root: Path, message: str = "first") -> str:
    """Commits everything in `root` (made a repository if it is none); returns the commit's id."""
    if not (root / ".git").exists():
        git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD")


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def tracking(store: FolderStore) -> Iterator[Tracking]:
    """What is logged to the test's own `store`."""
    tracking = wiring.tracking_of(store)
    yield tracking
    tracking.close()
