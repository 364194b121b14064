"""Who read or left which content, as a server tells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from mlproj import store_wire as wire
from mlproj.lineage_ports import Uses
from mlproj.model.digest import Digest
from mlproj.model.registry import ModelVersion
from mlproj.model.run import Run
from mlproj.model.tracking import LoggedModel
from mlproj.remote.store.line import Line

_AT_ONCE = 200


class FarContents:
    """The `Contents` of a server. `later` takes a folder to be told of when a run that goes on is sealed, and
    says whether it did; `seen` hears which runs were looked at."""

    def __init__(self, line: Line, later: Callable[[bytes], bool], seen: Callable[[str], None]) -> None:
        self._line = line
        self._later = later
        self._seen = seen

    def makers(self, digest: Digest, most: int) -> Uses:
        return self._uses(wire.MAKERS, digest, most)

    def readers(self, digest: Digest, most: int) -> Uses:
        return self._uses(wire.READERS, digest, most)

    def model_readers(self, model_id: str, most: int) -> Uses:
        return self._uses(wire.MODEL_READERS, model_id, most)

    def dataset_readers(self, digest: str, most: int) -> Uses:
        return self._uses(wire.DATASET_READERS, digest, most)

    def beginning(self, digits: str) -> tuple[Digest, ...]:
        found: tuple[Digest, ...] = self._line.ask(wire.BEGINNING, wire.Digits(digits=digits))
        return found

    def files(self, folder: Digest) -> tuple[tuple[bytes, Digest], ...]:
        found: tuple[tuple[bytes, Digest], ...] = self._line.ask(wire.FILES, wire.Named(digest=folder))
        return found

    def add_folder(self, manifest: bytes) -> None:
        if not self._later(manifest):
            self._line.ask(wire.ADD_FOLDER, wire.Folder(manifest=manifest))

    def folders(self) -> Iterator[tuple[Digest, bytes]]:
        after = ""
        while found := self._line.ask(wire.FOLDERS, wire.Page(after=after)):
            yield from found
            after = found[-1][0]

    def runs(self, run_ids: Collection[str]) -> tuple[Run, ...]:
        found: list[Run] = []
        wanted = tuple(run_ids)
        for start in range(0, len(wanted), _AT_ONCE):
            found += self._line.ask(wire.RUNS, wire.OfRuns(run_ids=wanted[start : start + _AT_ONCE]))
        for run in found:
            self._seen(run.run_id)
        return tuple(found)

    def planned(self, plan: Digest) -> tuple[str, ...]:
        found: tuple[str, ...] = self._line.ask(wire.PLANNED, wire.Named(digest=plan))
        return found

    def like(self, project: str, entry_point: str, most: int) -> tuple[str, ...]:
        asked = wire.Like(project=project, entry_point=entry_point, most=most)
        found: tuple[str, ...] = self._line.ask(wire.LIKE, asked)
        return found

    def model(self, model_id: str) -> LoggedModel | None:
        found: LoggedModel | None = self._line.ask(wire.MODEL, wire.Numbered(identifier=model_id))
        return found

    def version(self, name: str, version: str) -> ModelVersion | None:
        found: ModelVersion | None = self._line.ask(wire.VERSION, wire.Version(name=name, version=version))
        return found

    def versions(self, model_id: str) -> tuple[ModelVersion, ...]:
        found: tuple[ModelVersion, ...] = self._line.ask(wire.VERSIONS, wire.Numbered(identifier=model_id))
        return found

    def _uses(self, question: wire.Question, what: str, most: int) -> Uses:
        found: Uses = self._line.ask(question, wire.Users(what=str(what), most=most))
        return found
