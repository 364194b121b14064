"""Channels on servers: hashes of what comes, credentials from where they are kept, mirrors, no network."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlproj.environments.conda.environment import CondaEnvironment
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import CondaSpec, LockedEnvironment
from mlproj.model.events import Progress
from tests.certificates import self_signed
from tests.conda_channels import Package, channel, reindex, write
from tests.environments.conftest import Recorder, lock, lock_and_build, packages

USER, PASSWORD, TOKEN = "ada", "l0velace", "tk-c0unt"


@dataclass(frozen=True)
class Server:
    """A channel that is served as `open`, to those who may as `private`, and with a token as `token`."""

    address: str
    folder: Path
    asked: list[str]

    def url(self, name: str, before: str = "") -> str:
        return f"http://{before}{self.address}/{name}"


class _Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        granted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.path.startswith("/private/") and self.headers.get("Authorization") != f"Basic {granted}":
            self.send_error(401)
            return
        if self.path.startswith("/token/"):
            self.send_error(403)
            return
        for before in (f"/t/{TOKEN}/token/", "/private/", "/open/"):
            if self.path.startswith(before):
                self.path = f"/{self.path.removeprefix(before)}"
                super().do_GET()
                return
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Listening(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of a client that went away before the end."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder, asked = tmp_path / "served", list[str]()
    channel(folder, Package(name="tool", files={"share/tool": b"good"}))
    handler = type("Handler", (_Handler,), {"asked": asked})
    with listening(handler, folder) as port:
        yield Server(f"127.0.0.1:{port}", folder, asked)


@contextlib.contextmanager
def listening(handler: type, folder: Path, certified: tuple[Path, Path] | None = None) -> Iterator[int]:
    """The port of a server of `folder`, that has a certificate and its key where it speaks TLS."""
    with _Listening(("127.0.0.1", 0), functools.partial(handler, directory=str(folder))) as server:
        if certified is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certified)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def specification(url: str) -> CondaSpec:
    return CondaSpec(
        file="conda.yaml", channels=(url, "nodefaults"), dependencies=("tool",), because="asked for"
    )


def assert_no_secret(locked: LockedEnvironment) -> None:
    assert locked.lock is not None
    told = locked.lock.text.decode() + repr(locked)
    assert PASSWORD not in told and TOKEN not in told and "***" not in told


def test_a_package_comes_with_progress_and_then_out_of_the_cache(server: Server, tmp_path: Path) -> None:
    report, environment = Recorder(), CondaEnvironment(tmp_path / "cache")
    lock_and_build(environment, specification(server.url("open")), tmp_path, report)
    assert any(isinstance(event, Progress) and event.unit == "bytes" for event in report.events)
    server.asked.clear()
    lock_and_build(environment, specification(server.url("open")), tmp_path)
    assert server.asked == []


def test_a_download_that_is_not_what_was_locked_is_refused(server: Server, tmp_path: Path) -> None:
    environment = CondaEnvironment(tmp_path / "cache")
    locked = lock(environment, specification(server.url("open")), tmp_path)
    write(server.folder, Package(name="tool", files={"share/tool": b"evil"}))
    with pytest.raises(EnvironmentFailed, match="hash mismatch"):
        environment.build(locked, tmp_path, Recorder())
    assert not list((tmp_path / "cache" / "environments").glob("[!.]*/"))
    write(server.folder, Package(name="tool", files={"share/tool": b"good"}))
    activation = environment.build(locked, tmp_path, Recorder())
    assert (activation.path[0].parent / "share" / "tool").read_bytes() == b"good"


@pytest.mark.parametrize("name, before", [("private", f"{USER}:{PASSWORD}@"), (f"t/{TOKEN}/token", "")])
def test_credentials_in_an_address_build_and_are_not_written_down(
    server: Server, tmp_path: Path, name: str, before: str
) -> None:
    environment = CondaEnvironment(tmp_path / "cache")
    locked, _ = lock_and_build(environment, specification(server.url(name, before)), tmp_path)
    assert packages(locked) == {"tool": "1.0=0"}
    assert_no_secret(locked)
    assert server.url(name.rpartition("/")[2]) in str(locked.lock and locked.lock.text.decode())
    kept = [path.read_bytes() for path in (tmp_path / "cache" / "locks").iterdir()]
    assert not any(secret.encode() in content for content in kept for secret in (PASSWORD, TOKEN))


@pytest.mark.parametrize("place", ["rattler", "netrc"])
def test_credentials_come_from_where_they_are_kept(
    server: Server, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    if place == "rattler":
        login = {"BasicHTTP": {"username": USER, "password": PASSWORD}}
        kept.write_text(json.dumps({"127.0.0.1": login}))
        monkeypatch.setenv("RATTLER_AUTH_FILE", str(kept))
    else:
        kept.write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
        monkeypatch.setenv("NETRC", str(kept))
    environment = CondaEnvironment(tmp_path / "cache")
    locked, _ = lock_and_build(environment, specification(server.url("private")), tmp_path)
    assert_no_secret(locked)


def test_a_channel_without_credentials_says_where_to_put_them(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="401") as caught:
        lock(CondaEnvironment(tmp_path / "cache"), specification(server.url("private")), tmp_path)
    assert "credentials" in str(caught.value.hint)


def test_wrong_credentials_are_not_shown(server: Server, tmp_path: Path) -> None:
    wrong = server.url("private", f"{USER}:wr0ng-password@")
    with pytest.raises(EnvironmentFailed, match="401") as caught:
        lock(CondaEnvironment(tmp_path / "cache"), specification(wrong), tmp_path)
    assert "wr0ng" not in f"{caught.value} {caught.value.output} {caught.value.hint}"


def test_a_mirror_serves_and_the_lock_names_the_channel(server: Server, tmp_path: Path) -> None:
    settings = tmp_path / "config" / "rattler" / "config.toml"
    settings.parent.mkdir(parents=True)
    upstream = "https://conda.anaconda.org/forge"
    settings.write_text(f'[mirrors]\n"{upstream}" = ["{server.url("open")}"]\n')
    environment = CondaEnvironment(tmp_path / "cache", {"XDG_CONFIG_HOME": str(tmp_path / "config")})
    locked, _ = lock_and_build(environment, specification("forge"), tmp_path)
    assert locked.lock is not None
    assert f"{upstream}/noarch/tool-1.0-0.tar.bz2" in locked.lock.text.decode()


def test_certificates_that_a_person_names_are_believed_and_no_others(server: Server, tmp_path: Path) -> None:
    (tmp_path / "certificates").mkdir()
    certified = self_signed(tmp_path / "certificates")
    handler = type("Handler", (_Handler,), {"asked": server.asked})
    with listening(handler, server.folder, certified) as port:
        specified = specification(f"https://127.0.0.1:{port}/open")
        with pytest.raises(EnvironmentFailed, match=r"https://127\.0\.0\.1"):
            lock(CondaEnvironment(tmp_path / "doubting", {"HOME": str(tmp_path)}), specified, tmp_path)
        shutil.copytree(certified[0].parent, tmp_path / "trusted", ignore=shutil.ignore_patterns("key.pem"))
        for kind, named in (("file", "certificates/certificate.pem"), ("folder", "trusted")):
            (tmp_path / ".condarc").write_text(f"ssl_verify: ~/{named}\n")
            environment = CondaEnvironment(tmp_path / f"cache-{kind}", {"HOME": str(tmp_path)})
            lock_and_build(environment, specified, tmp_path)
        believing = {"HOME": str(tmp_path), "CONDA_SSL_VERIFY": "false"}
        lock(CondaEnvironment(tmp_path / "blind", believing), specified, tmp_path)


def test_a_changed_channel_on_a_server_is_seen_on_refresh(server: Server, tmp_path: Path) -> None:
    environment = CondaEnvironment(tmp_path / "cache")
    lock(environment, specification(server.url("open")), tmp_path)
    write(server.folder, Package(name="tool", version="2.0"))
    reindex(server.folder)
    assert packages(lock(environment, specification(server.url("open")), tmp_path)) == {"tool": "1.0=0"}
    fresh = lock(environment, specification(server.url("open")), tmp_path, refresh=True)
    assert packages(fresh) == {"tool": "2.0=0"}
