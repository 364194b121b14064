"""What `mlproj run --reuse --dry-run` foresees."""

from __future__ import annotations

from typing import Any

from mlproj import wiring
from mlproj.cli.reusing import reuse_document
from mlproj.cli.sheet import Section
from mlproj.errors import StoreError
from mlproj.model.events import Reused, silent
from mlproj.services.configured import configured_server
from mlproj.services.prepare import Prepared
from mlproj.services.request import Context
from mlproj.services.reuse import decide, said


class Foresight:
    """Looks for a run to reuse while the source is there, and changes nothing."""

    def __init__(self, store: str | None) -> None:
        self._store = store
        self._told = Reused(run_id=None, because="nothing was looked for")
        self._words = ""

    def look(self, context: Context, prepared: Prepared) -> None:
        try:
            store = wiring.existing_store(self._store)
        except StoreError as error:
            self._told, self._words = Reused(run_id=None, because=error.message), f"nothing: {error.message}"
            return
        elsewhere = configured_server(context.request, silent) is not None
        found = decide(context, prepared, store, elsewhere=elsewhere, place=False)
        run, likeness = found.run, found.likeness
        self._told = Reused(
            run_id=None if run is None else run.run_id,
            because=found.because,
            nearest=None if likeness is None else likeness.run_id,
            differs=() if likeness is None else likeness.lines,
        )
        words = f"nothing: {said(found)}"
        self._words = words if run is None else f"run `{run.name}` ({run.run_id[:8]}): {found.because}"

    @property
    def document(self) -> dict[str, Any]:
        return reuse_document(self._told)

    @property
    def page(self) -> tuple[Section, ...]:
        return (Section(rows=(("to reuse", self._words),)),)
