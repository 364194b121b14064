"""The world as a record has it: the source as it was laid out, and the variables as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from mlproj.model.events import Report
from mlproj.model.provenance import Host, Variables
from mlproj.model.redaction import MASK
from mlproj.model.run import Run
from mlproj.model.source import Checkout, Snapshot, SourceState
from mlproj.ports import ObservedInput, Observer, SnapshotRules

_OF_PYTHON = ("PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING", "PYTHONOPTIMIZE", "PYTHONWARNINGS")
_TO_A_SERVER = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID")
"""Where the caller's own scripts log to: what is done again is held against a record here."""
_OF_THE_LOCALE = ("LANG", "LANGUAGE", "LC_")


class LaidOut:
    """Implements `ports.Source` for a tree that is there already."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout

    def accepts(self, uri: str) -> bool:
        return True

    @contextlib.contextmanager
    def fetch(self, uri: str, revision: str | None, report: Report) -> Iterator[Checkout]:
        yield self._checkout


class RecordedSource:
    """Implements `ports.Observer`: of the source it tells what was recorded, all else it has looked at.

    What lies in the tree beside the source (data that was brought) is none of it, nor is data that was
    `replaced` on purpose, at these paths from the tree's root.
    """

    def __init__(
        self, observer: Observer, state: SourceState, snapshot: Snapshot, replaced: Collection[str] = ()
    ) -> None:
        self._observer = observer
        self._replaced = frozenset(replaced)
        self._state = state
        self._snapshot = snapshot

    def source(
        self, checkout: Checkout, rules: SnapshotRules, report: Report
    ) -> tuple[SourceState, Snapshot]:
        return self._state, self._snapshot

    def commit_date(self, checkout: Checkout, report: Report) -> str | None:
        return None

    def changed(self, snapshot: Snapshot) -> tuple[str, ...]:
        changed = self._observer.changed(snapshot)
        return tuple(
            path
            for path in changed
            if not any(path == one or path.startswith(f"{one}/") for one in self._replaced)
        )

    def data(self, name: str, path: Path, project: Path, *, declared: bool, report: Report) -> ObservedInput:
        return self._observer.data(name, path, project, declared=declared, report=report)

    def remote(self, name: str, uri: str) -> ObservedInput:
        return self._observer.remote(name, uri)

    def host(self) -> Host:
        return self._observer.host()

    def variables(self, environ: Mapping[str, str]) -> Variables:
        return self._observer.variables(environ)

    def secret(self, value: str) -> bool:
        return self._observer.secret(value)


def recorded_variables(run: Run, environ: Mapping[str, str], observer: Observer) -> dict[str, str]:
    """`environ` with those variables that results hang on as they were when `run` was."""
    assert run.plan is not None and run.job is not None
    planned = dict(observer.variables(environ).planned)
    left = {*planned, *_TO_A_SERVER}
    ours = {name: text for name, text in environ.items() if name not in left and not _is_portable(name)}
    recorded = {name: text for name, text in run.job.variables if _is_portable(name)}
    # A record may name others, by which whoever starts a program runs one of somebody else's.
    counting = dict(observer.variables(dict(run.plan.variables)).planned)
    recorded |= {name: text for name, text in run.plan.variables if name in counting}
    return {**ours, **{name: text for name, text in recorded.items() if text != MASK and _can_be(name, text)}}


def _can_be(name: str, text: str) -> bool:
    return "\0" not in name + text and "=" not in name


def _is_portable(name: str) -> bool:
    """Whether a variable that is no part of the plan means the same on every machine."""
    return name in _OF_PYTHON or name.startswith(_OF_THE_LOCALE)
