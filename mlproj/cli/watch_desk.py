"""The registry as a watch asks it: that of `mlproj models`, opened when there is something to ask."""

from __future__ import annotations

from collections.abc import Sequence

from mlproj.cli.promoting import put_into_production
from mlproj.cli.registrar import registrar
from mlproj.cli.registry_questions import Reference, history, move, read_reference, register, version_of
from mlproj.errors import NotFound
from mlproj.model.registry import RecordedChange, Stage
from mlproj.model.trigger import WATCH_TAG
from mlproj.watch_ports import Promotion


class RegistryDesk:
    """A `ModelDesk` of the store that is named, or found."""

    def __init__(self, store: str | None) -> None:
        self._store = store

    def run_of(self, address: str) -> str:
        with registrar(self._store, create=True) as kept:
            run_id = version_of(kept, read_reference(address)).run_id
        if not run_id:
            raise NotFound(f"nothing says which run `{address}` is of")
        return run_id

    def history(self, name: str) -> Sequence[RecordedChange]:
        try:
            with registrar(self._store, create=True) as kept:
                return history(kept, name)
        except NotFound:
            return ()

    def register(self, name: str, address: str, *, watch: str, why: str) -> int:
        with registrar(self._store, create=True) as kept:
            tags = ((WATCH_TAG, watch),)
            return int(register(kept, name, kept.origin(address), "", tags, why).version)

    def promote(
        self, name: str, version: int, stage: Stage, *, archive_existing: bool, why: str
    ) -> Promotion:
        with registrar(self._store, create=True) as kept:
            found = version_of(kept, Reference(name=name, version=version))
            if stage is not Stage.PRODUCTION:
                move(kept, found, stage, why, archive_existing=archive_existing)
                return Promotion(stage=stage)
            _, checks, refusal = put_into_production(kept, found, archive_existing=archive_existing, why=why)
        return Promotion(stage=stage, checks=checks, refusal=None if refusal is None else refusal.message)
