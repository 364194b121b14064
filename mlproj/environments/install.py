"""Puts the packages of a lock into a bare virtualenv with uv: from its cache first, then from the network."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlproj.environments.indexes import IndexSettings, redacted
from mlproj.environments.paths import with_absolute_paths, with_files_at_hand
from mlproj.environments.uv import Uv, tool_failure
from mlproj.errors import EnvironmentFailed
from mlproj.model.environment import LOCAL, Lock, LockedEnvironment, RecordedLock
from mlproj.model.events import Report

CHANNEL = "conda+"
"""Begins what of a locked environment's origins are conda's channels, and no index."""

_NOT_CACHED = ("connectivity is disabled", "network was disabled", "in offline mode")


def install_with_uv(
    lock: Lock,
    folder: Path,
    *,
    uv: Uv,
    project: Path,
    settings: IndexSettings,
    wanted: LockedEnvironment,
    report: Report,
    beside: bool = False,
) -> None:
    """Installs exactly the packages of the lock, whose paths are relative to `project`.

    `wanted` says from which servers (with credentials) requirement lines download, which files are at hand
    already, and that what packages are built with is not newer than an instant. With `beside` the packages
    that are there already stay. Raises EnvironmentFailed with the end of uv's output.
    """
    origins = tuple(url for url in wanted.origins if not url.startswith(CHANNEL))
    as_of = wanted.as_of
    variables = _variables(settings, origins, resolving=as_of is not None)
    options = ["--preview-features", "pylock", "--python", str(folder)]
    options += ["--break-system-packages"] if beside else ["--allow-empty-requirements"]
    options += ["--exclude-newer", as_of] if as_of else []
    options += ["--no-build"] if wanted.unbuilt else []
    # uv takes a folder for unchanged as long as its `pyproject.toml` is, and looks again only when online.
    fresh = [f"--refresh-package={package.name}" for package in lock.packages if package.version == LOCAL]
    # Out of its cache alone uv takes a fifth of the time: online, it asks for every file anew.
    attempts = (fresh,) if fresh else (["--offline"], [])
    if wanted.offline:
        attempts = (["--offline"],)
    with tempfile.TemporaryDirectory(prefix="mlproj-") as name:
        file = Path(name, "pylock.toml")
        text = with_absolute_paths(lock.text.decode(), project)
        if wanted.artifacts is not None:
            text = with_files_at_hand(text, wanted.artifacts)
        file.write_text(text, encoding="utf-8")
        for attempt in attempts:
            done = uv.run(
                ("pip", *(("install", "-r", file) if beside else ("sync", file)), *options, *attempt),
                directory=project,
                variables=variables,
                report=report,
                stage="install",
            )
            if done.code == 0 or not any(words in done.complaint for words in _NOT_CACHED):
                break
    if done.code != 0:
        words = redacted(done.complaint, uv.environ, *origins)
        if wanted.unbuilt and "build" in words:
            raise must_be_built("a package has to be built", words)
        raise tool_failure("uv could not install the environment", words)


def taken_from(locked: LockedEnvironment, recorded: RecordedLock) -> LockedEnvironment:
    """The environment with what was recorded of how to come by its packages."""
    return replace(locked, artifacts=recorded.artifacts, offline=recorded.offline, unbuilt=recorded.unbuilt)


def must_be_built(what: str, output: str = "") -> EnvironmentFailed:
    """That a lock of a stranger's cannot be installed without running code of its packages'."""
    return EnvironmentFailed(
        f"the lock came in a bundle, and {what}, by code of its own that nothing shuts in",
        hint="`--no-isolated` has it built; `mlproj env lock` and `--override-env` take your own lock",
        output=output,
    )


def _variables(settings: IndexSettings, origins: tuple[str, ...], *, resolving: bool) -> Mapping[str, str]:
    """uv looks up the credentials of a download among its indexes, so that each server counts as one here.

    With `resolving` it looks for what packages are built with as for the packages themselves: the first
    index that has it may hold nothing that is old enough.
    """
    variables = dict(settings.variables)
    if resolving:
        # Constraints are for what is resolved: with a lock uv refuses them.
        variables |= {name: value for name, value in settings.resolving if name != "UV_CONSTRAINT"}
    indexes = " ".join(filter(None, (variables.get("UV_INDEX", ""), *origins)))
    return {**variables, **({"UV_INDEX": indexes} if indexes else {})}
