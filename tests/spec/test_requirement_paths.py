"""Lines of a `pip:` list that lies in another folder lead where they led."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.spec.requirement_paths import from_folder, with_contents


@pytest.mark.parametrize(
    ("line", "moved"),
    [
        ("-r more.txt", "-r env/more.txt"),
        ("--constraint=../pins.txt", "--constraint env/../pins.txt"),
        ("-e .", "-e ./env"),
        ("-e.", "-e./env"),
        ("-e ..", "-e ."),
        ("-e ../../beside", "-e ../beside"),
        ("-e src/own", "-e ./env/src/own"),
        ("--editable=own", "--editable=./env/own"),
        ("-e '.[dev]'", "-e './env[dev]'"),
        ("-e file:../own", "-e file:./own"),
        (".[dev,test]", "./env[dev,test]"),
        ("./own ; python_version < '4'", "./env/own ; python_version < '4'"),
        ("wheels/own-1-py3-none-any.whl", "./env/wheels/own-1-py3-none-any.whl"),
        ("own-1.tar.gz", "./env/own-1.tar.gz"),
        ("own @ ../own", "own @ ./own"),
        ("own[x] @ file:./own#egg=own", "own[x] @ file:./env/own#egg=own"),
        ("-f wheels", "-f ./env/wheels"),
        ("--find-links=./wheels", "--find-links=./env/wheels"),
        ("--extra-index-url ../simple", "--extra-index-url ./simple"),
    ],
)
def test_paths_go_along(line: str, moved: str) -> None:
    assert from_folder(line, "env") == moved
    assert from_folder(line, "") == line


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "scikit-learn[x]>=1; platform_system == 'a/b'",
        "own @ git+https://git.example/own@main#subdirectory=a/b",
        "git+ssh://git@git.example/own.git",
        "-e git+https://git.example/own.git#egg=own",
        "https://files.example/own-1.tar.gz",
        "/srv/own",
        "~/own",
        "-e /srv/own",
        "file:///srv/own-1.zip",
        "own @ ${FOLDER}/own",
        "-r https://files.example/more.txt",
        "-r ${FOLDER}/more.txt",
        "--extra-index-url  https://index.example/simple",
        "-i https://index.example/simple",
        "--no-binary own",
        "--pre",
    ],
)
def test_what_is_no_path_of_the_folder_stays(line: str) -> None:
    assert from_folder(line, "env") == line


def test_files_that_are_taken_in_are_read_for_the_folder_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "env" / "lists").mkdir(parents=True)
    (tmp_path / "env" / "lists" / "a.txt").write_text("-r b.txt\n-c pins.txt\n-e .  # own\nsix\n")
    (tmp_path / "env" / "lists" / "b.txt").write_text("../far\n-r a.txt\n")
    asked = ("-r env/lists/a.txt", "-r https://files.example/c.txt", "numpy")
    found = with_contents(asked, "env", tmp_path)
    assert found == ("./far", "-c env/lists/pins.txt", "-e ./env", "six", *asked[1:])
    assert with_contents(asked, "", tmp_path) == asked
