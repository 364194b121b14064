"""Who read or left which content, as one caller may know it: of runs and models that they may read.

What is in a folder a run tells whose runner showed the store that it had it. Others merely name it, and
nobody learns of content by saying what its digest is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from msgspec.structs import replace

from mlproj.lineage_ports import Contents, Uses
from mlproj.model.access import Kind, Level
from mlproj.model.digest import Digest
from mlproj.model.registry import ModelVersion
from mlproj.model.run import Run
from mlproj.model.tracking import LoggedModel
from mlproj.server.held import held_by
from mlproj.server.store_view import View

_ALL = 1_000_000


class SeenContents:
    """The `Contents` of a store as a caller has them."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._contents: Contents = view.store.contents
        self._silent: dict[Digest, frozenset[str]] = {}

    def makers(self, digest: Digest, most: int) -> Uses:
        return self._seen(self._contents.makers(digest, self._most(most)), most)

    def readers(self, digest: Digest, most: int) -> Uses:
        return self._seen(self._contents.readers(digest, self._most(most)), most)

    def beginning(self, digits: str) -> tuple[Digest, ...]:
        found = self._contents.beginning(digits)
        return tuple(digest for digest in found if self._view.within is None or any(self._used(digest)))

    def files(self, folder: Digest) -> tuple[tuple[bytes, Digest], ...]:
        return self._contents.files(folder) if self.tells(folder) else ()

    def tells(self, folder: Digest) -> bool:
        """Whether a run that may be read says what is in the folder."""
        if self._view.within is None:
            return True
        uses = (use for found in self._used(folder) for use in found.uses if use.folder is None)
        return any(use.run_id not in self._not_showing(folder) for use in uses)

    def not_shown(self, run: Run, named: Collection[Digest]) -> frozenset[Digest]:
        """Those of the contents that a run merely names: it holds none of them, and the caller neither sent
        them of late nor may know what they are by another run."""
        if self._view.caller.admin:
            return frozenset()
        reception = self._view.store.reception
        rest = frozenset(named) - held_by(run, self._view.store.blobs) - reception.sent(self._view.sender)
        return frozenset(each for each in rest if not (self._contents.files(each) and self.tells(each)))

    def add_folder(self, manifest: bytes) -> None:
        self._view.send()
        self._contents.add_folder(manifest)
        self._view.note_sent((Digest.of(manifest),))

    def folders(self) -> Iterator[tuple[Digest, bytes]]:
        self._view.refuse_others("a look at all folders")
        yield from self._contents.folders()

    def runs(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        return self._contents.runs(self._view.seen(run_ids))

    def planned(self, plan: Digest) -> tuple[str, ...]:
        return self._view.seen(self._contents.planned(plan))

    def like(self, project: str, entry_point: str, most: int) -> tuple[str, ...]:
        return self._view.seen(self._contents.like(project, entry_point, most))

    def model(self, model_id: str) -> LoggedModel | None:
        found = self._contents.model(model_id)
        return found if found is not None and self.sees_model(found) else None

    def version(self, name: str, version: str) -> ModelVersion | None:
        found = self._contents.version(name, version)
        return found if found is not None and self.sees_version(found) else None

    def versions(self, model_id: str) -> tuple[ModelVersion, ...]:
        return tuple(each for each in self._contents.versions(model_id) if self.sees_version(each))

    def model_readers(self, model_id: str, most: int) -> Uses:
        return self._seen(self._contents.model_readers(model_id, self._most(most)), most)

    def dataset_readers(self, digest: str, most: int) -> Uses:
        return self._seen(self._contents.dataset_readers(digest, self._most(most)), most)

    def sees_model(self, model: LoggedModel) -> bool:
        return self._view.within is None or model.experiment_id in self._view.within

    def sees_version(self, version: ModelVersion) -> bool:
        return self._view.caller.may(Level.READ, Kind.MODEL, version.name)

    def _used(self, digest: Digest) -> Iterator[Uses]:
        """The uses of a content by runs that may be read, where there are any."""
        for find in (self._contents.makers, self._contents.readers):
            found = self._seen(find(digest, _ALL), _ALL)
            if found.uses:
                yield found

    def _most(self, most: int) -> int:
        """Of those who do not see every run, all are looked through: the first ones may be others'."""
        return most if self._view.within is None else _ALL

    def _seen(self, uses: Uses, most: int) -> Uses:
        """Those by runs that the caller may read, of `most` runs; how many others there are is nobody's
        business."""
        if self._view.within is None:
            return uses
        shown = [
            use for use in uses.uses if use.folder is None or use.run_id not in self._not_showing(use.folder)
        ]
        seen = frozenset(islice(self._view.seeing(use.run_id for use in shown), most))
        return replace(uses, uses=tuple(use for use in shown if use.run_id in seen), more=0)

    def _not_showing(self, folder: Digest) -> frozenset[str]:
        if folder not in self._silent:
            self._silent[folder] = self._view.store.reception.not_showing(folder)
        return self._silent[folder]
