"""Volumes mean what a shell and Docker would make of them, and no shell has a hand in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlproj.errors import SpecError
from mlproj.spec.docker_volumes import Volume, read_volume

ENVIRON = {"HOME": "/home/ada", "DATA": "/srv/data", "N": "3", "PATH": os.defpath}


@pytest.mark.parametrize(
    ("text", "source", "target", "options"),
    [
        ("/a:/b", "/a", "/b", ""),
        ("/a:/b:ro", "/a", "/b", "ro"),
        ("/a/../c:/b/", "/c", "/b", ""),
        ("${PWD}:/x", "/project", "/x", ""),
        ("$PWD/data:/x", "/project/data", "/x", ""),
        ("$(pwd)/data:/x:ro", "/project/data", "/x", "ro"),
        ("`pwd`:/x", "/project", "/x", ""),
        ("%cd%:/x", "/project", "/x", ""),
        ('"$(pwd)/data":/x', "/project/data", "/x", ""),
        ("~/data:/x", "/home/ada/data", "/x", ""),
        ("~:/x", "/home/ada", "/x", ""),
        ("$HOME/.aws:/root/.aws", "/home/ada/.aws", "/root/.aws", ""),
        ("${HOME}:/x", "/home/ada", "/x", ""),
        ("$DATA/run$N:/x", "/srv/data/run3", "/x", ""),
        ("./data:/x", "/project/data", "/x", ""),
        ("../other:/x", "/other", "/x", ""),
        ("data/raw:/x", "/project/data/raw", "/x", ""),
        ("cache:/x", "cache", "/x", ""),
    ],
)
def test_a_volume_is_read(text: str, source: str, target: str, options: str) -> None:
    expected = Volume(source=source, target=target, options=options)
    assert read_volume(text, Path("/project"), ENVIRON) == expected


def test_one_without_a_source_is_the_engines_own() -> None:
    volume = read_volume("/cache", Path("/project"), ENVIRON)
    assert volume == Volume(source=None, target="/cache") and volume.bound == "/cache"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$(id -u):/x", "has a command in it"),
        ("`date`:/x", "has a command in it"),
        ("$NOWHERE/a:/x", "names `NOWHERE`, which is not set"),
        ("/a:x", "no absolute path in the container"),
        ("data", "no absolute path in the container"),
        ("a b:/x", "neither a folder nor a volume"),
        ("/a:/b:/c", "too many colons"),
        ("/a:/b:ro:z", "too many colons"),
        ("/a\0:/b", "holds a NUL"),
    ],
)
def test_what_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said.replace("$", r"\$")):
        read_volume(text, Path("/project"), ENVIRON)


@pytest.mark.parametrize(
    "text", ["${PWD}/a:/x", "$(pwd)/a:/x:ro", "`pwd`:/x", '"$HOME/a":/x', "~/a:/x", "$DATA/$N:/x", "~:/x"]
)
def test_a_shell_would_have_said_the_same(tmp_path: Path, text: str) -> None:
    said = subprocess.run(
        ("bash", "-c", f"echo {text}"), cwd=tmp_path, env=ENVIRON, capture_output=True, text=True, check=True
    )
    assert read_volume(text, tmp_path, ENVIRON).bound == said.stdout.strip()
