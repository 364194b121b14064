"""The recipes for containers and systemd say what `mlproj server` understands, and hold no secret."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import typer
import yaml

from mlproj.cli.server import app
from tests.docs.console import ROOT

DEPLOY = ROOT / "deploy"


def parameters() -> list[Any]:
    command: Any = typer.main.get_command(app)
    return list(command.params)


def variables() -> set[str]:
    """Those that the server reads for its options."""
    named = (parameter.envvar for parameter in parameters() if parameter.envvar)
    return {name for names in named for name in ([names] if isinstance(names, str) else names)}


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def test_the_image_begins_a_server_that_asks_who_calls() -> None:
    told = instructions()
    assert {name for name, _ in told} <= {
        *("ARG", "FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE"),
        *("HEALTHCHECK", "ENTRYPOINT"),
    }
    assert [json.loads(rest) for name, rest in told if name == "ENTRYPOINT"] == [["mlproj", "server"]]
    set_there = dict(
        pair.partition("=")[::2] for name, rest in told if name == "ENV" for pair in shlex.split(rest)
    )
    ours = {name for name in set_there if name.startswith("MLPROJ_SERVER_")}
    assert ours <= variables() and set_there["MLPROJ_SERVER_AUTH"] == "1"
    assert [rest for name, rest in told if name == "USER"] == ["mlproj"]
    copied = [rest.split()[:-1] for name, rest in told if name == "COPY" and "--from" not in rest]
    assert all((ROOT / path).exists() for paths in copied for path in paths)
    kept = (DEPLOY / "Containerfile.dockerignore").read_text()
    assert all(f"!{path}\n" in kept for paths in copied for path in paths)


def test_its_extras_are_there() -> None:
    offered = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2]
    asked = next(rest.partition("=")[2] for name, rest in instructions() if rest.startswith("EXTRAS="))
    for extra in asked.split(","):
        assert re.search(rf"^{extra} = \[", offered, re.MULTILINE), extra


def test_what_is_composed_is_what_the_server_understands() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = composed["services"]
    server = services["server"]
    assert (DEPLOY / server["build"]["context"] / server["build"]["dockerfile"]).is_file()
    ours = {name for name in server["environment"] if name.startswith("MLPROJ_SERVER_")}
    assert ours <= variables()
    for service in services.values():
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(composed["volumes"])
        assert set(service.get("depends_on", ())) <= set(services)
    assert server["ports"] == ["127.0.0.1:5000:5000"]


def test_passwords_are_asked_for_and_not_given() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?", text))
    example = (DEPLOY / "example.env").read_text()
    assert needed == {"POSTGRES_PASSWORD", "S3_SECRET"}
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in needed)
    for line in text.splitlines():
        if re.search(r"PASSWORD|SECRET", line.partition(":")[0]):
            assert "${" in line, line


def test_the_unit_begins_a_server(tmp_path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "mlproj-server.service")
    program, command, *options = shlex.split(unit["Service"]["ExecStart"])
    assert (Path(program).name, command) == ("mlproj", "server")
    known = {name for parameter in parameters() for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {option for option in options if option.startswith("-")} <= known
    if shutil.which("systemd-analyze"):
        copy = tmp_path / "mlproj-server.service"
        copy.write_text((DEPLOY / copy.name).read_text().replace(program, "/bin/true"))
        done = subprocess.run(("systemd-analyze", "verify", copy), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
