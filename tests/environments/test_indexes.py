"""pip's configuration reaches uv, and no password comes back."""

from __future__ import annotations

import base64
import contextlib
import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mlproj.environments.indexes import index_settings, passwords, redacted
from mlproj.environments.uv import find_uv
from mlproj.environments.virtualenv import VirtualenvEnvironment
from mlproj.errors import EnvironmentFailed
from tests.environments.conftest import (
    Recorder,
    lock,
    packages,
    python_in,
    specification,
)

PASSWORD = "correct-horse"
MODULE = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mlproj-private"\nversion = "3.2.1"\n'
        '[tool.setuptools]\npy-modules = ["private"]\n'
    ),
    "private.py": "word = 'secret sauce'\n",
}


def settings(home: Path, **environ: str) -> dict[str, str]:
    found = index_settings({"HOME": str(home), "XDG_CONFIG_DIRS": str(home / "xdg"), **environ})
    return {**dict(found.variables), **dict(found.resolving)}


def test_a_file_of_pips_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://one.example/simple\ntimeout = 60\n"
        "[install]\nextra-index-url =\n    https://two.example/simple\n    https://three.example/100%/simple\n"
        "trusted-host = one.example\n"
    )
    found = settings(tmp_path, PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert found["UV_DEFAULT_INDEX"] == "https://one.example/simple"
    assert found["UV_INDEX"] == "https://two.example/simple https://three.example/100%/simple"
    assert found["UV_INSECURE_HOST"] == "one.example"
    assert found["UV_HTTP_TIMEOUT"] == "60"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_a_variable_of_pips_outranks_its_file_and_one_of_uvs_outranks_both(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex_url = https://file.example\n")
    file = str(tmp_path / "pip.conf")
    by_pip = settings(tmp_path, PIP_CONFIG_FILE=file, PIP_INDEX_URL="https://variable.example")
    assert by_pip["UV_DEFAULT_INDEX"] == "https://variable.example"
    by_uv = settings(
        tmp_path, PIP_INDEX_URL="https://variable.example", UV_DEFAULT_INDEX="https://uv.example"
    )
    assert by_uv["UV_DEFAULT_INDEX"] == "https://uv.example"


def test_what_is_configured_and_not_there_is_left_out_and_told(tmp_path: Path) -> None:
    found = index_settings(
        {
            "HOME": str(tmp_path),
            "XDG_CONFIG_DIRS": str(tmp_path),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_FIND_LINKS": f"/nowhere {tmp_path}",
            "PIP_EXTRA_INDEX_URL": "file:///nowhere/simple",
        }
    )
    assert dict(found.variables) == {"UV_FIND_LINKS": str(tmp_path)}
    assert len(found.notes) == 2


def test_what_says_where_packages_come_from_counts_and_credentials_do_not(tmp_path: Path) -> None:
    def identity(**environ: str) -> list[str]:
        return index_settings({"HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null", **environ}).identity

    plain = identity(PIP_INDEX_URL="https://one.example/simple")
    assert identity(PIP_INDEX_URL=f"https://ada:{PASSWORD}@one.example/simple") == plain
    assert identity(PIP_INDEX_URL="https://two.example/simple") != plain
    assert identity(PIP_NO_INDEX="1") != identity()


def test_a_password_is_taken_out_of_text_as_written_and_decoded() -> None:
    address = "https://ada:p%40ss-word@one.example/simple"
    assert passwords(f"--index-url {address}") == {"p%40ss-word", "p@ss-word"}
    told = redacted(f"{address} p@ss-word", {"PIP_INDEX_URL": address})
    assert "ss-word" not in told and "one.example" in told


def test_a_build_goes_on_where_a_configured_folder_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Recorder
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file://{tmp_path}/nothing")
    environment = VirtualenvEnvironment(tmp_path / "cache")
    assert packages(lock(environment, specification("six==1.16.0"), tmp_path, report))["six"] == "1.16.0"
    assert len(report.notes) == 2


@pytest.fixture
def asked_for_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What uv keeps where it was asked for a password: downloads here, a lock file in the home folder."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def private_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of an index that asks for a password, and holds one package."""
    root = tmp_path_factory.mktemp("index")
    source = root / "source"
    source.mkdir()
    for name, text in MODULE.items():
        (source / name).write_text(text)
    uv = find_uv({})
    assert uv is not None
    command = (str(uv), "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir")
    subprocess.run((*command, str(root / "files"), str(source)), check=True)
    shutil.rmtree(source)
    (wheel,) = (root / "files").glob("*.whl")
    (root / "simple" / "mlproj-private").mkdir(parents=True)
    page = f'<a href="/files/{wheel.name}">{wheel.name}</a>'
    (root / "simple" / "mlproj-private" / "index.html").write_text(page)
    with guarded(root) as place:
        yield place


@contextlib.contextmanager
def guarded(root: Path) -> Iterator[str]:
    """`host:port` of a server of the files in a folder, which asks for a password."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


class Guarded(http.server.SimpleHTTPRequestHandler):
    """A file server that wants to know who asks."""

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.usefixtures("asked_for_a_password")
@pytest.mark.parametrize("way", ["configuration", "line", "direct"])
def test_a_private_index_serves_and_its_password_stays_out_of_the_lock_and_the_cache(
    way: str,
    private_index: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    report: Recorder,
) -> None:
    monkeypatch.setenv("INDEX_PASSWORD", PASSWORD)
    address = f"http://ada:{PASSWORD}@{private_index}/simple"
    lines = ["mlproj-private"]
    if way == "configuration":
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", address)
    elif way == "line":
        lines.insert(0, f"--extra-index-url http://ada:${{INDEX_PASSWORD}}@{private_index}/simple")
    else:
        wheel = "mlproj_private-3.2.1-py3-none-any.whl"
        lines = [f"mlproj-private @ http://ada:{PASSWORD}@{private_index}/files/{wheel}"]
    locked = lock(VirtualenvEnvironment(tmp_path / "cache"), specification(*lines), tmp_path, report)
    # Whoever builds need not be the one who locked.
    activation = VirtualenvEnvironment(tmp_path / "cache").build(locked, tmp_path, report)
    assert packages(locked)["mlproj-private"] == "3.2.1"
    assert python_in(activation, "import private; print(private.word)") == "secret sauce"
    assert locked.lock is not None and PASSWORD not in locked.lock.text.decode()
    assert PASSWORD not in repr(report.events) and PASSWORD not in repr(locked)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path for path in kept if PASSWORD.encode() in path.read_bytes()] == []


@pytest.mark.usefixtures("asked_for_a_password")
def test_a_refused_password_is_not_in_the_message(
    private_index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"http://ada:wrong-horse@{private_index}/simple")
    environment = VirtualenvEnvironment(tmp_path / "cache")
    with pytest.raises(EnvironmentFailed) as caught:
        lock(environment, specification("mlproj-private"), tmp_path)
    assert "mlproj-private" in caught.value.output
    assert "wrong-horse" not in caught.value.message + caught.value.output


def test_credentials_are_carried_from_the_lock_to_the_build_and_not_shown_or_compared(
    shared: VirtualenvEnvironment, tmp_path: Path
) -> None:
    locked = lock(shared, specification("six==1.16.0"), tmp_path)
    other = replace(locked, origins=(f"https://ada:{PASSWORD}@one.example/",))
    assert other == locked and hash(other) == hash(locked)
    assert PASSWORD not in repr(other)
