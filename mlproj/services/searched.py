"""Whether what is searched of a run is what its record and the amendments to it say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlproj.model.index import index_of
from mlproj.model.record import Entry
from mlproj.model.run import Run
from mlproj.services.contents import Contents
from mlproj.services.findings import Findings
from mlproj.services.later import Later, digest
from mlproj.store_ports import RunStore


class Searched:
    """Holds the tables of a store against the records of its chain; the name of an experiment where `renames`
    of it are known."""

    def __init__(
        self, store: RunStore, later: Later, contents: Contents, findings: Findings, *, renames: bool = True
    ) -> None:
        self._store = store
        self._later = later
        self._contents = contents
        self._findings = findings
        self._renames = renames

    def check(self, runs: Sequence[tuple[Entry, Run]]) -> None:
        """Looks at some runs (a few hundred at most) with what was added to them, each with its entry."""
        found = self._store.indexes([run.run_id for _, run in runs])
        for entry, run in runs:
            if run.run_id in found:
                self._check(entry, run, found[run.run_id])
            else:
                self._findings.add_of(entry, "index", "is of a run that is no longer listed")

    def _check(self, entry: Entry, run: Run, found: Mapping[str, object]) -> None:
        try:
            index = index_of(run)
            there, history = self._history(run, found["history"])
        except (KeyError, ValueError) as error:
            self._findings.add_of(entry, "record", f"was amended with what cannot be read: {error}")
            return
        expected = {
            **index.mapping(),
            "experiment": self._later.experiment(index.experiment, entry.sequence),
            "record": entry.digest,
            "sequence": entry.sequence,
            "history": history,
        }
        found = {**found, "history": there}
        if not self._renames:
            expected["experiment"] = found.get("experiment")
        if found != expected:
            for name, value in expected.items():
                if found.get(name) != value:
                    told = f"says {_shown(found.get(name), value)}, not {_shown(value, found.get(name))}"
                    self._findings.add(run.run_id, f"index.{name}", f"what is searched of the run {told}")

    def _history(self, run: Run, found: object) -> tuple[object, object]:
        """What there is of the points of the run's metrics, and what there should be, in the same form; twice
        what was `found`, where more came to the record's points and those are lost."""
        logged = None if run.outcome is None or run.outcome.logged is None else run.outcome.logged.history
        file = None if logged is None else self._contents.sound_file(logged)
        if not self._later.adds_points(run):
            return _digested(found), logged
        if logged is not None and file is None:
            return found, found
        points = self._later.points(run, file)
        return (found, points) if found == points else (_digested(found), digest(points))


def _digested(history: object) -> object:
    """Points that are told one by one, by their digest."""
    return digest(history) if isinstance(history, tuple) else history


def _shown(value: object, other: object) -> str:
    """A value for a sentence, in a mapping or set only what the other does not have."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return repr({key: item for key, item in value.items() if other.get(key) != item})
    if isinstance(value, frozenset) and isinstance(other, frozenset):
        return repr(sorted(value - other, key=repr))
    return "nothing" if value is None else f"`{value}`"
