"""The observer of a run: what it looks at is in the modules beside, each with one thing to look at."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from mlproj.model.events import Report
from mlproj.model.provenance import Host, Variables
from mlproj.model.redaction import outer_secrets
from mlproj.model.source import Checkout, Snapshot, SourceState
from mlproj.ports import ObservedInput, SnapshotRules
from mlproj.provenance.changes import changed_files
from mlproj.provenance.data import manifest_of, observed_data
from mlproj.provenance.host import observed_host
from mlproj.provenance.redaction import looks_secret_value
from mlproj.provenance.source import date_of_commit, observed_source
from mlproj.provenance.variables import observed_variables

_PATIENCE = 3.0
"""Seconds that a web server is waited for."""


class Observer:
    """Implements `ports.Observer`. `cache` is the folder for its stat caches, made when needed."""

    def __init__(self, cache: Path, environ: Mapping[str, str]) -> None:
        self._cache = cache
        self._environ = environ

    def source(
        self, checkout: Checkout, rules: SnapshotRules, report: Report
    ) -> tuple[SourceState, Snapshot]:
        return observed_source(checkout, rules, self._cache, report)

    def commit_date(self, checkout: Checkout, report: Report) -> str | None:
        return date_of_commit(checkout, report)

    def changed(self, snapshot: Snapshot) -> tuple[str, ...]:
        return changed_files(snapshot, self._cache)

    def data(self, name: str, path: Path, project: Path, *, declared: bool, report: Report) -> ObservedInput:
        return observed_data(name, path, project, declared=declared, cache=self._cache, report=report)

    def manifest(self, name: str, path: Path, report: Report) -> bytes:
        return manifest_of(name, path, cache=self._cache, report=report)

    def remote(self, name: str, uri: str) -> ObservedInput:
        # urllib takes 40 ms to import, which only a run that is given a URI should pay
        leaf = importlib.import_module("mlproj.provenance.remote")
        observed: ObservedInput = leaf.observed_remote(name, uri, self._cache, _PATIENCE)
        return observed

    def host(self) -> Host:
        return observed_host(self._environ, self._cache)

    def variables(self, environ: Mapping[str, str]) -> Variables:
        return observed_variables(environ)

    def secret(self, value: str) -> bool:
        return looks_secret_value(value) or any(secret in value for secret in outer_secrets(self._environ))
