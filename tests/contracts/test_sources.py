"""What every source keeps to, whatever it fetches from."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlproj.errors import SourceError
from mlproj.model.events import Event
from mlproj.ports import Source
from mlproj.sources.archive import ArchiveSource
from mlproj.sources.folder import FolderSource
from mlproj.sources.git import GitSource
from tests.conftest import commit_all, git

SOURCES: dict[str, Callable[[Path], Source]] = {
    "folder": FolderSource,
    "git": GitSource,
    "archive": ArchiveSource,
}


@dataclass(frozen=True)
class Case:
    source: Source
    uri: str
    checkouts: Path


@pytest.fixture(params=SOURCES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    project = tmp_path / "project"
    (project / "sub").mkdir(parents=True)
    (project / "MLproject").write_text("name: p\n")
    (project / "sub" / "a.py").write_text("")
    commit_all(project)
    git(project, "clone", "--quiet", "--bare", ".", str(tmp_path / "project.git"))
    with zipfile.ZipFile(tmp_path / "project.zip", "w") as zipped:
        for name in ("MLproject", "sub/a.py"):
            zipped.write(project / name, name)
    uri = {"folder": project, "git": tmp_path / "project.git", "archive": tmp_path / "project.zip"}
    checkouts = tmp_path / "checkouts"
    return Case(SOURCES[request.param](checkouts), str(uri[request.param]), checkouts)


def test_exactly_one_source_accepts_a_uri(case: Case) -> None:
    accepting = [name for name, make in SOURCES.items() if make(case.checkouts).accepts(case.uri)]
    assert len(accepting) == 1 and case.source.accepts(case.uri)


def test_the_tree_is_there_for_the_length_of_the_with(case: Case) -> None:
    events: list[Event] = []
    with case.source.fetch(case.uri, None, events.append) as checkout:
        assert (checkout.directory / "MLproject").read_text() == "name: p\n"
        assert checkout.directory.is_relative_to(checkout.root)
        kept = checkout.root
    assert kept.exists() is not checkout.own
    assert not case.checkouts.exists() or not list(case.checkouts.iterdir())


def test_a_subfolder_is_entered_and_a_missing_one_told(case: Case) -> None:
    with case.source.fetch(f"{case.uri}#sub", None, lambda _: None) as checkout:
        assert checkout.directory == checkout.root / "sub"
        assert checkout.uri.endswith("#sub")
    for subfolder in ("none", "..", "sub/.."):
        with pytest.raises(SourceError), case.source.fetch(f"{case.uri}#{subfolder}", None, lambda _: None):
            pass
    assert not case.checkouts.exists() or not list(case.checkouts.iterdir())


def test_a_body_that_fails_fails_with_its_own_error(case: Case) -> None:
    with pytest.raises(ZeroDivisionError), case.source.fetch(case.uri, None, lambda _: None):
        raise ZeroDivisionError
    assert not case.checkouts.exists() or not list(case.checkouts.iterdir())
