"""The seam of runs whose runner is on another machine: what a store that takes them in does beside the rest.

The rest of a store's seam is in `ports`. Such a run lives while its runner says so from time to time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from mlproj.artifact_ports import Uploads
from mlproj.model.digest import Digest
from mlproj.model.events import Report, silent
from mlproj.model.run import Run
from mlproj.model.source import SourceState

SILENCE_S = 120.0
"""A run of another machine whose runner has not been heard of for so long (in seconds) may live or not."""

LEASE_S = 900.0
"""So long (in seconds) content stays in hand for whoever asked for it and says nothing more."""


class Reception(Protocol):
    """Takes in runs from afar. `user` is who brings them, None where nobody has to say who they are."""

    def open(self, run: Run, named: Collection[Digest] = ()) -> str:
        """Writes the opening row of a run that begins elsewhere; returns the id of its experiment. Of what is
        `named`, nobody showed that it is known to them. Raises StoreError where the id is taken."""
        ...

    def hear(self, run_id: str) -> None:
        """Notes that the runner of a run is there."""
        ...

    def seal(self, run: Run, report: Report = silent) -> Run:
        """As `RunStore.seal`, with the artifacts that the run's script logged here among its outputs, and
        those that its runner brought among its artifacts. Raises NotTaken for files that no runner of ours
        names so."""
        ...

    def bring(self, run: Run, payload: bytes, amendments: Sequence[bytes], named: Collection[Digest]) -> Run:
        """As `RunStore.bring`, of a run for which the contents that are `named` were not shown."""
        ...

    def note_unshown(self, run_id: str, digests: Collection[Digest], shown: Collection[Digest] = ()) -> None:
        """Notes what a run names and nobody showed that they had it, and what was `shown` since."""
        ...

    def not_showing(self, digest: Digest) -> frozenset[str]:
        """The runs that name some content that was not shown for them: what it is they do not tell."""
        ...

    def is_open(self, run_id: str) -> bool:
        """Whether the run waits for its seal. Raises RunNotFound."""
        ...

    def why_settled(self, path: str) -> str | None:
        """Why what lies at an artifact's path in the store (`runs/<id>/artifacts/…`) is not to be written or
        removed any more; None where it may be."""
        ...

    def experiment_named(self, name: str) -> str | None:
        """The id of the experiment of that name, deleted ones too; None where there is none."""
        ...

    def owns(self, run_id: str, other: str) -> bool:
        """Whether the script of a run began the other one."""
        ...

    def keep(self, token: str, source: SourceState | None = None) -> bool:
        """Has what is added from now on stay while the lease `token` (32 hexadecimal digits) is kept, and
        whether a recorded run brought all of `source`: that stays, too."""
        ...

    def let_go(self, token: str) -> None:
        """Ends a lease."""
        ...

    def note_sent(self, user: str, digests: Collection[Digest]) -> None:
        """Remembers for a while what somebody sent."""
        ...

    def sent(self, user: str) -> frozenset[Digest]: ...

    @property
    def uploads(self) -> Uploads:
        """Contents that are too large for one request; the path of each is its digest in hexadecimal. Raises
        UsageError for what is another content when it is whole."""
        ...
