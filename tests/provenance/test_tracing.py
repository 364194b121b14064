"""What is made of files that were opened: which are data, what is summed up, and what `strace` wrote down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlproj.model.digest import Digest
from mlproj.model.source import Snapshot, SnapshotFile
from mlproj.ports import Recorded
from mlproj.provenance.tracing.escapes import escaped
from mlproj.provenance.tracing.grouping import MOST_SINGLE, Found, grouped
from mlproj.provenance.tracing.notes import read_notes
from mlproj.provenance.tracing.openings import Openings
from mlproj.provenance.tracing.rules import Rules
from mlproj.provenance.tracing.strace import read_trace


def rules(root: Path, *paths: Path, files: tuple[str, ...] = ()) -> Rules:
    held = tuple(SnapshotFile(path=name, mode=0o100644, digest=Digest.of(b""), size=0) for name in files)
    snapshot = Snapshot(root=root, files=held)
    return Rules(Recorded(project=root, snapshot=snapshot, paths=paths))


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/usr/share/fonts/a.ttf",
            "/etc/ssl/certs/a.crt",
            "/proc/1/status",
            "/lib/x86_64-linux-gnu/libc.so.6",
        ),
        *("/home/ada/.cache/matplotlib/fontlist.json", "/home/ada/repo/.git/HEAD", "/home/ada/.netrc"),
        *("/opt/env/lib/python3.11/site-packages/six.py", "/opt/env/lib/python3.11/json/__init__.py"),
        *("/home/ada/native/libfast.so", "/home/ada/native/libfast.so.1.2", "/home/ada/.env"),
        *("/home/ada/.gitconfig", "/home/ada/.config/mlflow/telemetry.json"),
    ],
)
def test_what_every_program_opens_is_no_data(tmp_path: Path, path: str) -> None:
    assert not rules(tmp_path).is_data(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/home/ada/data.csv", "/data/x.parquet", "/dev/shm/batch", "/mnt/lib/python.txt", "/srv/a.sofa"),
        *("/home/ada/.cache/huggingface/hub/model.safetensors", "/home/ada/scikit_learn_data/x.pkz"),
        *("/home/ada/environment.csv", "/opt/data/usr/etc/x", "/tmp/x"),
    ],
)
def test_what_a_person_put_somewhere_is_data(tmp_path: Path, path: str) -> None:
    assert rules(tmp_path).is_data(path)


def test_an_environment_is_known_by_what_lies_in_it(tmp_path: Path) -> None:
    for kind in ("conda-meta", "pyvenv.cfg"):
        (tmp_path / kind[:5] / kind).mkdir(parents=True)
        assert not rules(tmp_path / "project").is_data(f"{tmp_path}/{kind[:5]}/share/x/table.csv")
    (tmp_path / "conda" / "work").mkdir()
    assert rules(tmp_path / "conda" / "work").is_data(f"{tmp_path}/conda/work/data/x.csv")


def test_a_project_among_the_systems_files_has_data() -> None:
    assert rules(Path("/usr/src/app")).is_data("/usr/src/app/data.csv")
    assert not rules(Path("/usr/src/app")).is_data("/usr/src/other/data.csv")


def test_what_is_recorded_is_known_by_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    made = rules(tmp_path, tmp_path / "link", files=("train.py", "far.csv"))
    assert made.is_recorded(f"{tmp_path}/train.py") and made.is_recorded(f"{tmp_path}/data/x")
    assert not made.is_recorded(f"{tmp_path}/other.py") and not made.is_recorded(f"{tmp_path}/database")


def test_bytecode_stands_for_its_module(tmp_path: Path) -> None:
    made = rules(tmp_path)
    for name in ("a.cpython-311.pyc", "a.cpython-38.opt-2.pyc", "a.pypy39.pyc"):
        assert made.source_of(f"/x/__pycache__/{name}") == "/x/a.py"
    assert made.source_of("/x/a.pyc") == "/x/a.pyc"


def test_few_files_are_named_and_many_summed_up() -> None:
    few = [f"/data/set/{number}" for number in range(MOST_SINGLE)]
    assert grouped(few, ()) == tuple(Found(path=path) for path in sorted(few))
    (whole,) = grouped([*few, "/data/set/more"], ())
    assert whole.path == "/data/set" and len(whole.names) == MOST_SINGLE + 1
    deep = [f"/data/set/{number % 12}/{number}" for number in range(100)]
    (whole,) = grouped(deep, ())
    assert whole.path == "/data/set" and sorted(f"/data/set/{name}" for name in whole.names) == sorted(deep)


def test_neither_project_nor_root_is_summed_up() -> None:
    many = [f"/home/ada/project/{number}/x" for number in range(30)]
    assert len(grouped(many, ("/home/ada/project",))) == 30
    assert len(grouped([f"/{number}" for number in range(30)], ())) == 30
    below = [f"/home/ada/project/data/{number}" for number in range(30)]
    assert [found.path for found in grouped(below, ("/home/ada/project",))] == ["/home/ada/project/data"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("python -I train.py", "python -I"),
        ("cd x && python3.11 -W error -sE train.py", None),
        ("cd x; python3 -sE train.py", "python3 -sE"),
        ("/opt/env/bin/python -u -S train.py", "python -u -S"),
        ("python train.py -I", None),
        ("python -c 'import x' -E", None),
        ("ipython -E", None),
    ],
)
def test_a_shells_pythons_that_leave_the_hook_out(command: str, told: str | None) -> None:
    expected = () if told is None else (f"`{told}` leaves the start-up hook out",)
    assert escaped(Openings(), command) == expected


@pytest.mark.parametrize(
    ("words", "bare", "told"),
    [
        (("/x/bin/python3", "-I", "-c", "0"), False, "`python3 -I` leaves the start-up hook out"),
        (("python", "-bsE", "x.py"), False, "`python -bsE` leaves the start-up hook out"),
        (("python", "-W", "ignore", "-X", "dev", "-mE"), False, None),
        (("python", "x.py", "-E"), True, "`python` was started without the variables of the run"),
        (("python", "-cIES"), False, None),
        (("bash", "-c", "python -S x"), False, "`python -S` leaves the start-up hook out"),
        (("git", "status"), True, None),
        (("sort", "x"), False, "what was started and is no Python: `sort`"),
        ((), False, None),
    ],
)
def test_what_programs_that_were_started_escape(words: tuple[str, ...], bare: bool, told: str | None) -> None:
    openings = Openings(programs={(words, bare): None})
    assert escaped(openings, "") == (() if told is None else (told,))


@pytest.mark.parametrize(
    "command", ["env -i python x.py", "cd x; /usr/bin/env --ignore-environment A=1 python x"]
)
def test_a_shell_that_takes_the_variables_away(command: str) -> None:
    told = ("`env -i` takes away the variables of the run",)
    assert escaped(Openings(), command) == told
    assert escaped(Openings(programs={(("bash", "-c", command), False): None}), "") == told
    assert escaped(Openings(), "env A=1 python x.py -i") == ()


def test_a_note_that_was_cut_short_is_none(tmp_path: Path) -> None:
    (tmp_path / "1-a").write_bytes(b"P 3.11.7\0r /x/whole\0w /x/made\0nonsense\0\0r /x/cut")
    openings = read_notes(tmp_path)
    assert (list(openings.read), list(openings.written), openings.pythons) == (["/x/whole"], ["/x/made"], 1)


TRACE = rb"""
7 openat(AT_FDCWD</w>, "in", O_RDONLY) = 3</w/in>
7 openat(AT_FDCWD</w>, "made", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</w/made>
7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f2) = 8
8 openat(AT_FDCWD</w>, "made", O_RDONLY) = 3</w/made>
8 openat(AT_FDCWD</w>, "o\303\274\"d\n>", O_RDONLY|O_CLOEXEC) = 3</w/o\303\274"d\n\76>
8 openat(AT_FDCWD</w>, "slow", O_RDONLY <unfinished ...>
7 openat(AT_FDCWD</w>, ".", O_RDONLY|O_DIRECTORY) = 3</w>
8 <... openat resumed>) = 4</w/slow>
8 openat(AT_FDCWD</w>, "both", O_RDWR) = 3</w/both>
8 renameat2(AT_FDCWD</w>, "part", AT_FDCWD</w/x>, "whole", RENAME_NOREPLACE) = 0
8 openat(AT_FDCWD</w>, "x/whole", O_RDONLY) = 3</w/x/whole>
8 openat(AT_FDCWD</w>, "/dev/ptmx", O_RDONLY) = 3</dev/pts/ptmx<char 5:2>>
8 rename("x/new", "x/newer") = 0
9 openat(AT_FDCWD</w>, "hashed", O_RDONLY) = 3</w/hashed>
8 vfork( <unfinished ...>
10 execve("/e/bin/python", ["/e/bin/python", "-c", "from mlproj.__main__ import main"], 0x1) = 0
8 <... vfork resumed>) = 10
10 clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88) = 9
8 openat(AT_FDCWD</w>, "cut", O_RDONLY) = 3</w/c
"""


def test_a_trace_is_read_with_its_odd_names_and_without_our_own_runs(tmp_path: Path) -> None:
    (tmp_path / "trace").write_bytes(TRACE)
    openings = read_trace(tmp_path / "trace")
    odd = os.fsdecode(b'/w/o\xc3\xbc"d\n>')
    assert list(openings.read) == ["/w/in", odd, "/w/slow", "/w/both"]
    assert list(openings.written) == ["/w/made", "/w/both", "/w/x/whole", "/w/x/newer"]
    assert not read_trace(tmp_path / "none").read
