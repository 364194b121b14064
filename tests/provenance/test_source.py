"""The state of a source and its snapshot, on real repositories, none of which is changed by a byte."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlproj.model.digest import Digest, read_manifest
from mlproj.model.record import encode
from mlproj.model.source import Submodule
from mlproj.ports import SnapshotRules
from tests.conftest import ProjectMaker, commit_all, git
from tests.provenance.conftest import Look, omitted, paths


def git_bytes(root: Path) -> dict[str, bytes]:
    """Every file in every `.git` below `root`, links and empty folders included."""
    seen = {}
    for folder, names, files in os.walk(root):
        if ".git" in Path(folder).relative_to(root).parts or ".git" in files:
            for name in files:
                path = Path(folder, name)
                seen[str(path)] = path.read_bytes() + str(path.stat().st_mtime_ns).encode()
            seen.update((str(Path(folder, name)), b"folder") for name in names)
    return seen


@pytest.fixture(autouse=True)
def untouched(tmp_path: Path, look: Look) -> Iterator[None]:
    """No look changes a repository: compared before and after each of a test's looks."""
    before: list[dict[str, bytes]] = []
    look.before = lambda: before.append(git_bytes(tmp_path))

    def compare() -> None:
        assert git_bytes(tmp_path) == before[-1]

    look.after = compare
    yield
    assert before


def test_a_clean_tree(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"MLproject": "name: x\n", "sub/a.py": "a"})
    state, snapshot = look(root / "sub")
    assert (state.commit, state.branch, state.dirty) == (git(root, "rev-parse", "HEAD"), "main", False)
    assert (state.subfolder, state.changes, state.remote, state.files) == ("sub", (), None, 2)
    assert paths(snapshot) == ["MLproject", "sub/a.py"]
    assert snapshot.files[1].digest == Digest.of(b"a") and snapshot.files[1].mode == 0o100644
    assert state.snapshot == snapshot.digest == Digest.of(snapshot.manifest)


def test_a_dirty_tree_holds_the_bytes_that_are_there(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1", "b": "2", "c": "3", "d": "4", ".gitignore": "*.log\n"})
    (root / "a").write_text("changed")
    (root / "b").unlink()
    git(root, "rm", "--quiet", "--cached", "c")
    (root / "new").write_text("untracked")
    (root / "x.log").write_text("ignored")
    git(root, "mv", "d", "e")
    state, snapshot = look(root)
    assert state.dirty
    assert set(state.changes) == {"a", "b", "c", "d", "e", "new"}
    assert paths(snapshot) == [".gitignore", "a", "c", "e", "new"]
    assert snapshot.files[1].digest == Digest.of(b"changed")


def test_a_merge_in_conflict_is_seen_as_it_lies(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1\n"})
    git(root, "checkout", "--quiet", "-b", "other")
    (root / "a").write_text("2\n")
    commit_all(root)
    git(root, "checkout", "--quiet", "main")
    (root / "a").write_text("3\n")
    commit_all(root)
    assert subprocess.run(("git", "merge", "other"), cwd=root, capture_output=True).returncode == 1
    state, snapshot = look(root)
    assert (state.changes, paths(snapshot)) == (("a",), ["a"])
    assert snapshot.files[0].digest == Digest.of((root / "a").read_bytes())


def test_no_commits_yet(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1"}, git=False)
    git(root, "init", "--quiet")
    state, snapshot = look(root)
    assert (state.commit, state.branch, state.dirty, paths(snapshot)) == (None, "main", True, ["a"])


def test_a_detached_head_has_no_branch(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1"})
    git(root, "checkout", "--quiet", "--detach")
    state, _ = look(root)
    assert (state.commit, state.branch, state.dirty) == (git(root, "rev-parse", "HEAD"), None, False)


def test_the_remote_is_named_without_credentials(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1"})
    git(root, "remote", "add", "backup", "https://example.org/backup.git")
    assert look(root)[0].remote == "https://example.org/backup.git"
    git(root, "remote", "add", "origin", "https://ada:secret@example.org/a.git")
    assert look(root)[0].remote == "https://example.org/a.git"
    git(root, "config", "branch.main.remote", "backup")
    assert look(root)[0].remote == "https://example.org/backup.git"


def test_no_git_at_all(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1", "sub/b": "2", "sub/c.log": "3", ".gitignore": "*.log\n"}, git=False)
    state, snapshot = look(root / "sub", root=root)
    assert (state.commit, state.branch, state.dirty, state.remote) == (None, None, None, None)
    assert state.subfolder == "sub"
    assert paths(snapshot) == [".gitignore", "a", "sub/b", "sub/c.log"]
    assert look.notes == []


def test_an_ignored_folder_is_no_part_of_the_repository(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1", ".gitignore": "scratch/\n", "other/b": "2"})
    (root / "scratch").mkdir()
    (root / "scratch" / "c").write_text("3")
    state, snapshot = look(root / "scratch")
    assert (state.commit, paths(snapshot)) == (None, ["c"])
    (root / "empty").mkdir()
    assert look(root / "empty")[0].commit == git(root, "rev-parse", "HEAD")


def test_equal_trees_have_equal_snapshots_wherever_they_lie(
    make_project: ProjectMaker, tmp_path: Path, look: Look
) -> None:
    root = make_project({"a": "1", "s/b": "2"})
    git(tmp_path, "clone", "--quiet", str(root), "clone")
    plain = make_project({"a": "1", "s/b": "2"}, git=False, name="plain")
    digests = {look(folder)[0].snapshot for folder in (root, root / "s", tmp_path / "clone", plain)}
    assert len(digests) == 1


def test_submodules_and_nested_repositories_are_looked_into(make_project: ProjectMaker, look: Look) -> None:
    library = make_project({"lib.py": "1", ".gitignore": "*.log\n"}, name="library")
    root = make_project({"a": "1"})
    git(root, "submodule", "--quiet", "add", str(library), "lib")
    commit_all(root)
    state, snapshot = look(root)
    head = git(library, "rev-parse", "HEAD")
    assert state.submodules == (Submodule(path="lib", commit=head, dirty=False),)
    assert not state.dirty
    assert paths(snapshot) == [".gitmodules", "a", "lib/.gitignore", "lib/lib.py"]

    (root / "lib" / "lib.py").write_text("changed")
    (root / "lib" / "new.py").write_text("new")
    (root / "lib" / "x.log").write_text("ignored")
    (root / "nested").mkdir()
    (root / "nested" / "n.py").write_text("n")
    git(root / "nested", "init", "--quiet")
    state, snapshot = look(root)
    assert state.submodules == (
        Submodule(path="lib", commit=head, dirty=True),
        Submodule(path="nested", commit=None, dirty=True),
    )
    assert set(state.changes) == {"lib/lib.py", "lib/new.py", "nested", "nested/n.py"}
    assert paths(snapshot)[2:] == ["lib/.gitignore", "lib/lib.py", "lib/new.py", "nested/n.py"]

    commit_all(root / "lib", "moved")
    state, _ = look(root)
    assert state.submodules[0].commit == git(root / "lib", "rev-parse", "HEAD") != head
    assert not state.submodules[0].dirty and "lib" in state.changes


def test_a_submodule_that_is_not_filled_in_is_named(
    make_project: ProjectMaker, tmp_path: Path, look: Look
) -> None:
    library = make_project({"lib.py": "1"}, name="library")
    root = make_project({"a": "1"})
    git(root, "submodule", "--quiet", "add", str(library), "lib")
    commit_all(root)
    git(tmp_path, "clone", "--quiet", str(root), "clone")
    state, snapshot = look(tmp_path / "clone")
    assert state.submodules == (Submodule(path="lib", commit=git(library, "rev-parse", "HEAD"), dirty=False),)
    assert not state.dirty and paths(snapshot) == [".gitmodules", "a"]


def test_a_nested_repository_in_a_folder_without_git_keeps_its_own_rules(
    make_project: ProjectMaker, look: Look
) -> None:
    root = make_project({"a": "1"}, git=False)
    inner = make_project({"b": "2", ".gitignore": "*.log\n", "x.log": ""}, name="project/inner")
    state, snapshot = look(root)
    assert paths(snapshot) == ["a", "inner/.gitignore", "inner/b"]
    assert state.submodules == (Submodule(path="inner", commit=git(inner, "rev-parse", "HEAD"), dirty=False),)


def test_what_tools_leave_behind_is_left_out_and_named(make_project: ProjectMaker, look: Look) -> None:
    files = {
        "a.py": "1",
        "__pycache__/a.pyc": "",
        "deep/.ipynb_checkpoints/x": "",
        "mlruns/0/meta.yaml": "",
        "mlflow.db": "",
        ".mlproj/store.db": "",
        "venv/pyvenv.cfg": "",
        "venv/lib/x.py": "",
        "conda/conda-meta/history": "",
        "conda/bin/python": "",
        "node_modules/x/index.js": "",
    }
    expected = {
        "__pycache__/": "a cache",
        "deep/.ipynb_checkpoints/": "a cache",
        "mlruns/": "tracking data",
        "mlflow.db": "tracking data",
        ".mlproj/": "tracking data",
        "venv/": "a virtual environment",
        "conda/": "a conda environment",
        "node_modules/": "installed packages",
    }
    plain = make_project(files, git=False, name="plain")
    state, snapshot = look(plain)
    assert (paths(snapshot), omitted(snapshot)) == (["a.py"], expected)
    repository = make_project({"a.py": "1"})
    for path, text in files.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(text)
    state, snapshot = look(repository)
    assert (paths(snapshot), omitted(snapshot)) == (["a.py"], expected)
    assert state.dirty is False
    assert {file.path: file.reason for file in state.omitted} == expected


def test_a_tracked_file_stays_in_whatever_its_folder_is_called(
    make_project: ProjectMaker, look: Look
) -> None:
    files = {"mlruns/0/meta.yaml": "1", "node_modules/x.js": "2", "venv/pyvenv.cfg": "3", ".env": "S=1"}
    _, snapshot = look(make_project(files))
    assert paths(snapshot) == sorted(files)
    assert omitted(snapshot) == {}


def test_declared_outputs_stay_out_even_when_tracked(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"p/MLproject": "", "p/model.bin": "1", "p/out/a": "2", "other/out": "3"})
    (root / "p" / "model.bin").write_text("changed")
    (root / "p" / "out" / "b").write_text("new")
    rules = SnapshotRules(outputs=("model.bin", "out/", "../../outside", ".", "none"))
    state, snapshot = look(root / "p", rules)
    assert paths(snapshot) == ["other/out", "p/MLproject"]
    assert omitted(snapshot) == {"p/model.bin": "a declared output", "p/out/": "a declared output"}
    assert state.dirty is False
    plain = make_project({"MLproject": "", "model.bin": "1", "out/a": "2"}, git=False, name="plain")
    _, snapshot = look(plain, SnapshotRules(outputs=("./model.bin", "out")))
    assert paths(snapshot) == ["MLproject"] and set(omitted(snapshot)) == {"model.bin", "out/"}


def test_untracked_secrets_stay_out_unless_kept(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1"})
    secrets = (".env", ".env.local", "id_rsa", "k.pem", "x/server.KEY", ".netrc", "credentials-x.json")
    for name in (*secrets, ".env.example", "tokenizer.json", "keys.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("S=1")
    _, snapshot = look(root, SnapshotRules(keep=("k.pem",)))
    assert paths(snapshot) == [".env.example", "a", "k.pem", "keys.py", "tokenizer.json"]
    assert omitted(snapshot) == dict.fromkeys(set(secrets) - {"k.pem"}, "looks like a secret")
    assert all(file.digest is None for file in snapshot.omitted)


def test_large_files_are_digested_and_count_without_being_held(
    make_project: ProjectMaker, look: Look
) -> None:
    root = make_project({"a": "1", "big": "x" * 100, "kept": "y" * 100})
    rules = SnapshotRules(size_limit=10, keep=("kept",))
    state, snapshot = look(root, rules)
    assert paths(snapshot) == ["a", "kept"]
    [big] = snapshot.omitted
    assert (big.path, big.size, big.digest) == ("big", 100, Digest.of(b"x" * 100))
    assert [entry[0] for entry in read_manifest(snapshot.manifest)] == [b"a", b"big", b"kept"]
    (root / "big").write_text("z" * 100)
    assert look(root, rules)[0].snapshot != state.snapshot


def test_names_of_every_kind(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1"})
    names = (b"new\nline", b"back\\slash", b"no utf-8 \xff", "ümläut".encode(), b'quo"te', b" blank ")
    for name in names:
        with open(os.path.join(bytes(root), name), "wb") as file:
            file.write(name)
    for tracked in (False, True):
        if tracked:
            commit_all(root)
        state, snapshot = look(root)
        entries = {path: digest for path, _, digest in read_manifest(snapshot.manifest)}
        assert {name: Digest.of(name) for name in names}.items() <= entries.items()
        assert encode(state)
    assert state.dirty is False


def test_links_and_modes(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"run.sh": "x", "a": "1"})
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("a")
    (root / "broken").symlink_to("/no/where")
    (root / "folder").symlink_to(".")
    for git_too in (False, True):
        if git_too:
            commit_all(root)
        _, snapshot = look(root)
        modes = {file.path: file.mode for file in snapshot.files}
        assert modes == {
            "a": 0o100644,
            "broken": 0o120000,
            "folder": 0o120000,
            "link": 0o120000,
            "run.sh": 0o100755,
        }
        assert next(f.digest for f in snapshot.files if f.path == "broken") == Digest.of(b"/no/where")


def test_a_tracked_folder_that_became_a_link_is_not_followed(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"data/x": "1"})
    outside = make_project({"x": "2"}, git=False, name="outside")
    (root / "data" / "x").unlink()
    (root / "data").rmdir()
    (root / "data").symlink_to(outside)
    state, snapshot = look(root)
    assert (paths(snapshot), snapshot.files[0].mode, state.dirty) == (["data"], 0o120000, True)


def test_special_files_are_never_opened(
    make_project: ProjectMaker, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a": "1", "b": "2"})
    plain = make_project({"a": "1", "b": "2"}, git=False, name="plain")
    for folder in (root, plain):
        (folder / "b").unlink()
        os.mkfifo(folder / "b")
        monkeypatch.chdir(folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
        _, snapshot = look(folder)
        assert paths(snapshot) == ["a"]
        assert omitted(snapshot)["b"] == "not a regular file"
    assert "socket" in omitted(snapshot)


def test_filters_do_not_matter(make_project: ProjectMaker, look: Look) -> None:
    """Like Git LFS: the repository holds a pointer, the tree the content, and the content is what ran."""
    root = make_project({"big.bin": "content", ".gitattributes": "*.bin filter=pointer\n"}, git=False)
    git(root, "init", "--quiet")
    git(root, "config", "filter.pointer.clean", "sha256sum")
    git(root, "config", "filter.pointer.smudge", "printf content")
    commit_all(root)
    state, snapshot = look(root)
    assert git(root, "cat-file", "-p", "HEAD:big.bin") != "content"
    assert snapshot.files[1].digest == Digest.of(b"content") and state.dirty is False


def test_line_ends_do_not_matter(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a.txt": "x\n"})
    git(root, "config", "core.autocrlf", "true")
    (root / "a.txt").unlink()
    git(root, "checkout", "--quiet", "--", "a.txt")
    state, snapshot = look(root)
    assert (snapshot.files[0].digest, state.dirty) == (Digest.of(b"x\r\n"), False)


def test_a_repository_of_another_user_is_read_and_runs_nothing(
    make_project: ProjectMaker, tmp_path: Path, look: Look
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    root = make_project({"a.txt": "1", ".gitattributes": "*.txt filter=evil\n"})
    git(root, "config", "filter.evil.clean", f"touch {tmp_path}/ran; cat")
    git(root, "config", "core.fsmonitor", f"touch {tmp_path}/ran")
    (root / "a.txt").write_text("2")
    for folder, _, names in os.walk(root):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, 12345, 12345)
    state, snapshot = look(root)
    assert state.commit is not None and state.dirty
    assert snapshot.files[1].digest == Digest.of(b"2")
    assert not (tmp_path / "ran").exists()


def test_a_callers_git_variables_do_not_matter(
    make_project: ProjectMaker, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a": "1"})
    head = git(root, "rev-parse", "HEAD")
    other = make_project({"z": "1"}, name="other")
    with monkeypatch.context() as patch:
        patch.setenv("GIT_DIR", str(other / ".git"))
        patch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        patch.setenv("GIT_WORK_TREE", str(other))
        state, snapshot = look(root)
    assert (state.commit, paths(snapshot)) == (head, ["a"])


def test_a_repository_whose_work_tree_is_elsewhere_is_told_and_walked(
    make_project: ProjectMaker, look: Look, tmp_path: Path
) -> None:
    root = make_project({"a": "1"})
    (tmp_path / "elsewhere").mkdir()
    git(root, "config", "core.worktree", str(tmp_path / "elsewhere"))
    state, snapshot = look(root)
    assert (state.commit, paths(snapshot)) == (None, ["a"])
    assert len(look.notes) == 1 and "work tree elsewhere" in look.notes[0]


def test_a_broken_repository_or_no_git_is_told_and_walked(
    make_project: ProjectMaker, look: Look, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = make_project({"a": "1"})
    (root / ".git" / "HEAD").write_text("nonsense")
    state, snapshot = look(root)
    assert (state.commit, paths(snapshot)) == (None, ["a"])
    assert len(look.notes) == 1 and "is not looked at" in look.notes[0]
    second = make_project({"b": "1"}, name="second")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        state, snapshot = look(second)
    assert (state.commit, paths(snapshot)) == (None, ["b"])
    assert "not installed" in look.notes[1]


def test_a_tree_of_our_own_is_no_part_of_a_repository_around_it(
    make_project: ProjectMaker, look: Look
) -> None:
    root = make_project({"a": "1"})
    (root / "cache" / "tree").mkdir(parents=True)
    (root / "cache" / "tree" / "b").write_text("2")
    state, snapshot = look(root / "cache" / "tree", own=True)
    assert (state.commit, paths(snapshot)) == (None, ["b"])


def test_two_thousand_files(make_project: ProjectMaker, look: Look) -> None:
    files = {f"d{number % 40}/f{number}": str(number) for number in range(2000)}
    state, snapshot = look(make_project(files))
    assert state.files == 2000
    lines = sorted(
        f"100644 {hashlib.sha256(text.encode()).hexdigest()}  {path}\n" for path, text in files.items()
    )
    by_path = "".join(sorted(lines, key=lambda line: line.rpartition("  ")[2].encode().rstrip(b"\n")))
    assert snapshot.manifest.decode() == by_path


def test_a_change_after_the_snapshot_is_named(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1", "b": "2", "c": "3", "d": "4", "big": "x" * 100})
    (root / "link").symlink_to("a")
    _, snapshot = look(root, SnapshotRules(size_limit=50))
    assert look.observer.changed(snapshot) == ()
    (root / "a").write_text("9")
    (root / "b").unlink()
    (root / "c").chmod(0o755)
    (root / "big").write_text("y" * 100)
    (root / "link").unlink()
    (root / "link").symlink_to("b")
    (root / "new").write_text("is none of the snapshot's")
    assert set(look.observer.changed(snapshot)) == {"a", "b", "c", "big", "link"}


def test_a_store_of_another_name_is_left_out_without_git(make_project: ProjectMaker, look: Look) -> None:
    root = make_project({"a": "1", "history/store.db": "", "history/blobs/x": ""}, git=False)
    _, snapshot = look(root)
    assert (paths(snapshot), omitted(snapshot)) == (["a"], {"history/": "tracking data"})
