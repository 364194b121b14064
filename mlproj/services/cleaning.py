"""Taking runs away for good, with what only they hold: `gc` for hidden ones, `prune` by a rule."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mlproj.errors import UsageError
from mlproj.housekeeping_ports import Garbage, Removed
from mlproj.model.events import Ended, Report, Started
from mlproj.model.moment import seconds_of
from mlproj.store_ports import Listed, RunStore


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs stay: the last so many, those younger than so many seconds, those with a tag.

    A run goes only where each rule that is given lets it go. `experiment` limits all of this to one
    experiment's runs.
    """

    keep_last: int | None = None
    older_than_s: float | None = None
    keep_tagged: bool = False
    experiment: str | None = None

    def __str__(self) -> str:
        """The rules as they stand in a tombstone."""
        rules = [
            "" if self.keep_last is None else f"beyond the last {self.keep_last}",
            "" if self.older_than_s is None else f"older than {self.older_than_s:g} s",
            "without a tag" if self.keep_tagged else "",
            "" if self.experiment is None else f"of experiment {self.experiment}",
        ]
        return ", ".join(filter(None, rules))


class Cleaning(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken away, or would be: runs, and content that nothing else names. `removed` is None for a
    rehearsal. `kept` are runs that would have gone but for a version of a registered model."""

    runs: tuple[Listed, ...]
    kept: tuple[Listed, ...]
    garbage: Garbage
    removed: Removed | None


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How to clean: by whose hand, at which moment (RFC 3339), with how many seconds of grace for content
    that nothing names, and whether only to rehearse."""

    who: str
    now: str
    grace_s: float
    dry_run: bool


def gc(store: RunStore, manner: Manner, report: Report, *, hidden_for_s: float = 0.0) -> Cleaning:
    """Forgets the runs that have been hidden for that long, and removes what nothing names.

    Raises Altered where a record cannot be read, so that nobody can tell what it names.
    """
    before = seconds_of(manner.now) - hidden_for_s
    hidden = [
        row
        for row in store.listing()
        if row.hidden
        and row.ended
        and not row.forgotten
        and (row.hidden_at is None or seconds_of(row.hidden_at) <= before)
    ]
    return _clean(store, _sorted_out(store, hidden), "it was hidden", manner, report)


def prune(store: RunStore, retention: Retention, manner: Manner, report: Report) -> Cleaning:
    """Forgets the runs that the rules let go, and removes what only they named. Running ones stay, and hidden
    ones are `gc`'s. Raises UsageError where no rule says which runs are to go."""
    if retention.keep_last is None and retention.older_than_s is None:
        raise UsageError(
            "nothing says which runs are to go", hint="give `--keep-last N`, `--older-than TIME`, or both"
        )
    going = _sorted_out(store, expendable(store.listing(), retention, manner.now))
    if not manner.dry_run:
        store.hide(*(row.run_id for row in going.rows))
    return _clean(store, going, f"pruned: {retention}", manner, report)


def expendable(rows: Sequence[Listed], retention: Retention, now: str) -> list[Listed]:
    """The runs among `rows` (in the order in which they were begun) that the rules let go."""
    listed = [
        row
        for row in rows
        if not row.hidden and not row.forgotten and retention.experiment in (None, row.experiment)
    ]
    if retention.keep_last is not None:
        listed = listed[: max(len(listed) - retention.keep_last, 0)]
    going = [row for row in listed if row.ended and not (retention.keep_tagged and row.tagged)]
    if retention.older_than_s is not None:
        before = seconds_of(now) - retention.older_than_s
        going = [row for row in going if seconds_of(row.created) < before]
    return going


class _Going(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that may go, and those that would but for what is made of them."""

    rows: tuple[Listed, ...]
    kept: tuple[Listed, ...]


def _sorted_out(store: RunStore, rows: Sequence[Listed]) -> _Going:
    needed = store.housekeeper.needed() if rows else frozenset()
    return _Going(
        rows=tuple(row for row in rows if row.run_id not in needed),
        kept=tuple(row for row in rows if row.run_id in needed),
    )


def _clean(store: RunStore, going: _Going, why: str, manner: Manner, report: Report) -> Cleaning:
    housekeeper, run_ids = store.housekeeper, [row.run_id for row in going.rows]
    report(Started(stage="look", detail="for what nothing names"))
    garbage = housekeeper.garbage(without=run_ids, grace_s=manner.grace_s)
    report(Ended(stage="look"))
    removed = None
    if not manner.dry_run:
        report(Started(stage="remove"))
        housekeeper.forget(run_ids, who=manner.who, why=why)
        removed = housekeeper.remove(garbage)
        report(Ended(stage="remove"))
    return Cleaning(runs=going.rows, kept=going.kept, garbage=garbage, removed=removed)
