"""A real engine with images of our own making, since no registry need be within reach: Debian and busybox.

Debian's files lie beside uv's download cache: a file that is removed is made anew.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient

from mlproj.engine import RUN, engine
from mlproj.errors import EnvironmentFailed
from mlproj.files import locked
from tests.conftest import ending, need

DEBIAN = "mlproj-test/debian:bookworm"
"""With Python and pip, bash, and the certificates of this machine."""
BUSYBOX = "mlproj-test/busybox:1"
"""With a shell that is no bash, and little else."""

_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_REGISTRY = "docker-registry"
_SETTINGS = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def is_running() -> bool:
    try:
        with engine(os.environ):
            return True
    except EnvironmentFailed:
        return False


@pytest.fixture(scope="session")
def client(isolation: Path) -> Iterator[APIClient]:
    """The engine of this machine; skips the test without one."""
    need("docker", is_running())
    with engine(os.environ, timeout=None) as found:
        yield found


@pytest.fixture(scope="session")
def debian(client: APIClient) -> str:
    """The name of an image with a whole Debian."""
    archive = _images() / "bookworm.tar"
    with locked(archive.with_suffix(".lock")):
        if not _has(client, DEBIAN):
            if not archive.exists():
                able = os.geteuid() == 0 and shutil.which("debootstrap") is not None
                need("debootstrap", able and _bootstrapped(archive))
            changes = [f"ENV PIP_CERT=/{_CERTIFICATES}", f"ENV SSL_CERT_FILE=/{_CERTIFICATES}"]
            _import(client, archive, DEBIAN, changes)
    return DEBIAN


@pytest.fixture(scope="session")
def busybox(client: APIClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an image that has no bash."""
    need("busybox", _is_static(shutil.which("busybox")))
    with locked(_images() / "busybox.lock"):
        bring_busybox(client, tmp_path_factory.mktemp("busybox"))
    return BUSYBOX


def bring_busybox(client: APIClient, folder: Path) -> None:
    """Has the engine hold `BUSYBOX`, made in `folder` of the busybox that this machine has."""
    if _has(client, BUSYBOX):
        return
    program, archive = shutil.which("busybox") or "busybox", folder / "image.tar"
    names = subprocess.run((program, "--list"), check=True, capture_output=True, text=True).stdout.split()
    with tarfile.open(archive, "w") as tar:
        tar.add(program, "bin/busybox")
        for name in {*names} - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    _import(client, archive, BUSYBOX, [])


@pytest.fixture
def registry(client: APIClient, tmp_path: Path) -> Iterator[str]:
    """The address of a registry on loopback, which Docker takes without TLS."""
    need(_REGISTRY, shutil.which(_REGISTRY) is not None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = tmp_path / "registry.yml"
    settings.write_text(_SETTINGS.format(folder=tmp_path / "registry", port=port))
    with (
        open(tmp_path / "registry.log", "wb") as log,
        ending(subprocess.Popen((_REGISTRY, "serve", settings), stdout=log, stderr=log)),
    ):
        _wait_for(port)
        yield f"127.0.0.1:{port}"


@pytest.fixture
def tagged(client: APIClient, busybox: str) -> Iterator[list[str]]:
    """Names of images that the test makes, removed after it."""
    names: list[str] = []
    yield names
    for name in names:
        with contextlib.suppress(Exception):
            client.remove_image(name, force=True)


def runs_with_containers(client: APIClient) -> set[str]:
    """The runs whose containers are there: those of other tests that go on, too."""
    found = client.containers(all=True, filters={"label": RUN})
    return {one["Labels"][RUN] for one in found}


def containers_below(client: APIClient, folder: Path) -> list[str]:
    """The same, of those whose project is below `folder`."""
    found = client.containers(all=True, filters={"label": RUN})
    sources = ((one["Labels"][RUN], mount["Source"]) for one in found for mount in one["Mounts"])
    return sorted({run for run, source in sources if source.startswith(f"{folder}/")})


def variant(client: APIClient, base: str, name: str, mark: str) -> str:
    """Another image under a name: the base with a label. Returns its id."""
    container = client.create_container(base, "sh")["Id"]
    repository, _, tag = name.rpartition(":")
    try:
        made: str = client.commit(container, repository, tag, changes=[f'LABEL mark="{mark}"'])["Id"]
    finally:
        client.remove_container(container)
    return made


def _images() -> Path:
    folder = Path(os.environ["UV_CACHE_DIR"]).parent / "mlproj-test-images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_static(program: str | None) -> bool:
    """Whether it is there, and runs where there is nothing else, no library either."""
    return program is not None and subprocess.run(("ldd", program), capture_output=True).returncode != 0


def _has(client: APIClient, name: str) -> bool:
    return bool(client.images(name))


def _bootstrapped(archive: Path) -> bool:
    """Whether a Debian could be had from its mirror."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        root = Path(folder) / "root"
        command = ("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", root)
        if subprocess.run(command, stdout=subprocess.DEVNULL, timeout=400).returncode != 0:
            return False
        for cached in (*root.glob("var/cache/apt/archives/*.deb"), *root.glob("var/lib/apt/lists/*Packages")):
            cached.unlink()
        trusted = ssl.get_default_verify_paths().cafile or f"/{_CERTIFICATES}"
        if os.path.exists(trusted):
            shutil.copy(trusted, root / _CERTIFICATES)
        aside = Path(folder) / "image.tar"
        with tarfile.open(aside, "w") as tar:
            tar.add(root, ".")
        os.replace(aside, archive)
    return True


def _import(client: APIClient, archive: Path, name: str, changes: list[str]) -> None:
    repository, _, tag = name.rpartition(":")
    said = client.import_image_from_file(str(archive), repository=repository, tag=tag, changes=changes)
    assert "error" not in said, said


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("the registry does not listen")
