"""What a run really read: seen, told, recorded, and refused where nothing undeclared was to be read."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import LOCAL, Answer, Mlproj, single
from tests.conda_channels import forge
from tests.conftest import ProjectMaker, can_strace, need

PANDAS = "dependencies: [numpy, pandas]\n"
DATA = {"data/declared.csv": "a,b\n1,2\n", "data/more.csv": "a,b\n3,4\n", "data/third.csv": "a,b\n5,6\n"}
IGNORED = "data/\nout*\n"


def digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def undeclared(answer: Answer) -> list[str]:
    return [item["path"] for item in answer.document["inputs"] if not item["declared"]]


def make(maker: ProjectMaker, script: str, command: str = "python main.py", **keys: str) -> Path:
    """A project whose data git ignores, so that it is no source."""
    files = {"MLproject": single(f'"{command}"', **keys), "main.py": script, ".gitignore": IGNORED, **DATA}
    return maker(files)


def test_a_read_is_told_recorded_and_marked(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make(
        make_project,
        "open('data/declared.csv').close(); open('data/more.csv').close(); open('main.py').close()",
        inputs="[data/declared.csv]",
    )
    answer = mlproj("run", ".", *LOCAL, cwd=project)
    assert answer.code == 0
    (told,) = [line for line in answer.stderr.splitlines() if "not declared" in line]
    assert told.startswith("read and not declared: `data/more.csv`; declare data under `inputs:`")
    shown = mlproj("show", "last", "--json")
    assert [item for item in shown.document["inputs"] if not item["declared"]] == [
        {
            "name": "data/more.csv",
            "path": "data/more.csv",
            "kind": "file",
            "digest": digest(project / "data" / "more.csv"),
            "size": 8,
            "files": 1,
            "declared": False,
            "remote": [],
        }
    ]
    assert shown.document["tracing"] == {
        "means": "audit hook",
        "pythons": 1,
        "escaped": [],
        "written": [],
    }
    page = mlproj("show", "last").stdout
    (line,) = [line for line in page.splitlines() if line.lstrip().startswith("data/more.csv")]
    assert line.endswith("not declared")
    assert mlproj("verify").code == 0


def test_what_is_found_is_no_part_of_the_plan(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make(make_project, "import glob; open(glob.glob('data/m*')[0]).close()")
    first = mlproj("run", ".", "--json", *LOCAL, cwd=project).document
    without = mlproj("run", ".", "--json", "--trace=off", *LOCAL, cwd=project).document
    assert first["plan"] == without["plan"]
    assert without["inputs"] == [] and without["tracing"] is None


def test_the_runs_own_files_and_declared_ones_are_not_told(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    script = """\
import os, sys, tempfile
open('out.txt', 'w').close(); open('out.txt').close()
place = os.path.join(os.environ['MLPROJ_OUTPUT_DIR'], 'kept')
open(place, 'w').close(); open(place).close()
with tempfile.NamedTemporaryFile() as file: open(file.name).close()
open(sys.argv[1] + '/more.csv').close()
open('made').close()
open('/etc/hostname').close(); open('.git/HEAD').close(); open('.env').close()
"""
    project = make(make_project, script, "touch made && python main.py data")
    (project / ".env").write_text("TOKEN=abc\n")
    answer = mlproj("run", ".", "--json", "--input", "data", *LOCAL, cwd=project)
    assert undeclared(answer) == [], answer.stderr
    assert answer.document["tracing"]["written"] == ["out.txt"]


def test_a_file_that_was_changed_after_it_was_read_has_no_digest(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make(make_project, "open('data/more.csv').close(); open('data/more.csv', 'w').close()")
    run = mlproj("run", ".", "--json", *LOCAL, cwd=project).document
    assert [(item["path"], item["digest"]) for item in run["inputs"]] == [("data/more.csv", None)]
    assert run["tracing"]["escaped"] == ["`data/more.csv` was changed by the run after it was read"]


def test_many_files_of_a_folder_are_told_as_the_folder(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make(make_project, "import glob\nfor name in glob.glob('data/i/*/*'): open(name).close()")
    for number in range(30):
        place = project / "data" / "i" / f"class{number % 3}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(bytes([number]))
    run = mlproj("run", ".", "--json", *LOCAL, cwd=project).document
    (item,) = run["inputs"]
    assert (item["path"], item["kind"], item["files"], item["size"]) == ("data/i", "folder", 30, 30)
    declared = mlproj("run", ".", "--json", "--input", "data/i", *LOCAL, cwd=project).document
    assert [(state["digest"], state["declared"]) for state in declared["inputs"]] == [(item["digest"], True)]


def test_strict_inputs_fail_a_run_that_is_recorded_whole(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make(make_project, "print('said'); open('data/more.csv').close()", outputs="[out]")
    answer = mlproj("run", ".", "--strict-inputs", *LOCAL, cwd=project)
    assert answer.code == 3
    assert "error: the run read what nobody declared: `data/more.csv`" in answer.stderr
    assert "hint: declare it under `inputs:`" in answer.stderr
    run = mlproj("show", "last", "--json")
    assert (run.document["status"], run.document["exit_code"]) == ("FAILED", 0)
    assert run.document["reason"] == "the run read what nobody declared: `data/more.csv`"
    assert undeclared(run) == ["data/more.csv"]
    assert mlproj("logs", "last").stdout == "said\n"
    strict = ("--strict-inputs", "--input", "data/more.csv")
    assert mlproj("run", ".", *strict, *LOCAL, cwd=project).code == 0


def test_strict_inputs_leave_the_entry_points_own_failure_alone(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make(make_project, "open('data/more.csv').close(); raise SystemExit(4)")
    answer = mlproj("run", ".", "--strict-inputs", "--json", *LOCAL, cwd=project)
    assert (answer.code, answer.document["exit_code"]) == (1, 4)
    assert undeclared(answer) == ["data/more.csv"]


@pytest.mark.parametrize("option", ["--no-hook", "--trace=off"])
def test_strict_inputs_need_somebody_to_look(make_project: ProjectMaker, mlproj: Mlproj, option: str) -> None:
    answer = mlproj("run", ".", "--strict-inputs", option, *LOCAL, cwd=make(make_project, ""))
    assert answer.code == 2
    assert "exclude each other" in answer.stderr


def test_what_escaped_is_said(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    script = "import subprocess as s, sys; s.run([sys.executable, '-E', '-c', '']); s.run(['id'])"
    project = make(make_project, script, "python main.py; python -I -c 0")
    run = mlproj("run", ".", "--json", *LOCAL, cwd=project).document
    python = Path(sys.executable).name
    assert run["tracing"]["escaped"] == [
        "`python -I` leaves the start-up hook out",
        f"`{python} -E` leaves the start-up hook out",
        "what was started and is no Python: `id`",
    ]
    bare = mlproj("run", ".", "--json", "--no-hook", *LOCAL, cwd=project).document
    assert bare["tracing"]["means"] is None


def test_without_any_python_that_is_said(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    run = mlproj("run", ".", "--json", *LOCAL, cwd=make(make_project, "", "cat data/more.csv")).document
    assert run["inputs"] == []
    assert "no Python program told" in run["tracing"]["escaped"][0]


def test_reads_are_seen_where_nothing_is_tracked(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    project = make(make_project, "open('data/more.csv').close()")
    assert undeclared(mlproj("run", ".", "--json", "--no-tracking", *LOCAL, cwd=project)) == ["data/more.csv"]


def test_a_run_that_was_killed_has_what_it_read_until_then(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make(make_project, "import os; open('data/more.csv'); os.kill(os.getpid(), 9)")
    answer = mlproj("run", ".", "--json", *LOCAL, cwd=project)
    assert answer.code == 1
    assert undeclared(answer) == ["data/more.csv"]


def test_a_step_tells_of_its_own_reads_alone(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    step = f"{sys.executable} -m mlproj run . -e step.py --input data/third.csv {' '.join(LOCAL)}"
    project = make(make_project, "open('data/declared.csv').close()", f"python main.py && {step}")
    (project / "step.py").write_text("open('data/third.csv').close(); open('data/more.csv').close()\n")
    outer = mlproj("run", ".", "--json", *LOCAL, cwd=project)
    assert undeclared(outer) == ["data/declared.csv"]
    inner = mlproj("show", outer.document["children"][0], "--json")
    assert undeclared(inner) == ["data/more.csv"]


def test_strace_sees_what_no_python_opens(make_project: ProjectMaker, mlproj: Mlproj) -> None:
    need("strace", can_strace())
    command = "sort data/more.csv > out.txt; cat out.txt data/third.csv; python -I main.py; exit 3"
    project = make(make_project, "open('data/declared.csv').close()", command)
    answer = mlproj("run", ".", "--json", "--trace=full", *LOCAL, cwd=project)
    assert answer.document["exit_code"] == 3, answer.stderr
    assert sorted(undeclared(answer)) == ["data/declared.csv", "data/more.csv", "data/third.csv"]
    assert answer.document["tracing"]["means"] == "strace"
    assert answer.document["tracing"]["written"] == ["out.txt"]
    assert answer.stderr.count("a,b") == 2, "what the command prints is as ever"


def test_without_strace_a_run_does_not_begin(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "git", "python"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    project = make(make_project, "")
    answer = mlproj("run", ".", "--trace=full", *LOCAL, cwd=project, variables={"PATH": str(programs)})
    assert answer.code == 4
    assert "`--trace=full` needs `strace`" in answer.stderr and "hint: install it" in answer.stderr
    (programs / "strace").write_text(
        "#!/bin/sh\necho 'strace: ptrace(PTRACE_TRACEME): not permitted' >&2; exit 1\n"
    )
    (programs / "strace").chmod(0o755)
    (programs / "sh").symlink_to("/bin/sh")
    answer = mlproj("run", ".", "--trace=full", *LOCAL, cwd=project, variables={"PATH": str(programs)})
    assert answer.code == 4
    assert "not permitted" in answer.stderr and "SYS_PTRACE" in answer.stderr
    assert mlproj("runs", "--json").document["runs"] == []


READING = """\
import os, sqlite3, subprocess, sys
import numpy, pandas
pandas.read_csv("data/pandas.csv")
numpy.load("data/array.npy"); numpy.loadtxt("data/text.txt"); numpy.memmap("data/raw", mode="r")
numpy.fromfile("data/binary")
sqlite3.connect("data/base.db").execute("select * from t").fetchall()
subprocess.run([sys.executable, "-c", "open('data/other').close()"], check=True)
subprocess.run([PYTHON, "-c", "open('data/another').close()"], check=True)
pandas.DataFrame({"a": [1]}).to_csv("out.csv"); pandas.read_csv("out.csv")
"""


def another_python() -> str:
    """A Python that is not the one of the environment: the tests' own lies in another virtualenv."""
    return sys.executable


@pytest.fixture
def scientific(make_project: ProjectMaker) -> Path:
    project = make_project(
        {
            "MLproject": "python_env: python_env.yaml\n" + single("python main.py"),
            "python_env.yaml": PANDAS,
            "main.py": READING.replace("PYTHON", repr(another_python())),
            ".gitignore": IGNORED,
            "data/pandas.csv": "a\n1\n",
            "data/text.txt": "1 2\n",
            "data/raw": "raw",
            "data/binary": "01234567",
            "data/other": "",
            "data/another": "",
        }
    )
    import_free = "import numpy, sqlite3; numpy.save('data/array.npy', numpy.zeros(3))\n"
    import_free += "base = sqlite3.connect('data/base.db'); base.execute('create table t (a)'); base.commit()"
    subprocess.run((sys.executable, "-c", import_free), cwd=project, check=True)
    return project


def test_pandas_numpy_sqlite_and_other_pythons_are_seen_and_the_environment_is_not(
    scientific: Path, mlproj: Mlproj
) -> None:
    answer = mlproj("run", ".", "--json", cwd=scientific)
    assert answer.code == 0, answer.stderr
    names = ("another", "array.npy", "base.db", "binary", "other", "pandas.csv", "raw", "text.txt")
    assert undeclared(answer) == [f"data/{name}" for name in names]
    states: list[dict[str, Any]] = answer.document["inputs"]
    assert all(item["digest"] == digest(scientific / item["path"]) for item in states)
    assert answer.document["tracing"]["pythons"] >= 3


def test_the_files_of_a_conda_environment_are_not_told(
    make_project: ProjectMaker, mlproj: Mlproj, tmp_path_factory: pytest.TempPathFactory
) -> None:
    channel = forge(tmp_path_factory)
    project = make_project(
        {
            "MLproject": "conda_env: conda.yaml\n" + single("python main.py"),
            "conda.yaml": f"channels: ['{channel.as_uri()}', nodefaults]\ndependencies: [python, greeting]\n",
            "main.py": "import greeting, json, sqlite3\nopen('data/declared.csv').close()\n",
            ".gitignore": IGNORED,
            **DATA,
        }
    )
    answer = mlproj("run", ".", "--json", cwd=project)
    assert answer.code == 0, answer.stderr
    assert answer.document["environment"]["kind"] == "conda"
    assert undeclared(answer) == ["data/declared.csv"]


def test_what_is_beyond_the_limit_is_named_without_a_digest(
    make_project: ProjectMaker, mlproj: Mlproj
) -> None:
    project = make(make_project, "open('data/more.csv').close(); open('data/large').close()")
    (project / "data" / "large").write_bytes(bytes(1000))
    limit = {"MLPROJ_READS_LIMIT": "100"}
    run = mlproj("run", ".", "--json", *LOCAL, cwd=project, variables=limit).document
    found = [(item["path"], item["size"], item["digest"] is None) for item in run["inputs"]]
    assert found == [("data/large", 1000, True), ("data/more.csv", 8, False)]
    assert run["tracing"]["escaped"] == ["`data/large` is beyond the limit of what is digested"]


def test_a_module_from_elsewhere_is_data(make_project: ProjectMaker, mlproj: Mlproj, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lent.py").write_text("word = 1\n")
    project = make(make_project, "import lent")
    path = {"PYTHONPATH": str(elsewhere)}
    first = mlproj("run", ".", "--json", *LOCAL, cwd=project, variables=path)
    subprocess.run((sys.executable, "-m", "compileall", "-q", elsewhere), check=True)
    again = mlproj("run", ".", "--json", *LOCAL, cwd=project, variables=path)
    assert undeclared(first) == undeclared(again) == [f"{elsewhere}/lent.py"]


@pytest.mark.parametrize(
    "act",
    [
        "os.mkfifo(folder + '/pipe')",
        "os.symlink('/dev/zero', folder + '/zeros')",
        "os.symlink('/proc/self/mem', folder + '/memory')",
        "os.mkdir(folder + '/deeper')",
        "shutil.rmtree(folder)",
        "shutil.rmtree(folder); os.symlink('/', folder)",
        "open(folder + '/note', 'wb').write(b'r /proc/kmsg\\0r \\xff\\0s\\0\\0w\\0s 1 \\x1f\\0r a\\0')",
    ],
)
def test_notes_that_a_script_made_up_do_no_harm(make_project: ProjectMaker, mlproj: Mlproj, act: str) -> None:
    script = f"import os, shutil\nfolder = os.environ['MLPROJ_READS'].partition(':')[2]\n{act}\n"
    project = make(make_project, script)
    answer = mlproj("run", ".", *LOCAL, cwd=project)
    assert answer.code == 0, answer.stderr
    assert mlproj("verify").code == 0
