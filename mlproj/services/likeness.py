"""Of the runs of an entry point, the one whose plan is nearest to another, and what differs."""

from __future__ import annotations

from mlproj.compare.plans import LOCK, MOST_NAMED, SNAPSHOT, Likeness, plan_changes
from mlproj.compare.runs import Change, Contents, File, RunDifference, compare_runs
from mlproj.model.digest import Digest, read_manifest, readable
from mlproj.model.run import Run
from mlproj.services.diff import contents_of
from mlproj.services.prepare import Prepared
from mlproj.store_ports import RunStore

_MOST_TRIED = 50
_LONGEST = 60


def nearest(prepared: Prepared, store: RunStore) -> Likeness | None:
    """The run that differs in the fewest things, of several the newest; None where there is none."""
    contents, plan = store.contents, prepared.plan
    tried = contents.runs(contents.like(prepared.job.project, plan.entry_point, _MOST_TRIED))
    differing = [(run, plan_changes(run.plan, plan)) for run in tried if run.plan is not None]
    if not differing:
        return None
    run, changes = min(differing, key=lambda pair: len(pair[1]))
    lines = tuple(line for change in changes for line in _lines(change, run, prepared, store))
    return Likeness(run_id=run.run_id, name=run.name, lines=lines)


def _lines(change: Change, run: Run, prepared: Prepared, store: RunStore) -> list[str]:
    if change.name in (SNAPSHOT, LOCK):
        named = _files(run, prepared, store) if change.name == SNAPSHOT else _packages(run, prepared, store)
        return [f"{change.name}: {', '.join(named[:MOST_NAMED])}{_more(named)}" if named else change.name]
    return [f"{change.name}: {_told(change.before)}, now {_told(change.after)}"]


def _files(run: Run, prepared: Prepared, store: RunStore) -> list[str]:
    return [f"`{file.path}`" for file in _compared(run, prepared, store).files]


def _packages(run: Run, prepared: Prepared, store: RunStore) -> list[str]:
    changes = _compared(run, prepared, store).packages
    return [f"{item.name} {_told(item.before)}, now {_told(item.after)}" for item in changes]


def _compared(run: Run, prepared: Prepared, store: RunStore) -> RunDifference:
    now = Run(run_id="", name="", created="", plan=prepared.plan, job=prepared.job)
    files: dict[str, File] = {
        readable(path): (mode, digest) for path, mode, digest in read_manifest(prepared.snapshot.manifest)
    }
    lock = prepared.locked.lock
    contents = Contents(files=files, packages=None if lock is None else lock.packages)
    return compare_runs(run, now, (contents_of(store.blobs, run), contents))


def _more(named: list[str]) -> str:
    return f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""


def _told(value: str | None) -> str:
    """A value in few words: a digest by its first digits."""
    if value is None:
        return "nothing"
    if value.startswith("sha256:"):
        return f"sha256 {Digest(value).hex[:12]}"
    return f"`{value if len(value) <= _LONGEST else value[:_LONGEST] + '…'}`"
