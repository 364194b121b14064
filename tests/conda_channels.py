"""Conda channels in local folders, with real packages in them: a Python that runs, pip, and made ones."""

from __future__ import annotations

import asyncio
import bz2
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
import rattler
from rattler.index import index_fs

from mlproj.files import locked
from tests.conftest import need

PLACEHOLDER = "/opt/placeholder_" + "of_the_prefix_" * 12
"""Stands in packed files for the folder that the package is installed in; a real one is that long, too."""

_UNWANTED = frozenset(
    {"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "pydoc_data", "ensurepip"}
    | {"__pycache__", "site-packages", "dist-packages"}
)


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package to be made: `files` are paths in the prefix with their content, `links` with their target."""

    name: str
    version: str = "1.0"
    build: str = "0"
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    noarch: str | None = "generic"
    entry_points: tuple[str, ...] = ()
    timestamp: int | None = None
    files: Mapping[str, bytes] = {}
    links: Mapping[str, str] = {}
    executables: frozenset[str] = frozenset()

    @property
    def subdir(self) -> str:
        return "noarch" if self.noarch else str(rattler.Subdir.current())

    @property
    def file(self) -> str:
        return f"{self.subdir}/{self.name}-{self.version}-{self.build}.tar.bz2"


def channel(folder: Path, *packages: Package) -> str:
    """Makes a channel of packages in `folder`, or adds them to the one there; returns its URL."""
    for subdir in ("noarch", str(rattler.Subdir.current())):
        (folder / subdir).mkdir(parents=True, exist_ok=True)
    for package in packages:
        write(folder, package)
    reindex(folder)
    return folder.as_uri()


def reindex(folder: Path) -> None:
    """Writes what the channel says of its packages anew; when they came into it is not said."""
    asyncio.run(index_fs(folder, force=True, write_zst=False, write_shards=False))
    for file in folder.glob("*/repodata.json"):
        told = json.loads(file.read_text())
        for package in told["packages"].values():
            package.pop("indexed_timestamp", None)
        file.write_text(json.dumps(told))


def write(folder: Path, package: Package) -> Path:
    """Writes a package's archive into the channel in `folder`, which knows it once it is indexed."""
    target = folder / package.file
    with bz2.open(target, "wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in _information(package):
            _add(archive, name, content)
        for name, content in package.files.items():
            _add(archive, name, content, executable=name in package.executables)
        for name, link in package.links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
    return target


def python_module(name: str, version: str, code: str, **more: object) -> Package:
    """A noarch Python package with one module."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    info = f"site-packages/{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"site-packages/{name.replace('-', '_')}.py": code.encode(),
        f"{info}/METADATA": metadata.encode(),
        f"{info}/INSTALLER": b"conda\n",
        f"{info}/RECORD": f"{name.replace('-', '_')}.py,,\n{info}/METADATA,,\n{info}/RECORD,,\n".encode(),
    }
    fields = {"depends": ("python",), **more}
    return msgspec.convert(
        {"name": name, "version": version, "noarch": "python", "files": files, **fields}, Package
    )


def python_package() -> Package:
    """The Python that runs this, or one of pyenv's where that is no Python to be moved."""
    root = _installation()
    need("a Python that can be packed", root is not None)
    assert root is not None
    version = _version_of(root)
    short = ".".join(version.split(".")[:2])
    files = dict(_library(root, short))
    files[f"bin/python{short}"] = _movable(root / "bin" / f"python{short}", root)
    for library in root.glob("lib/libpython3*.so.1.0"):
        files[f"lib/{library.name}"] = _movable(library, root)
    return Package(
        name="python",
        version=version,
        build=f"0_cp{short.replace('.', '')}",
        noarch=None,
        files=files,
        links={"bin/python": f"python{short}", "bin/python3": f"python{short}"},
        executables=frozenset({f"bin/python{short}"}),
    )


def pip_package() -> Package:
    """The pip that comes with that Python."""
    root = _installation()
    need("a Python that can be packed", root is not None)
    assert root is not None
    wheel = next(root.glob("lib/python3*/ensurepip/_bundled/pip-*.whl"))
    with zipfile.ZipFile(wheel) as opened:
        names = [name for name in opened.namelist() if not name.endswith("/")]
        files = {f"site-packages/{name}": opened.read(name) for name in names}
    return Package(
        name="pip",
        version=wheel.name.split("-")[1],
        depends=("python",),
        noarch="python",
        entry_points=("pip = pip._internal.cli.main:main",),
        files=files,
    )


ACTING = Package(
    name="acting",
    files={
        "etc/conda/activate.d/acting.sh": b"""
export ACTING_HOME="$CONDA_PREFIX/share/acting"
export PATH="$ACTING_HOME/bin:$PATH"
export ACTING_SAW="${CALLER_SECRET:-nothing}"
echo this goes nowhere
""",
        "etc/conda/env_vars.d/acting.json": b'{"ACTING_STATE": "from the package"}',
        "share/acting/bin/act": f"#!/bin/sh\necho acting in {PLACEHOLDER}\n".encode(),
    },
    executables=frozenset({"share/acting/bin/act"}),
)
"""A package that wants to be activated, and holds the folder it is installed in."""

FORGE = (
    ACTING,
    python_module("greeting", "1.0", "word = 'hello'"),
    python_module("greeting", "2.0", "word = 'salut'"),
    Package(name="old-fashioned", depends=("greeting 1.*",)),
    Package(name="modern", depends=("greeting 2.*",)),
    Package(name="for-a-gpu", depends=("__cuda >=12",)),
)
"""What is in the tests' channel besides Python and pip."""


def forge(factory: pytest.TempPathFactory) -> Path:
    """A channel that the tests share and none of them changes, made once however many workers ask."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "channels" / "forge"
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.with_name("lock")):
        if not folder.exists():
            making = folder.with_name("making")
            channel(making, python_package(), pip_package(), *FORGE)
            making.rename(folder)
    return folder


def extended(forge: Path, folder: Path, *packages: Package) -> Path:
    """A channel of one test's own: that of all, and more."""
    shutil.copytree(forge, folder, copy_function=os.link)
    for index in folder.glob("*/repodata*"):
        index.unlink()
    channel(folder, *packages)
    return folder


def _installation() -> Path | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", "/nowhere")) / "versions"
    for root in (Path(sys.base_prefix), *sorted(pyenv.glob("3.1*"), reverse=True)):
        if any(root.glob("lib/python3*/ensurepip/_bundled/pip-*.whl")) and root != Path("/usr"):
            return root
    return None


def _version_of(root: Path) -> str:
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    done = subprocess.run((root / "bin" / "python3", "-c", code), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _library(root: Path, short: str) -> Iterator[tuple[str, bytes]]:
    top = root / "lib" / f"python{short}"
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if name not in _UNWANTED and "config-" not in name)
        for name in sorted(names):
            path = Path(folder, name)
            if not name.endswith((".pyc", ".a")):
                content = path.read_bytes()
                if name.startswith("_sysconfigdata"):
                    content = content.replace(str(root).encode(), PLACEHOLDER.encode())
                yield str(path.relative_to(root)), content


def _movable(path: Path, root: Path) -> bytes:
    """A program or library that finds its libraries beside itself, wherever it is put."""
    content = path.read_bytes()
    old, new = f"{root}/lib\0".encode(), b"$ORIGIN/../lib\0"
    return content.replace(old, new.ljust(len(old), b"\0")) if len(old) >= len(new) else content


def _information(package: Package) -> Iterator[tuple[str, bytes]]:
    index = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": 0,
        "depends": list(package.depends),
        "constrains": list(package.constrains),
        "subdir": package.subdir,
    }
    if package.noarch:
        index["noarch"] = package.noarch
    if package.timestamp is not None:
        index["timestamp"] = package.timestamp
    yield "info/index.json", json.dumps(index).encode()
    paths = [_path(name, content) for name, content in package.files.items()]
    paths += [{"_path": name, "path_type": "softlink"} for name in package.links]
    yield "info/paths.json", json.dumps({"paths": paths, "paths_version": 1}).encode()
    yield "info/files", "".join(f"{name}\n" for name in (*package.files, *package.links)).encode()
    if package.noarch == "python":
        noarch = {"type": "python", "entry_points": list(package.entry_points)}
        yield "info/link.json", json.dumps({"noarch": noarch, "package_metadata_version": 1}).encode()


def _path(name: str, content: bytes) -> dict[str, object]:
    described: dict[str, object] = {
        "_path": name,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
    if PLACEHOLDER.encode() in content:
        described |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
    return described


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, executable: bool = False) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755 if executable else 0o644
    archive.addfile(entry, io.BytesIO(content))
