"""The documentation says what the code does: generated pages are in step, and nothing is left unsaid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from docs import generate
from mlproj import errors
from mlproj.model.entries import AmendmentDocument, RegistryDocument, TombstoneDocument
from mlproj.model.plan import Plan
from mlproj.model.project import ParameterType
from mlproj.model.record import Entry, ImportDocument, RecordDocument

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("example_projects/*/**/*.md")),
]
SEALED = (RecordDocument, Entry, AmendmentDocument, TombstoneDocument, RegistryDocument, ImportDocument, Plan)
"""Where a stored format begins; the nouns they hold are found from their fields."""


def test_generated_pages_are_what_the_code_makes() -> None:
    assert generate.out_of_step() == [], "run `make docs`"


def test_every_exit_code_of_an_error_is_explained() -> None:
    assert {kind.exit_code for kind in _kinds_of(errors.MlprojError)} <= set(generate.exit_codes())


def test_the_readme_has_the_table_of_exit_codes() -> None:
    assert generate.exit_code_table() in (ROOT / "README.md").read_text()


def test_every_field_that_is_stored_is_in_the_record_page() -> None:
    page = (REFERENCE / "record.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    missing = {
        f"{noun.__name__}.{field.name}"
        for noun in _nouns_of(*SEALED)
        for field in msgspec.structs.fields(noun)
        if field.name not in named
    }
    assert not missing


def test_every_parameter_type_is_in_the_mlproject_page() -> None:
    page = (REFERENCE / "mlproject.md").read_text()
    assert [kind.value for kind in ParameterType if f"`{kind.value}`" not in page] == []


def test_every_variable_of_ours_in_the_code_is_in_the_page_of_variables() -> None:
    page = (REFERENCE / "variables.md").read_text()
    code = "".join(path.read_text() for path in (ROOT / "mlproj").rglob("*.py"))
    used = set(re.findall(r"\"((?:MLPROJ|MLFLOW)_[A-Z_]+)\"", code)) - {
        "MLFLOW_EXPERIMENT"
    }  # where a trace is
    assert used, "the code reads variables"
    assert sorted(name for name in used if f"`{name}`" not in page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in _links(page) if not _leads_somewhere(page, link)]
    assert broken == []


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title here\n\n[a](#title-here) [b](page.md) [c](#no) [d](other.md) [e](page.md#no)\n")
    assert [link for link in _links(page) if not _leads_somewhere(page, link)] == [
        "#no",
        "other.md",
        "page.md#no",
    ]


def _kinds_of(kind: type[errors.MlprojError]) -> Iterator[type[errors.MlprojError]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("mlproj."):
            yield below
            yield from _kinds_of(below)


def _nouns_of(*kinds: type) -> set[type]:
    """The nouns named, and those that they hold."""
    found: set[type] = set()
    waiting = list(kinds)
    while waiting:
        noun = waiting.pop()
        if noun not in found:
            found.add(noun)
            held = [part for hint in get_type_hints(noun).values() for part in _parts(hint)]
            waiting.extend(
                part for part in held if isinstance(part, type) and issubclass(part, msgspec.Struct)
            )
    return found


def _parts(hint: object) -> Iterator[object]:
    yield hint
    for argument in get_args(hint):
        yield from _parts(argument)


def _links(page: Path) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path) if path else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
