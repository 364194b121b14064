"""A model as an image: its packages as they are locked, nobody's superuser, the same answers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from docker import APIClient

from tests.cli.conftest import Mlproj
from tests.engines import busybox, client, debian, tagged
from tests.mlflow_clients import ClientPython
from tests.scoring.making import make_odd

__all__ = ["busybox", "client", "debian", "tagged"]

NAME = "mlproj-test/served:1"

ASK = """\
import urllib.request
body = b'{"inputs": [[1], [2]]}'
request = urllib.request.Request(
    "http://127.0.0.1:8080/invocations", body, {"Content-Type": "application/json"}
)
print(urllib.request.urlopen(request).read().decode())
"""


@pytest.fixture
def model(client_python: ClientPython, tmp_path: Path) -> Path:
    """A file that needs one package, beside the file that says so."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "python_env.yaml").write_text('python: "3.11"\ndependencies: [cloudpickle]\n')
    make_odd(client_python("3"), folder / "odd.pkl", "pass")
    return folder / "odd.pkl"


def asked(client: APIClient, container: str) -> str:
    """What the model in the container answers, once it does."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        command = client.exec_create(container, ["python3", "-c", ASK])["Id"]
        said: bytes = client.exec_start(command)
        if client.exec_inspect(command)["ExitCode"] == 0:
            return said.decode().strip()
        time.sleep(0.5)
    raise AssertionError(client.logs(container).decode())


def test_an_image_serves_the_model_in_its_locked_environment(
    model: Path, client: APIClient, debian: str, tagged: list[str], mlproj: Mlproj
) -> None:
    tagged.append(NAME)
    answer = mlproj("models", "build-docker", model, "-n", NAME, "--base", debian, "--json")
    assert answer.code == 0, answer.stderr
    made = answer.document
    assert (made["schema"], made["name"], made["port"]) == ("mlproj/model-image/1", NAME, 8080)
    settings = client.inspect_image(NAME)["Config"]
    assert settings["User"] == "65534:65534" and "8080/tcp" in settings["ExposedPorts"]
    host = client.create_host_config(network_mode="none", auto_remove=False)
    container = client.create_container(NAME, host_config=host)["Id"]
    try:
        client.start(container)
        assert asked(client, container) == '{"predictions": [1.0, 1.0]}'
        listing = client.exec_create(container, ["python3", "-m", "pip", "list", "--format", "freeze"])["Id"]
        assert "cloudpickle==" in client.exec_start(listing).decode()
        client.stop(container, timeout=20)
        assert client.inspect_container(container)["State"]["ExitCode"] == 0
    finally:
        client.remove_container(container, force=True)


def test_a_base_with_another_python_is_refused(
    model: Path, debian: str, client: APIClient, tagged: list[str], mlproj: Mlproj
) -> None:
    (model.parent / "python_env.yaml").write_text('python: "3.12"\ndependencies: [cloudpickle]\n')
    answer = mlproj("models", "build-docker", model, "-n", NAME, "--base", debian)
    assert answer.code == 4, answer.stderr
    assert "the base has Python 3.11, and the model needs 3.12" in answer.stderr


def test_an_environment_that_is_nobodys_makes_no_image(model: Path, mlproj: Mlproj) -> None:
    answer = mlproj("models", "build-docker", model, "--env-manager", "local")
    assert answer.code == 4 and "an image is made of a locked virtualenv" in answer.stderr
