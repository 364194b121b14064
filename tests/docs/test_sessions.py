"""The commands of the README and the tutorial do what these pages show."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.console import ROOT, perform, run, sessions, shown_as, workplace

WITH_SERVERS = ("one-history-for-a-team", "the-life-of-a-model")
"""Gone through by `test_team`, and by `test_mlflow_tracking` where the environment is, which start what they
start."""
PAGES = (
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs" / "tutorial").glob("*.md")) if page.stem not in WITH_SERVERS),
    ROOT / "docs" / "how-to" / "sign-and-verify.md",
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_the_page_do_what_it_shows(page: Path, tmp_path: Path) -> None:
    steps = sessions(page)
    assert steps, "the page shows commands"
    run(
        "mlproj run example_projects/elasticnet -e train", workplace(tmp_path / "demo")
    )  # as `make demo` does
    folder = workplace(tmp_path / "tour")
    for step in steps:
        perform(step, folder)


def test_what_the_readme_has_people_make_can_be_made() -> None:
    targets = set(re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= targets
    for target in targets:
        subprocess.run(
            ("make", "--dry-run", "--always-make", target), cwd=ROOT, check=True, capture_output=True
        )


def test_the_json_page_has_every_key_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("print('hello')\n")
    arguments = ("run", ".", "-e", "hello.py", "--env-manager", "local", "--json", "--store", "store")
    done = subprocess.run(
        (sys.executable, "-m", "mlproj", *arguments), cwd=tmp_path, check=True, capture_output=True
    )
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0])
    printed = json.loads(done.stdout)
    assert list(shown) == list(printed)
    for part in ("source", "environment", "host", "usage", "tracing"):
        assert list(shown[part]) == list(printed[part])


def test_every_schema_in_the_code_is_in_the_pages() -> None:
    code = "".join(path.read_text() for path in (ROOT / "mlproj").rglob("*.py"))
    names = ("json.md", "record.md", "attestation.md", "bundle.md")
    pages = "".join((ROOT / "docs" / "reference" / name).read_text() for name in names)
    schemas = set(re.findall(r"\"(mlproj/[a-z]+/\d+)\"", code))
    assert schemas, "the code names schemas"
    assert sorted(schema for schema in schemas if schema not in pages) == []


def test_a_difference_from_the_page_is_noticed() -> None:
    shown = ("metrics: rmse 52.9783, mae 41.797", "…", "run `calm-otter-12` (1f2e3d4c) finished in 3.1 s")
    printed = "metrics: rmse 52.9783, mae 41.797\nmore\n\nrun `brave-fox-7` (0a1b2c3d) finished in 1.25 s\n"
    assert shown_as(shown, printed)
    assert not shown_as(shown, printed.replace("52.9783", "52.9784"))
    assert not shown_as(shown, printed + "another line\n")
