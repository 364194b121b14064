"""What a lock file means for one Python on this machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.environments.paths import with_absolute_paths, with_moved_paths
from mlproj.environments.pylock import read_pylock
from mlproj.model.environment import Interpreter, LockedPackage
from mlproj.spec.locks import Unreadable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHON = Interpreter(executable=Path(sys.executable), version="3.11.7", because="")


def read(packages: str, project: Path = Path("/nowhere")) -> tuple[LockedPackage, ...]:
    return read_pylock(f'lock-version = "1.0"\n{packages}'.encode(), PYTHON, project)


def wheel(tags: str, digest: str) -> str:
    return f'{{ url = "https://x/a-1-{tags}.whl", hashes = {{ sha256 = "{digest}" }} }}'


def test_the_identity_holds_the_artifact_that_is_installed_here_whatever_else_the_index_has() -> None:
    head = '[[packages]]\nname = "A_b"\nversion = "1"\n'
    sdist = 'sdist = { url = "https://x/a.tar.gz", hashes = { sha256 = "s" } }\n'
    pure, own, other = wheel("py3-none-any", "p"), wheel("cp311-abi3-any", "o"), wheel("cp27-none-win32", "w")
    expected = (LockedPackage(name="a-b", version="1", hashes=("sha256:p",)),)
    assert read(f"{head}{sdist}wheels = [{pure}]") == expected
    assert read(f"{head}wheels = [{other}, {pure}]") == expected
    assert read(f"{head}wheels = [{other}, {wheel('py2.py3-none-any', 'x')}, {own}]")[0].hashes == (
        "sha256:x",
    )
    assert read(f"{head}{sdist}wheels = [{other}, {other}]")[0].hashes == ("sha256:s",)


def test_packages_for_other_pythons_and_groups_are_left_out() -> None:
    def marked(name: str, marker: str) -> str:
        return f'[[packages]]\nname = "{name}"\nversion = "1"\nmarker = "{marker}"\n'

    text = (
        marked("old", "python_full_version < '3.9'")
        + marked("new", "python_version >= '3.9'")
        + marked("dev", "'dev' in dependency_groups")
    )
    assert [package.name for package in read(text)] == ["new"]


def test_a_lock_for_another_python_says_so() -> None:
    with pytest.raises(Unreadable, match=r"for Python >=3\.12"):
        read('requires-python = ">=3.12"\n')


@pytest.mark.parametrize("text", ["x", "[[packages]]\nversion = '1'", "packages = 3", "packages = ['x']"])
def test_what_is_no_lock_is_told(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


def test_a_file_without_a_hash_is_hashed(tmp_path: Path) -> None:
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"")
    text = '[[packages]]\nname = "a"\nversion = "1"\nwheels = [{ path = "a-1-py3-none-any.whl" }]'
    (package,) = read(text, tmp_path)
    assert package.hashes[0].startswith("sha256:e3b0c442")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r\t", exclude_categories=["Cc"])))
def test_a_lock_moved_to_another_folder_and_back_means_the_same(name: str) -> None:
    quoted = re.sub(r'(["\\])', r"\\\1", name)
    text = f'x = {{ path = "./sub/a{quoted}", editable = true }}'
    moved = with_moved_paths(text, Path("/one"), Path("/two/three"))
    for folder, moved_text in ((Path("/one"), text), (Path("/two/three"), moved)):
        absolute = tomllib.loads(with_absolute_paths(moved_text, folder))["x"]["path"]
        expected = tomllib.loads(with_absolute_paths(text, Path("/one")))["x"]["path"]
        assert absolute == expected


def test_what_is_no_address_is_told_and_a_marker_beyond_measure_counts_as_yes() -> None:
    with pytest.raises(Unreadable, match="is no address"):
        read('[[packages]]\nname = "a"\nwheels = [{url = "http://["}, {url = "http://["}]')
    (found,) = read(f'[[packages]]\nname = "a"\nmarker = "{"(" * 10_000}"')
    assert found.name == "a"
