"""The validator of RO-Crates by its makers, in a virtualenv of its own that is built once and kept.

It fetches the JSON-LD context of RO-Crate 1.1 from the network. Here it runs offline, out of its own cache,
into which that context is put as the `rocrate` package has it: every other request fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uv

from mlproj.files import locked
from tests.conftest import need

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# Later versions of `rocrate` bring the context of a later RO-Crate.
REQUIREMENTS = ("roc-validator==0.13.0", "rocrate==0.13.0")

_FILL = """
import sys
from pathlib import Path
import requests, requests_cache, rocrate, urllib3
cache, url = sys.argv[1:]
content = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()
assert b'"@id": "https://w3id.org/ro/crate/1.1/context"' in content

class Package(requests.adapters.BaseAdapter):
    def send(self, request, **options):
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer._content = content
        answer.raw = urllib3.HTTPResponse(body=content, status=200, preload_content=False)
        return answer

    def close(self):
        pass

session = requests_cache.CachedSession(
    cache_name=cache, expire_after=-1, backend="sqlite", allowable_methods=("GET",)
)
session.mount("https://", Package())
for headers in ({}, {"Accept": "application/ld+json, application/json, */*;q=0.1"}):
    session.get(url, headers=headers)
"""

# Its command line cannot write a report of a zip as JSON.
_ASK = """
import json, sys
from rocrate_validator import models, services
cache, crate, severity = sys.argv[1:]
result = services.validate(models.ValidationSettings(
    rocrate_uri=crate, profile_identifier="process-run-crate",
    requirement_severity=models.Severity[severity], offline=True, cache_path=cache,
))
issues = [{"check": issue.check.identifier, "message": issue.message} for issue in result.get_issues()]
checks = len(result.executed_checks)
print(json.dumps({"passed": result.passed(), "checks": checks, "issues": issues}))
"""

Validate = Callable[..., dict[str, Any]]
"""Gives what the validator says of a crate (`passed`, `checks`, `issues`), by default of what the Process Run
Crate profile, and RO-Crate below it, require."""


@pytest.fixture(scope="session")
def validate(isolation: Path, tmp_path_factory: pytest.TempPathFactory) -> Validate:
    folder = Path(os.environ["UV_CACHE_DIR"]).parent / "mlproj-test-clients" / "roc-validator"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        ready = folder / "ready"
        if not ready.is_file() or ready.read_text() != repr(REQUIREMENTS):
            need("roc-validator", _build(folder))
            ready.write_text(repr(REQUIREMENTS))
    cache = tmp_path_factory.mktemp("roc") / "cache"
    subprocess.run((folder / "bin" / "python", "-c", _FILL, cache, CONTEXT), check=True)

    def report(crate: Path, severity: str = "REQUIRED") -> dict[str, Any]:
        done = subprocess.run(
            (folder / "bin" / "python", "-c", _ASK, cache, crate, severity),
            capture_output=True,
            text=True,
            cwd=cache.parent,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return report


def _build(folder: Path) -> bool:
    program = uv.find_uv_bin()
    made = subprocess.run(
        (program, "venv", "--quiet", "--clear", "--python", sys.executable, folder), capture_output=True
    )
    if made.returncode != 0:
        return False
    wanted = ("--quiet", "--python", folder / "bin" / "python", *REQUIREMENTS)
    return subprocess.run((program, "pip", "install", *wanted), capture_output=True).returncode == 0
