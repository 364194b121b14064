"""Projects in folders, where they are and at a revision, which never touches the person's repository."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlproj.errors import SourceError
from mlproj.model.events import Event
from mlproj.sources.folder import FolderSource
from tests.conftest import commit_all, git
from tests.sources.conftest import History


def fingerprint(root: Path) -> dict[str, tuple[str, int, int, int]]:
    """Everything about every file below `root`, link counts and times of change included."""
    seen = {}
    for folder, _, names in os.walk(root):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            key = str(path.relative_to(root))
            seen[key] = (
                hashlib.sha256(content).hexdigest(),
                status.st_nlink,
                status.st_mode,
                status.st_ctime_ns,
            )
    return seen


def test_a_folder_is_run_where_it_is(history: History, checkouts: Path, events: list[Event]) -> None:
    with FolderSource(checkouts).fetch(f"{history.root}#sub", None, events.append) as checkout:
        assert (checkout.root, checkout.directory) == (history.root, history.root / "sub")
        assert (checkout.own, checkout.uri) == (False, f"{history.root}#sub")
    assert not checkouts.exists()


@pytest.mark.parametrize(
    ("revision", "text", "branch"),
    [
        ("v1", "name: one\n", ""),
        ("side", "name: two\n", "side"),
        ("main", "name: three\n", "main"),
        ("HEAD~1", "name: two\n", ""),
    ],
)
def test_a_revision_gets_a_checkout_of_its_own(
    history: History, checkouts: Path, events: list[Event], revision: str, text: str, branch: str
) -> None:
    (history.root / "MLproject").write_text("dirty\n")
    before = fingerprint(history.root)
    with FolderSource(checkouts).fetch(str(history.root), revision, events.append) as checkout:
        assert (checkout.directory / "MLproject").read_text() == text
        assert git(checkout.root, "branch", "--show-current") == branch
        assert git(checkout.root, "status", "--porcelain") == ""
        assert checkout.own and checkout.revision == revision
    assert fingerprint(history.root) == before


def test_commits_are_found_long_and_short_and_outside_of_branches(
    history: History, checkouts: Path, events: list[Event]
) -> None:
    git(history.root, "reset", "--quiet", "--hard", "HEAD~1")
    for revision in (history.first, history.first[:9], history.last):
        with FolderSource(checkouts).fetch(str(history.root), revision, events.append) as checkout:
            assert git(checkout.root, "rev-parse", "HEAD").startswith(revision)


def test_the_project_keeps_its_place_below_the_top(
    history: History, checkouts: Path, events: list[Event]
) -> None:
    with FolderSource(checkouts).fetch(str(history.root / "sub"), "v1", events.append) as checkout:
        assert checkout.directory == checkout.root / "sub"
        assert (checkout.directory / "train.py").read_text() == "print('one')\n"


def test_remotes_come_along_without_their_credentials(
    history: History, checkouts: Path, events: list[Event]
) -> None:
    git(history.root, "remote", "add", "origin", "https://ada:secret@example.org/a.git")
    with FolderSource(checkouts).fetch(str(history.root), "v1", events.append) as checkout:
        assert git(checkout.root, "remote", "get-url", "origin") == "https://example.org/a.git"


def test_submodules_are_borrowed_too(
    history: History, tmp_path: Path, checkouts: Path, events: list[Event]
) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.mkdir()
    (inner / "deep.txt").write_text("deep")
    commit_all(inner)
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", str(history.root), "lib")
    git(outer / "lib", "submodule", "--quiet", "add", str(inner), "inner")
    commit_all(outer / "lib")
    commit_all(outer)
    # the addresses lead nowhere now: what is borrowed needs none
    history.root.rename(tmp_path / "gone")
    inner.rename(tmp_path / "gone too")
    before = fingerprint(outer)
    with FolderSource(checkouts).fetch(str(outer), "main", events.append) as checkout:
        assert (checkout.root / "lib" / "MLproject").read_text() == "name: three\n"
        assert (checkout.root / "lib" / "inner" / "deep.txt").read_text() == "deep"
        assert git(checkout.root, "status", "--porcelain") == ""
    assert fingerprint(outer) == before


def test_a_submodule_that_is_not_there_is_fetched(
    history: History, tmp_path: Path, checkouts: Path, events: list[Event]
) -> None:
    outer, clone = tmp_path / "outer", tmp_path / "clone"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", "../history", "lib")
    commit_all(outer)
    git(tmp_path, "clone", "--quiet", str(outer), str(clone))
    with FolderSource(checkouts).fetch(str(clone), "main", events.append) as checkout:
        assert (checkout.root / "lib" / "MLproject").read_text() == "name: three\n"
    assert not (clone / "lib" / "MLproject").exists()


def test_hooks_do_not_run(history: History, tmp_path: Path, checkouts: Path, events: list[Event]) -> None:
    hook = history.root / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    with FolderSource(checkouts).fetch(str(history.root), "v1", events.append):
        pass
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("revision", ["--upload-pack=touch x", "a..b", "a b", "x:y"])
def test_what_is_no_revision_is_refused(
    history: History, checkouts: Path, events: list[Event], revision: str
) -> None:
    with (
        pytest.raises(SourceError, match="cannot be a revision"),
        FolderSource(checkouts).fetch(str(history.root), revision, events.append),
    ):
        pass


def test_an_unknown_revision_is_one_sentence_with_a_near_name(
    history: History, checkouts: Path, events: list[Event]
) -> None:
    with (
        pytest.raises(SourceError, match="`sied` is no branch, tag or commit of") as caught,
        FolderSource(checkouts).fetch(str(history.root), "sied", events.append),
    ):
        pass
    assert caught.value.hint == "did you mean `side`?"


def test_a_revision_outside_of_git_is_refused(tmp_path: Path, checkouts: Path, events: list[Event]) -> None:
    (tmp_path / "plain").mkdir()
    with (
        pytest.raises(SourceError, match="not in a git repository"),
        FolderSource(checkouts).fetch(str(tmp_path / "plain"), "main", events.append),
    ):
        pass


def test_what_is_not_there_is_one_sentence(tmp_path: Path, checkouts: Path, events: list[Event]) -> None:
    (tmp_path / "file").write_text("")
    for name, words in (("nowhere", "there is no project at"), ("file", "is a file")):
        with (
            pytest.raises(SourceError, match=words),
            FolderSource(checkouts).fetch(str(tmp_path / name), None, events.append),
        ):
            pass


def test_the_tree_is_gone_after_an_error(history: History, checkouts: Path, events: list[Event]) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        FolderSource(checkouts).fetch(str(history.root), "v1", events.append) as checkout,
    ):
        (checkout.directory / "locked").mkdir()
        (checkout.directory / "locked" / "file").write_text("")
        (checkout.directory / "locked").chmod(0o500)
        raise KeyboardInterrupt


def test_a_tree_of_a_killed_process_goes_at_the_next_fetch(
    history: History, checkouts: Path, events: list[Event]
) -> None:
    program = (
        "import sys, time; from pathlib import Path; from mlproj.sources.folder import FolderSource\n"
        "with FolderSource(Path(sys.argv[1])).fetch(sys.argv[2], 'v1', lambda _: None):\n"
        "    print('there', flush=True); time.sleep(60)"
    )
    command = (sys.executable, "-c", program, str(checkouts), str(history.root))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"there\n"
        [lock] = checkouts.glob("*/lock")
        os.utime(lock, (0, 0))
        with FolderSource(checkouts).fetch(str(history.root), "v1", events.append):
            assert len(list(checkouts.iterdir())) == 2
        process.send_signal(signal.SIGKILL)
    assert len(list(checkouts.iterdir())) == 1
    with FolderSource(checkouts).fetch(str(history.root), "v1", events.append):
        assert len(list(checkouts.iterdir())) == 1


def test_a_repository_of_another_user_works(history: History, checkouts: Path, events: list[Event]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for folder, _, names in os.walk(history.root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, 12345, 12345)
    with FolderSource(checkouts).fetch(str(history.root), "v1", events.append) as checkout:
        assert (checkout.directory / "MLproject").read_text() == "name: one\n"
