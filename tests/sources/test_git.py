"""Projects in git repositories elsewhere, over real http and from bare repositories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mlproj.errors import SourceError
from mlproj.model.events import Event, Progress, ToolOutput
from mlproj.sources.git import GitSource
from tests.conftest import commit_all, git
from tests.sources.conftest import History, Web


@pytest.fixture
def served(history: History, web: Web) -> str:
    """The smart http address of the repository."""
    git(history.root, "clone", "--quiet", "--bare", str(history.root), str(web.folder / "r.git"))
    return f"{web.url}/smart/r.git"


def test_without_a_revision_it_is_the_head(
    history: History, served: str, checkouts: Path, events: list[Event]
) -> None:
    with GitSource(checkouts).fetch(f"{served}#sub", None, events.append) as checkout:
        assert git(checkout.root, "rev-parse", "HEAD") == history.last
        assert git(checkout.root, "branch", "--show-current") == "main"
        assert git(checkout.root, "rev-list", "--count", "HEAD") == "1"
        assert checkout.directory == checkout.root / "sub"
        assert (checkout.own, checkout.uri) == (True, f"{served}#sub")
    assert any(isinstance(event, Progress) for event in events)


@pytest.mark.parametrize("revision", ["side", "v1", "first", "short", "unreachable"])
def test_branches_tags_and_old_commits_are_fetched(
    history: History, served: str, web: Web, checkouts: Path, events: list[Event], revision: str
) -> None:
    bare = web.folder / "r.git"
    expected = {"side": history.second, "unreachable": history.last}.get(revision, history.first)
    if revision == "unreachable":
        git(bare, "update-ref", "refs/heads/main", history.second)
        git(bare, "update-ref", "refs/pull/1/head", history.last)
    asked = {"first": history.first, "short": history.first[:8], "unreachable": history.last}.get(
        revision, revision
    )
    with GitSource(checkouts).fetch(served, asked, events.append) as checkout:
        assert git(checkout.root, "rev-parse", "HEAD") == expected
        assert git(checkout.root, "branch", "--show-current") == ("side" if revision == "side" else "")
        assert git(checkout.root, "status", "--porcelain") == ""


def test_an_old_commit_comes_from_a_server_that_gives_no_single_commits(
    history: History, web: Web, checkouts: Path, events: list[Event]
) -> None:
    """Dumb http serves files only: neither shallow fetches nor fetches of one commit work there."""
    bare = web.folder / "r.git"
    git(history.root, "clone", "--quiet", "--bare", str(history.root), str(bare))
    git(bare, "update-server-info")
    for revision, expected in (
        (None, history.last),
        (history.first, history.first),
        ("side", history.second),
    ):
        with GitSource(checkouts).fetch(f"{web.url}/r.git", revision, events.append) as checkout:
            assert git(checkout.root, "rev-parse", "HEAD") == expected


def test_an_unknown_revision_is_told_with_a_near_name(
    served: str, checkouts: Path, events: list[Event]
) -> None:
    with (
        pytest.raises(SourceError, match="`sidd` is no branch, tag or commit of") as caught,
        GitSource(checkouts).fetch(served, "sidd", events.append),
    ):
        pass
    assert caught.value.hint == "did you mean `side`?"


def test_submodules_are_filled_in(
    history: History, served: str, web: Web, tmp_path: Path, checkouts: Path, events: list[Event]
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", str(history.root), "lib")
    git(outer, "config", "-f", ".gitmodules", "submodule.lib.url", "../r.git")
    commit_all(outer)
    git(outer, "clone", "--quiet", "--bare", str(outer), str(web.folder / "outer.git"))
    for revision in (None, "main"):
        url = served.replace("r.git", "outer.git")
        with GitSource(checkouts).fetch(url, revision, events.append) as checkout:
            assert (checkout.root / "lib" / "MLproject").read_text() == "name: three\n"


def test_credentials_reach_the_server_and_nothing_else(
    served: str,
    web: Web,
    tmp_path: Path,
    checkouts: Path,
    events: list[Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, wrapper, log = shutil.which("git"), tmp_path / "bin" / "git", tmp_path / "arguments"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {log}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    web.password = "s3cret"
    for revision in (None, "v1"):
        url = served.replace("http://", "http://ada:s3cret@")
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
            with GitSource(checkouts).fetch(url, revision, events.append) as checkout:
                assert checkout.uri == served
                files = [path for path in (checkout.root / ".git").rglob("*") if path.is_file()]
                assert not any(b"s3cret" in path.read_bytes() for path in files)
                assert not any(b"YWRhOnMzY3JldA" in path.read_bytes() for path in files)
    assert "s3cret" not in repr(events) and "YWRhOnMzY3JldA" not in repr(events)
    assert "fetch" in log.read_text() and "s3cret" not in log.read_text()
    assert "YWRhOnMzY3JldA" not in log.read_text()


def test_a_refused_password_is_one_sentence_without_it(
    served: str, web: Web, checkouts: Path, events: list[Event]
) -> None:
    web.password = "right"
    for url in (served.replace("http://", "http://ada:wr0ng@"), served):
        with pytest.raises(SourceError) as caught, GitSource(checkouts).fetch(url, None, events.append):
            pass
        assert "cannot clone" in caught.value.message and "\n" not in caught.value.message
        assert "wr0ng" not in caught.value.message + str(caught.value.hint) + repr(events)
        assert "check that you may read it" in str(caught.value.hint)


def test_an_unreachable_server_is_one_sentence(checkouts: Path, events: list[Event]) -> None:
    with (
        pytest.raises(SourceError, match=r"cannot clone `http://127\.0\.0\.1:9/x`") as caught,
        GitSource(checkouts).fetch("http://127.0.0.1:9/x", None, events.append),
    ):
        pass
    assert caught.value.hint == "check the address and the network"


def test_a_missing_repository_is_one_sentence(web: Web, checkouts: Path, events: list[Event]) -> None:
    with (
        pytest.raises(SourceError, match=r"cannot clone .* not found"),
        GitSource(checkouts).fetch(f"{web.url}/smart/none.git", None, events.append),
    ):
        pass


@pytest.mark.parametrize("url", ["ext::sh -c touch% ran", "-x:y", "fd::17/x"])
def test_urls_that_could_run_something_are_refused(
    tmp_path: Path, checkouts: Path, events: list[Event], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert GitSource(checkouts).accepts(url)
    with (
        pytest.raises(SourceError, match="not a git URL"),
        GitSource(checkouts).fetch(url, None, events.append),
    ):
        pass
    assert not (tmp_path / "ran").exists()


def test_ssh_addresses_reach_ssh_without_prompts(
    history: History, tmp_path: Path, checkouts: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for ssh notes its arguments and runs the far side here; no ssh server is needed."""
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/ssh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    for url in (f"git@host.example:{history.root}", f"ssh://git@host.example{history.root}"):
        with GitSource(checkouts).fetch(url, "side", events.append) as checkout:
            assert (git(checkout.root, "rev-parse", "HEAD"), checkout.uri) == (history.second, url)
    noted = (tmp_path / "ssh").read_text()
    assert "git@host.example" in noted and "BatchMode=yes" in noted
    monkeypatch.undo()


def test_the_settings_of_the_repository_we_happen_to_be_in_run_nothing(
    history: History, tmp_path: Path, checkouts: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    git(here, "init", "--quiet")
    git(here, "config", "core.sshCommand", f"touch {tmp_path}/ran; false")
    monkeypatch.chdir(here)
    with (
        pytest.raises(SourceError),
        GitSource(checkouts).fetch("ssh://localhost:1/nowhere", None, events.append),
    ):
        pass
    assert not (tmp_path / "ran").exists()


def test_a_bare_repository_of_this_machine_is_borrowed_from(
    history: History, web: Web, checkouts: Path, events: list[Event]
) -> None:
    bare = web.folder / "bare.git"
    git(history.root, "clone", "--quiet", "--bare", str(history.root), str(bare))
    for uri, revision in ((str(bare), None), (f"file://{bare}", "main"), (f"{bare}#sub", history.last)):
        with GitSource(checkouts).fetch(uri, revision, events.append) as checkout:
            assert git(checkout.root, "rev-parse", "HEAD") == history.last
            branch = "" if revision == history.last else "main"
            assert git(checkout.root, "branch", "--show-current") == branch


def test_an_empty_repository_is_one_sentence(web: Web, checkouts: Path, events: list[Event]) -> None:
    git(web.folder, "init", "--quiet", "--bare", "empty.git")
    for uri in (str(web.folder / "empty.git"), f"{web.url}/smart/empty.git"):
        with (
            pytest.raises(SourceError, match="no commits"),
            GitSource(checkouts).fetch(uri, None, events.append),
        ):
            pass


def test_a_callers_git_variables_do_not_matter(
    history: History, served: str, checkouts: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("GIT_DIR", "/nowhere")
        patch.setenv("GIT_INDEX_FILE", "/nowhere/index")
        with GitSource(checkouts).fetch(served, None, events.append) as checkout:
            assert (checkout.root / "MLproject").is_file()


def test_what_git_prints_is_reported(served: str, checkouts: Path, events: list[Event]) -> None:
    with GitSource(checkouts).fetch(served, "v1", events.append):
        pass
    assert any(isinstance(event, ToolOutput) and "v1" in event.line for event in events)
