"""The recipe of the server's image, built on a Debian of our own, serves and ends as a container."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from tests.conftest import need
from tests.docs.console import ROOT
from tests.engines import client, debian
from tests.mlflow_servers import free_port
from tests.server.calling import wait_until

__all__ = ["client", "debian"]

pytestmark = pytest.mark.timeout(1200)


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("docker", *arguments), capture_output=True, text=True, timeout=1000)


@pytest.fixture(scope="module")
def image(debian: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the recipe makes of what the repository holds, with an index of packages within reach."""
    context, name = tmp_path_factory.mktemp("context"), f"mlproj-test/server:{uuid.uuid4().hex[:8]}"
    for path in ("pyproject.toml", "README.md", "LICENSE", "deploy/Containerfile"):
        (context / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, context / path)
    shutil.copytree(ROOT / "mlproj", context / "mlproj", ignore=shutil.ignore_patterns("__pycache__"))
    recipe = ("--file", str(context / "deploy" / "Containerfile"))
    done = docker(
        *("build", "--network", "host", "--build-arg", f"BASE={debian}", *recipe, "--tag", name),
        str(context),
    )
    need("image of the server", done.returncode == 0)
    yield name
    docker("image", "rm", "--force", name)


def test_the_image_serves_and_ends(image: str) -> None:
    port, name = free_port(), f"mlproj-test-{uuid.uuid4().hex[:8]}"
    settings = ("--env", "MLPROJ_SERVER_HOST=127.0.0.1", "--env", "MLPROJ_SERVER_AUTH=0")
    begun = docker(
        *("run", "--detach", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp"),
        *("--cap-drop", "ALL", *settings, image, "--port", str(port)),
    )
    try:
        assert begun.returncode == 0, begun.stderr
        wait_until(lambda: is_ready(port))
        assert docker("exec", name, "id", "--user").stdout.strip() == "10001"
        assert docker("stop", "--time", "20", name).returncode == 0
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
        log = docker("logs", name).stderr.splitlines()
        assert [json.loads(line)["event"] for line in log][-1] == "ended"
    finally:
        docker("rm", "--force", "--volumes", name)


def test_the_image_lets_in_nobody_whom_it_was_not_told_of(image: str) -> None:
    """Nobody asks who calls in it unless it is told otherwise twice."""
    done = docker("run", "--rm", "--network", "host", "--env", "MLPROJ_SERVER_AUTH=0", image, "--port", "0")
    assert done.returncode == 2 and "--no-auth --allow-anyone" in done.stderr


def is_ready(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ready") as answer:
        return bool(json.load(answer)["ready"])
    return False
