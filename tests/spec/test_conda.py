"""What a `conda.yaml` may hold, and what is said of one that holds something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlproj.errors import SpecError
from mlproj.model.environment import CondaSpec
from mlproj.model.project import Finding
from mlproj.spec import conda
from mlproj.spec.conda_lock import Parts, parted
from mlproj.spec.locks import Unreadable, packages_in


def read(folder: Path, content: str | bytes, file: str = "conda.yaml") -> tuple[CondaSpec, list[Finding]]:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    findings: list[Finding] = []
    return conda.read(folder, file, "asked for", findings), findings


FILE = """\
name: anything
channels: [conda-forge, defaults]
platforms: [linux-64, osx-arm64]
prefix: /home/ada/miniconda3/envs/anything
variables:
  PLAIN: text
  NUMBER: 1.10
  TRUTH: true
dependencies:
  - python=3.8
  - pytorch::torchvision>=0.9,<1
  - numpy=1.19.2=py38h54aff64_0
  - pip
  - pip:
    - mlflow==2.9.2
    - scikit-learn  # the newest
    - -e .
    - git+https://example.org/a.git@v1#egg=a
"""


def test_everything_in_a_file_is_read(tmp_path: Path) -> None:
    spec, findings = read(tmp_path, FILE)
    assert findings == []
    assert spec == CondaSpec(
        file="conda.yaml",
        channels=("conda-forge", "defaults"),
        dependencies=("python=3.8", "pytorch::torchvision>=0.9,<1", "numpy=1.19.2=py38h54aff64_0", "pip"),
        pip=("mlflow==2.9.2", "scikit-learn", "-e .", "git+https://example.org/a.git@v1#egg=a"),
        platforms=("linux-64", "osx-arm64"),
        variables=(("PLAIN", "text"), ("NUMBER", "1.1"), ("TRUTH", "True")),
        because="asked for",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_line_ends_make_no_difference(tmp_path: Path, encoding: str, end: str) -> None:
    text = FILE.replace("\n", end)
    content = b"\xff\xfe" + text.encode("utf-16-le") if encoding.endswith("bom") else text.encode(encoding)
    assert read(tmp_path, content)[0] == read(tmp_path, FILE)[0]


@pytest.mark.parametrize(
    "text", ["", "name: x\n", "dependencies:\n", "dependencies: []\n", "dependencies: [pip: ]\n"]
)
def test_a_file_that_asks_for_nothing_is_one(tmp_path: Path, text: str) -> None:
    spec, _ = read(tmp_path, text)
    assert (spec.dependencies, spec.pip) == ((), ())


def test_an_export_with_builds_is_read_whole(tmp_path: Path) -> None:
    lines = [f"  - package-{number}=1.{number}=h{number:07x}_{number % 3}" for number in range(170)]
    spec, _ = read(tmp_path, "\n".join(["channels: [defaults]", "dependencies:", *lines, ""]))
    assert len(spec.dependencies) == 170
    assert spec.dependencies[169] == "package-169=1.169=h00000a9_1"


def test_requirement_files_are_those_beside_the_file(tmp_path: Path) -> None:
    text = "dependencies: [python, pip: [-r requirements.txt]]\n"
    (tmp_path / "requirements.txt").write_text("six\n")
    with pytest.raises(SpecError, match=r"environments/requirements.txt.*environments/conda.yaml:1"):
        read(tmp_path, text, "environments/conda.yaml")
    (tmp_path / "environments" / "requirements.txt").write_text("six\n")
    spec, _ = read(tmp_path, text, "environments/conda.yaml")
    assert spec.pip == ("-r requirements.txt",)


@pytest.mark.parametrize(
    "text, said",
    [
        ("dependencies: python\n", "must be a list"),
        ("dependencies: [{pip: [a], conda: [b]}]\n", "where a package or a `pip:` list is expected"),
        ("dependencies: [[a]]\n", "holds a list"),
        ("dependencies: [pip: {a: b}]\n", "`pip` must be a list"),
        ("variables: [A=b]\n", "`variables` must be a mapping"),
        ("variables: {A: [b]}\n", "the variable `A` must be a text, not a list"),
        ("variables: {A: }\n", "the variable `A` must be a text, not nothing"),
        ("variables: {A=B: c}\n", "no variable has such a name"),
        ("platforms: {a: b}\n", "`platforms` must be a list"),
        ("- python\n", "must be a mapping"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError, match=r"conda\.yaml:1") as caught:
        read(tmp_path, text)
    assert said in caught.value.message


def test_a_misspelt_key_is_told(tmp_path: Path) -> None:
    _, findings = read(tmp_path, "chanels: [a]\n")
    assert [finding.hint for finding in findings] == ["did you mean `channels`?"]


LOCK = """\
version: 7
environments:
  default:
    packages:
      linux-64:
      - conda: https://example.org/forge/noarch/ruamel.yaml-0.18-pyh_0.conda
packages:
- conda: https://example.org/forge/noarch/ruamel.yaml-0.18-pyh_0.conda
  sha256: aa
- conda: /a folder/linux-64/_libgcc_mutex-0.1-conda_forge.tar.bz2
  sha256: bb
"""
PYLOCK = 'lock-version = "1.0"\ncreated-by = "uv"\n\n[[packages]]\nname = "Six"\nversion = "1.16.0"\n'


@pytest.mark.parametrize(
    "parts",
    [
        Parts(conda=LOCK),
        Parts(conda=LOCK, pylock=PYLOCK),
        Parts(conda=LOCK, variables=(("A", "{}\n: ü"), ("B", ""))),
        Parts(conda=LOCK, pylock=PYLOCK, variables=(("A", "b"),)),
    ],
)
def test_a_lock_is_taken_apart_as_it_was_put_together(parts: Parts) -> None:
    assert parted(parts.joined()) == parts


@pytest.mark.parametrize("variables", ["{}}", "{A: b}", '{"A": 1}'])
def test_a_lock_with_variables_that_are_none_is_unreadable(variables: str) -> None:
    with pytest.raises(Unreadable, match="variables"):
        packages_in(f"{LOCK}mlproj:\n  variables: {variables}\n".encode(), "conda")


def test_packages_of_a_lock_are_told_with_their_builds() -> None:
    packages = packages_in(Parts(conda=LOCK, pylock=PYLOCK).joined().encode(), "conda")
    assert [(package.name, package.version) for package in packages] == [
        ("ruamel.yaml", "0.18=pyh_0"),
        ("_libgcc_mutex", "0.1=conda_forge"),
        ("six", "1.16.0"),
    ]
