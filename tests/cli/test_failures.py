"""What goes wrong in the world comes out as one sentence with its exit code, and loses nothing recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import LOCAL, single
from tests.cli.failing import called, full_disk, path_of, told, unprivileged
from tests.conftest import ProjectMaker, git
from tests.environments.test_virtualenv import LOCAL_PACKAGE

HELLO = single("echo hello")
ENVIRONMENT = "python_env: python_env.yaml\n" + HELLO
NOWHERE = "http://127.0.0.1:9/simple"
OURS = {"python_env.yaml": "dependencies: []\n", "MLproject": ENVIRONMENT}


def sound(folder: Path, runs: int) -> None:
    """All runs that were recorded are there, and are what was recorded."""
    listed = called("runs", "--json", cwd=folder).document["runs"]
    assert len(listed) == runs
    assert called("verify", cwd=folder).code == 0


def test_without_git_a_repository_runs_and_a_note_says_that_no_commit_is_recorded(
    make_project: ProjectMaker, tmp_path: Path
) -> None:
    folder = make_project({"MLproject": HELLO})
    path = path_of(tmp_path / "programs", "bash", "uv")
    answer = called("run", ".", *LOCAL, cwd=folder, variables={"PATH": path})
    assert (answer.code, answer.stdout) == (0, "hello\n")
    (note,) = (line for line in answer.stderr.split("\n") if line.startswith("note: "))
    assert note.startswith("note: no commit is recorded: ") and note.endswith("`git` is not installed")
    assert called("show", "last", "--json", cwd=folder).document["source"]["commit"] is None
    sound(folder, 1)


def test_without_git_a_git_url_is_refused(make_project: ProjectMaker, tmp_path: Path) -> None:
    folder = make_project({"MLproject": HELLO})
    git(tmp_path, "clone", "--quiet", "--bare", str(folder), "bare.git")
    path = path_of(tmp_path / "programs", "bash", "uv")
    assert called("run", ".", *LOCAL, cwd=folder).code == 0
    for url in (f"file://{tmp_path}/bare.git", "https://127.0.0.1:9/a.git"):
        told(
            *("run", url, *LOCAL),
            cwd=folder,
            code=3,
            says="`git` is not installed",
            hint="install git",
            variables={"PATH": path},
        )
    sound(folder, 1)


def test_without_bash_nothing_runs(make_project: ProjectMaker, tmp_path: Path) -> None:
    folder = make_project({"MLproject": HELLO})
    path = path_of(tmp_path / "programs", "git")
    missing = "the program `bash` was not found"
    told("run", ".", *LOCAL, cwd=folder, code=3, says=missing, hint="`PATH`", variables={"PATH": path})
    assert called("verify", cwd=folder).code == 0
    assert called("show", "last", "--json", cwd=folder).document["status"] == "FAILED"


def test_an_interpreter_that_is_missing_is_named_with_how_to_get_it(
    make_project: ProjectMaker, tmp_path: Path
) -> None:
    folder = make_project({**OURS, "python_env.yaml": 'python: "3.11.99"\n'})
    told(
        *("run", "."),
        cwd=folder,
        code=4,
        says="Python 3.11.99 is not on this machine",
        hint="`uv python install 3.11.99` installs it",
        variables={"UV_PYTHON_INSTALL_DIR": str(tmp_path / "pythons"), "UV_OFFLINE": "1"},
    )


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("six", {"UV_INDEX_URL": NOWHERE}),
        ("six", {"PIP_INDEX_URL": NOWHERE}),
        (f"--index-url {NOWHERE}\n  - six", {}),
    ],
    ids=["for uv", "for pip", "in a line"],
)
def test_an_index_that_cannot_be_reached_is_told_after_the_tool_s_own_words(
    make_project: ProjectMaker, tmp_path: Path, line: str, variables: dict[str, str | None]
) -> None:
    folder = make_project({**OURS, "python_env.yaml": f"dependencies:\n  - {line}\n"})
    assert called("run", ".", *LOCAL, cwd=folder).code == 0
    said = told(
        *("run", "."),
        cwd=folder,
        code=4,
        says="the environment of `python_env.yaml` cannot be resolved",
        hint="look at the network",
        variables={"UV_CACHE_DIR": str(tmp_path / "uv"), "UV_HTTP_RETRIES": "0", **variables},
    )
    assert said.index(f"Failed to fetch: {NOWHERE}") < said.index("\nerror: ")
    sound(folder, 1)


def test_a_package_that_does_not_exist_is_named(make_project: ProjectMaker, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index.mkdir()
    folder = make_project({**OURS, "python_env.yaml": "dependencies: [mlproj-no-such-package==1]\n"})
    told(
        *("run", "."),
        cwd=folder,
        code=4,
        says="mlproj-no-such-package was not found",
        hint="look at the names and versions in `python_env.yaml`",
        variables={"UV_FIND_LINKS": str(index), "UV_NO_INDEX": "1"},
    )


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"python_env.yaml": "dependencies:\n  - six\n  - -r missing.txt\n"}, "python_env.yaml:3"),
        ({"python_env.yaml": "dependencies: [-r a.txt]\n", "a.txt": "\n\n-r missing.txt\n"}, "a.txt:3"),
    ],
)
def test_a_requirements_file_that_is_missing_is_named_with_the_line_that_wants_it(
    make_project: ProjectMaker, files: dict[str, str], place: str
) -> None:
    folder = make_project({**OURS, **files})
    says = f"there is no requirements file `missing.txt` ({place})"
    told("run", ".", cwd=folder, code=3, says=says, hint="`--env-manager local`")


def put(place: Path, kind: str) -> None:
    place.unlink(missing_ok=True)
    match kind:
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "device":
            place.symlink_to("/dev/zero")
        case "unreadable":
            place.write_text("name: x\n")
            place.chmod(0)
        case "large":
            with place.open("wb") as file:
                file.truncate(100 * 1024 * 1024)
        case "binary":
            place.write_bytes(bytes(range(256)) * 10)
        case "link to itself":
            place.symlink_to(place.name)


SAID = {
    "folder": ("`{0}` is not a regular file", "put a text in its place"),
    "pipe": ("`{0}` is not a regular file", "put a text in its place"),
    "device": ("`{0}` is not a regular file", "put a text in its place"),
    "unreadable": ("`{0}` cannot be read: Permission denied", "`chmod u+r`"),
    "large": ("`{0}` is larger than 1024 KiB", "is it another one?"),
    "binary": ("`{0}` is not UTF-8 text ({0}:2)", "save it as UTF-8"),
}


@pytest.mark.parametrize("name", ["MLproject", "python_env.yaml"])
@pytest.mark.parametrize("kind", SAID)
def test_a_file_that_is_no_text_is_told(make_project: ProjectMaker, name: str, kind: str) -> None:
    folder = make_project(OURS, git=False)
    put(folder / name, kind)
    says, hint = SAID[kind]
    told("run", ".", cwd=folder, code=3, says=says.format(name), hint=hint, before=unprivileged)
    assert name in called("check", ".", cwd=folder, before=unprivileged).stdout
    if name == "python_env.yaml" and kind != "unreadable":
        assert called("run", ".", *LOCAL, cwd=folder).code == 0, "it is of no account there"


def test_a_link_to_itself_is_no_file(make_project: ProjectMaker) -> None:
    folder = make_project(OURS, git=False)
    put(folder / "python_env.yaml", "link to itself")
    told("run", ".", cwd=folder, code=3, says="there is no such file (MLproject:1)", hint=None)
    put(folder / "MLproject", "link to itself")
    told("run", ".", cwd=folder, code=3, says="Too many levels of symbolic links", hint=None)


def test_empty_files_are_projects_and_environments_of_nothing(make_project: ProjectMaker) -> None:
    folder = make_project({"MLproject": "", "a.py": "print('ran')\n"}, git=False)
    told("run", ".", cwd=folder, code=2, says="no entry point `main`", hint="`mlproj check`")
    assert called("run", ".", "-e", "a.py", *LOCAL, cwd=folder).stdout == "ran\n"
    (folder / "MLproject").write_text(ENVIRONMENT)
    (folder / "python_env.yaml").write_text("")
    assert called("run", ".", "--dry-run", cwd=folder).code == 0


def test_a_folder_that_is_missing_or_cannot_be_read_is_told(make_project: ProjectMaker) -> None:
    folder = make_project({"here/MLproject": HELLO}, git=False)
    assert called("run", "here", *LOCAL, cwd=folder).code == 0
    told("run", "nowhere", *LOCAL, cwd=folder, code=3, says="no project at `nowhere`", hint="give a folder")
    for mode in (0o000, 0o400):
        (folder / "here").chmod(mode)
        told(
            *("run", "here", *LOCAL),
            cwd=folder,
            code=3,
            says="cannot be read: Permission denied",
            hint="`chmod u+r",
            before=unprivileged,
        )
    (folder / "here").chmod(0o700)
    sound(folder, 1)


@pytest.mark.parametrize(
    "arguments", [("run", "."), ("check", "."), ("runs",), ("show", "last"), ("verify",)]
)
def test_a_current_folder_that_was_removed_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    gone = tmp_path / "gone"

    def remove() -> None:
        os.rmdir(gone)

    for further in ((), ("--json",)):
        gone.mkdir()
        answer = called(*arguments, *further, cwd=gone, before=remove, variables={"MLPROJ_STORE": None})
        assert answer.code == 3, answer
        assert "the current folder cannot be used" in answer.stderr + answer.stdout
        assert answer.stderr.count("error: ") == (not further) and "Traceback" not in answer.stderr
        gone.mkdir(exist_ok=True)
        gone.rmdir()


@pytest.mark.parametrize("kind", ["file", "below a file", "read-only"])
def test_a_cache_that_cannot_be_written_stops_only_what_needs_it(
    make_project: ProjectMaker, tmp_path: Path, kind: str
) -> None:
    folder = make_project(OURS)
    (tmp_path / "file").write_text("")
    (tmp_path / "locked").mkdir(mode=0o500)
    cache = {"file": "file", "below a file": "file/x", "read-only": "locked/x"}[kind]
    variables: dict[str, str | None] = {"MLPROJ_CACHE_DIR": str(tmp_path / cache)}
    told(
        *("run", "."),
        cwd=folder,
        code=4,
        says="the environment cannot be put into the cache",
        hint="`MLPROJ_CACHE_DIR` chooses another folder",
        variables=variables,
        before=unprivileged,
    )
    answer = called("run", ".", *LOCAL, cwd=folder, variables=variables, before=unprivileged)
    assert (answer.code, answer.stdout) == (0, "hello\n"), answer
    sound(folder, 1)


def test_a_full_disk_is_told_and_loses_nothing(make_project: ProjectMaker, tmp_path: Path) -> None:
    folder = make_project(OURS)
    assert called("run", ".", *LOCAL, cwd=folder).code == 0
    with full_disk(tmp_path / "full") as full:
        told(
            *("run", "."),
            cwd=folder,
            code=4,
            says="No space left on device",
            hint="free some space",
            variables={"MLPROJ_CACHE_DIR": str(full / "cache")},
        )
        told(
            *("run", ".", *LOCAL),
            cwd=folder,
            code=5,
            says="no space is left for the store",
            hint="free some space",
            variables={"MLPROJ_STORE": str(full / "store")},
        )
        for variables in ({"TMPDIR": str(full)}, {"MLPROJ_CACHE_DIR": str(full)}):
            answer = called("run", ".", *LOCAL, cwd=folder, variables=dict(variables))
            assert (answer.code, answer.stdout) == (0, "hello\n"), answer
    sound(folder, 3)


@pytest.mark.parametrize("home", ["unset", "missing", "read-only"])
def test_a_home_or_a_temporary_folder_that_is_of_no_use_stops_nothing(
    make_project: ProjectMaker, tmp_path: Path, home: str
) -> None:
    folder = make_project({"MLproject": HELLO})
    (tmp_path / "locked").mkdir(mode=0o500)
    place = {"unset": None, "missing": str(tmp_path / "no"), "read-only": str(tmp_path / "locked")}[home]
    variables = {"HOME": place, "TMPDIR": str(tmp_path / "no"), "XDG_CACHE_HOME": None}
    if home != "unset":  # where it would be the real one's, by the table of users
        variables["MLPROJ_CACHE_DIR"] = None
    answer = called("run", ".", *LOCAL, cwd=folder, variables=variables, before=unprivileged)
    assert (answer.code, answer.stdout) == (0, "hello\n"), answer
    sound(folder, 1)


def test_a_build_that_fails_is_in_the_record_with_the_tool_s_words(make_project: ProjectMaker) -> None:
    package = LOCAL_PACKAGE + "[tool.setuptools.dynamic]\n"
    setup = "import sys\nif 'bdist_wheel' in sys.argv: raise SystemExit('the compiler is on holiday')\n"
    folder = make_project(
        {
            **OURS,
            "python_env.yaml": "dependencies: [./ours]\n",
            "ours/pyproject.toml": package,
            "ours/setup.py": setup,
            "ours/ours.py": "",
        }
    )
    says = "uv could not install the environment: Failed to build `ours"
    said = told("run", ".", cwd=folder, code=4, says=says, hint=None)
    assert said.index("the compiler is on holiday") < said.index("\nerror: ")
    run = called("show", "last", "--json", cwd=folder).document
    assert run["status"] == "FAILED" and "the compiler is on holiday" in str(run["notes"])
    sound(folder, 2)


@pytest.mark.parametrize(
    "option",
    [
        *(("-P", "a=\udcff"), ("-P", "\udcff=1"), ("--tag", "a=\udcff"), ("--run-name", "\udcff")),
        *(("--experiment-name", "\udcff"), ("--output", "\udcff")),
    ],
)
def test_bytes_that_no_record_holds_are_refused_before_anything_runs(
    make_project: ProjectMaker, option: tuple[str, str]
) -> None:
    folder = make_project({"MLproject": single("touch ran")})
    hint = "pass the name of a file" if option[0] == "-P" else None
    told("run", ".", *option, *LOCAL, cwd=folder, code=2, says="no text in UTF-8", hint=hint)
    assert not (folder / "ran").exists()


def test_texts_that_no_store_holds_find_nothing(make_project: ProjectMaker) -> None:
    folder = make_project({"MLproject": HELLO})
    assert called("run", ".", *LOCAL, cwd=folder).code == 0
    for command in (("show", "\udcff"), ("logs", "\udcff"), ("diff", "\udcff", "last")):
        answer = called(*command, cwd=folder)
        assert answer.code == 5 and answer.stderr.startswith("error: there is no run ")
    told("runs", "--where", "name = \udcff", cwd=folder, code=2, says="no text in UTF-8", hint=None)


def test_variables_and_options_that_make_no_sense_are_no_bugs(make_project: ProjectMaker) -> None:
    folder = make_project({"MLproject": HELLO})
    for claims in ("x", "1", "[1]"):
        answer = called("run", ".", *LOCAL, cwd=folder, variables={"MLPROJ_CLAIMS": claims})
        assert (answer.code, answer.stdout) == (0, "hello\n")
    limit: dict[str, str | None] = {"MLPROJ_LOG_LIMIT": "9" * 5000}
    told("run", ".", *LOCAL, cwd=folder, code=2, says="is no size", hint="such as", variables=limit)
    says, hint = "nothing can be put into `/dev/null/x`", "another `--storage-dir`"
    told("run", ".", "--storage-dir", "/dev/null/x", *LOCAL, cwd=folder, code=3, says=says, hint=hint)


def test_findings_are_a_line_each(make_project: ProjectMaker) -> None:
    text = 'entry_points:\n  main: {"comm\\nand\\e[2J": x, command: "echo {a}"}\n'
    answer = called("check", ".", cwd=make_project({"MLproject": text}))
    findings = [line for line in answer.stdout.split("\n") if line.startswith("MLproject:")]
    assert answer.code == 3 and len(findings) == 2
    assert r"`comm\nand\x1b[2J` is not a key" in findings[0]
