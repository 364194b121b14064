"""A run as `run`, `show` and `reproduce` print it with `--json`: all three with the same keys."""

from __future__ import annotations

from typing import Any

from mlproj.cli.documents import run_document
from mlproj.cli.loading import load
from mlproj.model.run import Run
from mlproj.store_ports import RunStore


def whole_document(run: Run, store: RunStore) -> dict[str, Any]:
    """The run with the runs that its script began, and what is known now of its models and datasets."""
    return {
        **run_document(run, store.children(run.run_id)),
        "models": load("mlproj.services.models").models_of(run, store),
        "datasets": load("mlproj.services.datasets").datasets_of(run, store.blobs),
    }
