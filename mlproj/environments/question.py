"""What is to be resolved, as one value, and the identity that says when an earlier answer still holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlproj.environments.indexes import IndexSettings
from mlproj.environments.probing import platform_name
from mlproj.environments.requirements import (
    LocalPackage,
    Requirements,
    content_of,
    local_packages_of_lock,
    read_requirements,
)
from mlproj.files import digest_of, read_regular
from mlproj.model.digest import Digest, Json, canonical
from mlproj.model.environment import Interpreter, VirtualenvSpec
from mlproj.model.redaction import without_credentials

_NOTATION = "2"
"""Counts up when the answer to the same question is to be another one."""

COMMITTED = "pylock.toml"
_UV_CONFIGURATION = ("pyproject.toml", "uv.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A specification in its project, for one Python. `refresh` wants an answer from today, `as_of` (RFC
    3339) one with nothing in it that is newer. `arguments` are uv's, for an environment that holds packages
    already; it is `seeded` where it is to hold a pip of its own. `pinned` is a lock (PEP 751) that was the
    answer before, and whose versions are kept where they will do."""

    spec: VirtualenvSpec
    project: Path
    python: Interpreter
    settings: IndexSettings
    environ: Mapping[str, str]
    cache: Path
    refresh: bool = False
    as_of: str | None = None
    arguments: tuple[str, ...] = ()
    seeded: bool = True
    pinned: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        return (*self.spec.build_dependencies, *self.spec.dependencies)

    @property
    def where(self) -> str:
        """The file that a person looks into when this fails."""
        return self.spec.uv_lock or next(iter(self.spec.files), "the specification")

    @property
    def requirements(self) -> Requirements:
        return read_requirements(self.lines, self.project, self.environ)


def committed_file(question: Question) -> Path | None:
    """A lock file beside the environment's file, else in the project's folder; a `uv.lock` is one itself."""
    if question.spec.uv_lock is not None:
        return None
    beside = [(question.project / name).parent for name in question.spec.files[:1]]
    paths = (folder / COMMITTED for folder in (*beside, question.project))
    return next((path for path in paths if path.is_file() and path.is_relative_to(question.project)), None)


def identity(
    question: Question, requirements: Requirements, *, tool: str, lock_file: Path | None = None
) -> str:
    """The digest of all that the answer hangs on, save the day: lines, files, Python, platform, indexes.

    `lock_file` is one in the project that answers. The digest is the same in another folder and for
    another user, and holds no credentials.
    """
    spec, project = question.spec, question.project
    local = requirements.local + (() if lock_file is None else _local_packages(lock_file))
    named = (*spec.files, *_UV_CONFIGURATION)
    files = {str(path): path for path in (*(project / name for name in named), *requirements.files)}
    parts: list[Json] = [
        _NOTATION,
        tool,
        [question.python.version, question.python.implementation, platform_name()],
        [without_credentials(line) for line in question.lines],
        None if lock_file is None else [os.path.relpath(lock_file, project), _digest(lock_file)],
        sorted(_digest(path) for path in files.values()),
        [[package.editable, content_of(package)] for package in local],
        list(question.settings.identity),
        *([question.as_of] if question.as_of and lock_file is None else []),
    ]
    return Digest.of(canonical(parts)).hex


def _local_packages(lock_file: Path) -> tuple[LocalPackage, ...]:
    try:
        return local_packages_of_lock(read_regular(lock_file).decode(errors="replace"), lock_file.parent)
    except OSError:
        return ()


def _digest(path: Path) -> str:
    try:
        return digest_of(path)[0].hex
    except OSError:
        return "-"
