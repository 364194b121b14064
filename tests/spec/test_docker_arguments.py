"""`-A` as `docker run` names its options: the same request that Docker's own command line makes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from mlproj.errors import UsageError
from mlproj.spec.docker_arguments import OPTIONS, parse_arguments, request, shown, values
from tests.conftest import need


def host(*texts: str) -> dict[str, Any]:
    found: dict[str, Any] = request(parse_arguments(texts))["HostConfig"]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory=64m", {"Memory": 64 * 1024**2}),
        ("m=1.5g", {"Memory": 3 * 1024**3 // 2}),
        ("--memory-swap=-1", {"MemorySwap": -1}),
        ("shm-size=100", {"ShmSize": 100}),
        ("cpus=1.5", {"NanoCpus": 1_500_000_000}),
        ("network=host", {"NetworkMode": "host"}),
        ("net=none", {"NetworkMode": "none"}),
        ("ipc=host", {"IpcMode": "host"}),
        ("privileged", {"Privileged": True}),
        ("privileged=false", {"Privileged": False}),
        ("sysctl=a.b=1", {"Sysctls": {"a.b": "1"}}),
        ("tmpfs=/x:size=1m", {"Tmpfs": {"/x": "size=1m"}}),
        ("ulimit=nofile=10:20", {"Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}]}),
        (
            "publish=127.0.0.1:80:8080",
            {"PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]}},
        ),
        (
            "gpus=all",
            {
                "DeviceRequests": [
                    _all := {"Driver": "", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]]}
                ]
            },
        ),
        ("gpus=2", {"DeviceRequests": [{**_all, "Count": 2}]}),
        ('gpus="device=0,1"', {"DeviceRequests": [{**_all, "Count": 0, "DeviceIDs": ["0", "1"]}]}),
    ],
)
def test_an_option_is_what_docker_run_makes_of_it(text: str, expected: dict[str, Any]) -> None:
    assert host(text) == expected


def test_one_that_can_be_meant_more_than_once_may_be_given_so() -> None:
    assert host("cap-add=SYS_PTRACE", "cap-add=NET_ADMIN") == {"CapAdd": ["SYS_PTRACE", "NET_ADMIN"]}
    assert values(parse_arguments(("v=a:/a", "volume=b:/b")), "volume") == ("a:/a", "b:/b")


def test_what_changes_nothing_is_taken_as_mlflow_takes_it() -> None:
    given = parse_arguments(("t", "--rm", "i=true", "memory=64m"))
    assert request(given) == {"HostConfig": {"Memory": 64 * 1024**2}}
    assert shown(given) == ("tty", "rm", "interactive=true", "memory=64m")


def test_a_file_of_variables_is_read_as_docker_run_does(tmp_path: Path) -> None:
    file = tmp_path / "variables"
    file.write_text("# a remark\n\nA=x 'y' # z \n  B=\nCOPIED\n")
    given = parse_arguments((f"env-file={file}", "e=D=1"))
    assert values(given, "env") == ("A=x 'y' # z ", "B=", "COPIED", "D=1")
    file.write_text("A=1\nnot a name=2\n")
    with pytest.raises(UsageError, match="`not a name` is no variable's name"):
        parse_arguments((f"env-file={file}",))


def test_what_is_shown_of_them_holds_no_values_of_variables() -> None:
    given = parse_arguments(("memory=64m", "e=TOKEN=secret", "build-arg=KEY=secret", "init", "env=COPIED"))
    assert shown(given) == ("memory=64m", "env=TOKEN", "build-arg=KEY", "init", "env=COPIED")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("gpu=all",), "has no option `--gpu`"),
        (("memory=much",), "`-A memory=much` is not as `docker run` takes it"),
        (("memory",), "`-A memory` needs a value"),
        (("memory=1g", "memory=2g"), "`-A memory` is given twice"),
        (("cpus=0",), "a number of processors"),
        (("detach",), "which mlproj does"),
        (("name=x",), "which mlproj does"),
        (("env-file=/no/such/file",), "cannot be read: No such file"),
        (("publish=x",), "[address:]port:port"),
        (("volume",), "`-A volume` needs a value"),
        (("gpus=",), "`all`, a number"),
        (("device=a:b:c:d",), "`path:path:rwm`"),
        (("mount=type=bind",), "names no `target`"),
        (("no-healthcheck=maybe",), "`true` or `false`"),
    ],
)
def test_what_docker_run_would_not_take_is_refused(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_arguments(texts)
    assert said in caught.value.message


class _Engine(ThreadingMixIn, UnixStreamServer):
    """Takes what the command line of Docker asks for, and makes nothing of it."""

    daemon_threads = True
    asked: list[dict[str, Any]]

    def handle_error(self, *_arguments: object) -> None:
        """A caller that has gone is no fault."""


class _Answers(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_GET(self) -> None:
        self._answer(200, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        assert isinstance(self.server, _Engine)
        self.server.asked.append(json.loads(body))
        self._answer(500, b'{"message": "seen"}')

    def log_message(self, format: str, *_arguments: object) -> None:
        """Says nothing."""

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Api-Version", "1.41")
        self.send_header("OSType", "linux")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)


SAME = [
    "add-host=a:1.2.3.4", "blkio-weight=300", "cap-add=CAP_SYS_PTRACE", "cap-drop=ALL", "cgroup-parent=/x",
    "cpu-period=100000", "cpu-quota=50000", "cpu-shares=512", "cpus=1.5", "cpuset-cpus=0", "cpuset-mems=0",
    "device=/dev/fuse", "device=/dev/fuse:/dev/x:r", "dns=1.1.1.1", "dns-search=example.org",
    "domainname=example.org", "env=A=b c", "expose=80", "gpus=all", "gpus=device=1", "group-add=audio",
    "hostname=x", "init", "ipc=host", "label=a=b", "memory=64m", "memory-reservation=32m", "memory-swap=1g",
    "memory-swappiness=10", "mount=type=bind,source=/tmp,target=/x,readonly", "network=host",
    "no-healthcheck", "oom-kill-disable", "oom-score-adj=5", "pid=host", "pids-limit=10", "privileged",
    "publish=8080:80", "publish-all", "read-only", "runtime=runc", "security-opt=no-new-privileges",
    "shm-size=2g", "storage-opt=size=1G", "sysctl=net.core.somaxconn=10", "tmpfs=/x:rw", "ulimit=nofile=5:6",
    "user=1:2", "userns=host", "uts=host", "volumes-from=other", "workdir=/w",
]  # fmt: skip


def test_docker_itself_asks_the_engine_for_the_same(tmp_path: Path) -> None:
    """Docker's own command line is run against a socket of ours, and what it asks for is compared."""
    need("docker", shutil.which("docker") is not None)
    folder = Path("/tmp") / f"mlproj-{os.getpid()}-{socket.gethostname()[:8]}"
    folder.mkdir()
    engine = _Engine(str(folder / "s"), _Answers)
    engine.asked = []
    threading.Thread(target=engine.serve_forever, daemon=True).start()
    try:
        environ = {**os.environ, "DOCKER_HOST": f"unix://{folder}/s", "DOCKER_CONFIG": str(tmp_path)}
        for number, text in enumerate(SAME, start=1):
            command = ("docker", "run", f"--{text}", "image")
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
            assert len(engine.asked) == number, done.stderr
    finally:
        engine.shutdown()
        engine.server_close()
        shutil.rmtree(folder)
    ours = {text: _without_nothing(request(parse_arguments((text,)))) for text in SAME}
    theirs = {text: _part_of(asked, ours[text]) for text, asked in zip(SAME, engine.asked, strict=True)}
    assert ours == theirs
    assert {text.partition("=")[0] for text in SAME} <= set(OPTIONS)


def _part_of(theirs: Any, ours: Any) -> Any:
    """What of their request is about what ours names."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return _without_nothing({name: _part_of(theirs.get(name), value) for name, value in ours.items()})
    if isinstance(theirs, list):
        return [_without_nothing(item) for item in theirs]
    return theirs


def _without_nothing(value: Any) -> Any:
    """Docker leaves out, or says null or empty, where nothing is meant."""
    if isinstance(value, dict):
        kept = {name: _without_nothing(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, "", [], {}, 0)}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value
