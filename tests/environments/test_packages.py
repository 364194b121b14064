from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from mlproj.environments.packages import Bringing
from mlproj.environments.probing import platform_name
from mlproj.errors import EnvironmentFailed
from mlproj.model.digest import Digest
from mlproj.model.run import Job
from mlproj.store.folder import FolderStore
from mlproj.store.opening import open_store
from tests.environments.conftest import Recorder
from tests.environments.test_indexes import PASSWORD, guarded
from tests.store.runs import begun

WHEEL, OTHER, SOURCE = b"a wheel", b"a wheel for another system", b"a source archive"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a server of files that asks for a password."""
    root = tmp_path_factory.mktemp("files")
    for name, content in (("six-1-py3-none-any.whl", WHEEL), ("old-1.tar.gz", SOURCE)):
        (root / name).write_bytes(content)
    with guarded(root) as place:
        yield place


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_store(tmp_path / ".mlproj", create=True)


def job(store: FolderStore, directory: Path, **changes: str) -> Job:
    found = begun(store.blobs).job
    assert found is not None
    environment = replace(found.environment, platform=platform_name(), **changes)
    return replace(found, environment=environment, directory=str(directory))


def pylock(*packages: str) -> bytes:
    return "\n".join(('lock-version = "1.0"', *packages)).encode()


def package(name: str, *, marker: str = "", wheels: Mapping[str, bytes] | None = None, more: str = "") -> str:
    listed = ", ".join(
        f'{{ url = "{url}", hashes = {{ sha256 = "{Digest.of(content).hex}" }} }}'
        for url, content in (wheels or {}).items()
    )
    lines = ["[[packages]]", f'name = "{name}"', 'version = "1"', f'marker = "{marker}"' if marker else ""]
    return "\n".join([*lines, f"wheels = [{listed}]" if listed else "", more])


def bring(
    store: FolderStore, folder: Path, lock: bytes, *, environ: Mapping[str, str] | None = None, **changes: str
) -> tuple[dict[str, bytes], list[str]]:
    """What was brought, by name, and what was noted."""
    report = Recorder()
    bringing = Bringing(environ or {"HOME": str(folder)}, store.blobs, folder, report)
    found = bringing.packages(job(store, folder, **changes), lock)
    assert all(Digest.of(each.path.read_bytes()) == each.digest for each in found)
    return {each.name: each.path.read_bytes() for each in found}, report.notes


def test_the_files_that_this_python_needs_are_brought(
    store: FolderStore, tmp_path: Path, server: str
) -> None:
    local = tmp_path / "mod-1-cp311-abi3-manylinux_2_5_x86_64.whl"
    local.write_bytes(WHEEL)
    lock = pylock(
        package(
            "six",
            wheels={
                f"http://{server}/six-1-cp311-cp311-win_amd64.whl": OTHER,
                f"http://{server}/six-1-py3-none-any.whl": WHEEL,
            },
        ),
        package(
            "never",
            marker="python_version < '3'",
            wheels={"http://nowhere.invalid/n-1-py3-none-any.whl": WHEEL},
        ),
        package("mod", wheels={local.as_uri(): WHEEL}),
    )
    environ = {"PIP_EXTRA_INDEX_URL": f"http://ada:{PASSWORD}@{server}/simple", "HOME": str(tmp_path)}
    assert bring(store, tmp_path, lock, environ=environ) == (
        {"six-1-py3-none-any.whl": WHEEL, local.name: WHEEL},
        [],
    )


def test_what_has_to_be_built_or_is_no_file_is_told(store: FolderStore, tmp_path: Path, server: str) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login ada password {PASSWORD}\n")
    (tmp_path / ".netrc").chmod(0o600)
    digest = Digest.of(SOURCE).hex
    lock = pylock(
        package(
            "old",
            more=f'sdist = {{ url = "http://{server}/old-1.tar.gz", hashes = {{ sha256 = "{digest}" }} }}',
        ),
        package("here", more='directory = { path = "here" }'),
        package("there", more='vcs = { type = "git", url = "https://x.invalid/y", commit-id = "c" }'),
    )
    brought, notes = bring(store, tmp_path, lock)
    assert brought == {"old-1.tar.gz": SOURCE}
    assert [note.split("`")[1] for note in notes] == ["here", "there", "old-1.tar.gz"]


def test_what_the_store_holds_is_not_asked_for_again(store: FolderStore, tmp_path: Path) -> None:
    store.blobs.add_bytes(WHEEL)
    lock = pylock(package("six", wheels={"http://nowhere.invalid/six-1-py3-none-any.whl": WHEEL}))
    assert bring(store, tmp_path, lock)[0] == {"six-1-py3-none-any.whl": WHEEL}


def test_another_file_than_the_locked_one_is_refused(store: FolderStore, tmp_path: Path) -> None:
    wheel = tmp_path / "six-1-py3-none-any.whl"
    wheel.write_bytes(OTHER)
    with pytest.raises(EnvironmentFailed, match=r"`six-1-py3-none-any\.whl` is not what was locked"):
        bring(store, tmp_path, pylock(package("six", wheels={wheel.as_uri(): WHEEL})))


def test_who_may_not_have_it_is_told_so_without_the_password(
    store: FolderStore, tmp_path: Path, server: str
) -> None:
    environ = {"PIP_INDEX_URL": f"http://ada:wrong-horse@{server}/simple", "HOME": str(tmp_path)}
    lock = pylock(package("six", wheels={f"http://{server}/six-1-py3-none-any.whl": WHEEL}))
    with pytest.raises(EnvironmentFailed, match="cannot be downloaded") as caught:
        bring(store, tmp_path, lock, environ=environ)
    assert "401" in caught.value.message or "Unauthorized" in caught.value.message
    assert "wrong-horse" not in caught.value.message


def test_a_lock_of_another_platform_is_refused(store: FolderStore, tmp_path: Path) -> None:
    found = job(store, tmp_path)
    found = replace(found, environment=replace(found.environment, platform="darwin-arm64"))
    with pytest.raises(EnvironmentFailed, match="is one of `darwin-arm64`, and this is"):
        Bringing(os.environ, store.blobs, tmp_path, Recorder()).packages(found, pylock())


@pytest.mark.parametrize("lock", [b"no toml at all [", b'lock-version = "9.0"', b"\xff\xfe"])
def test_a_lock_that_cannot_be_read_is_told(store: FolderStore, tmp_path: Path, lock: bytes) -> None:
    for kind in ("virtualenv", "conda"):
        with pytest.raises(EnvironmentFailed, match="cannot be read"):
            bring(store, tmp_path, lock, kind=kind)
