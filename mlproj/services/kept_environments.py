"""`mlproj env list`, `rm` and `prune`: what is kept of environments, who used it, and what may go."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from mlproj.errors import EnvironmentFailed, UsageError, did_you_mean
from mlproj.model.digest import Digest
from mlproj.model.environment import BuiltEnvironment
from mlproj.model.moment import seconds_of
from mlproj.ports import EnvironmentCache, Leftover, Staying
from mlproj.store_ports import RunQuery, RunStore


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A run that an environment, and its lock, served."""

    run_id: str
    name: str
    key: str | None
    lock: Digest | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An environment of the cache, with the runs of a store that it served, the newest first."""

    environment: BuiltEnvironment
    uses: tuple[Use, ...]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which environments go: those not used for so many seconds, those that no recorded run used; where both
    are given, those of which both is true. With neither, none goes."""

    older_than_s: float | None = None
    unused: bool = False

    @property
    def is_given(self) -> bool:
        return self.unused or self.older_than_s is not None


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go in a rehearsal; `spared` are environments that would, and are in use."""

    environments: tuple[Kept, ...]
    spared: tuple[Kept, ...]
    leftovers: tuple[Leftover, ...]
    dry_run: bool

    @property
    def size(self) -> int:
        return sum(kept.environment.size for kept in self.environments) + sum(
            leftover.size for leftover in self.leftovers
        )


def uses_in(store: RunStore | None) -> tuple[Use, ...]:
    """The environments of all runs in a store, hidden ones too, the newest first; none where there is no
    store."""
    if store is None:
        return ()
    runs = store.search(RunQuery(limit=None, deleted=True))
    return tuple(
        Use(run_id=run.run_id, name=run.name, key=run.job.environment.key, lock=run.job.environment.lock)
        for run in runs
        if run.job is not None
    )


def list_environments(cache: EnvironmentCache, uses: Sequence[Use]) -> tuple[Kept, ...]:
    """The environments of the cache, the one that was used last first."""
    by_key: dict[str, list[Use]] = {}
    for use in uses:
        if use.key is not None:
            by_key.setdefault(use.key, []).append(use)
    found = sorted(cache.environments(), key=lambda item: (item.used, item.key), reverse=True)
    return tuple(Kept(environment=item, uses=tuple(by_key.get(item.key, ()))) for item in found)


def remove(cache: EnvironmentCache, references: Sequence[str]) -> tuple[BuiltEnvironment, ...]:
    """Removes the environments with these keys, or unique beginnings of them: all, or none where one cannot
    be found. Raises EnvironmentFailed, also for one that is in use."""
    known = {item.key: item for item in cache.environments()}
    found = list(dict.fromkeys(_find(reference, known) for reference in references))
    for key in found:
        if known[key].in_use or not cache.remove(key):
            raise EnvironmentFailed(
                f"the environment `{key[:12]}` is in use", hint="wait until the run that uses it has ended"
            )
    return tuple(known[key] for key in found)


def prune(cache: EnvironmentCache, uses: Sequence[Use], rule: Rule, *, now: str, dry_run: bool) -> Pruned:
    """Removes the environments that the rule lets go, save those in use, and what serves nobody beside them.

    `now` is RFC 3339.
    """
    everything = list_environments(cache, uses)
    going = [kept for kept in everything if _goes(kept, rule, now)]
    gone = tuple(kept for kept in going if not kept.environment.in_use)
    if not dry_run:
        gone = tuple(kept for kept in gone if cache.remove(kept.environment.key))
    spared = tuple(kept for kept in going if kept not in gone)
    staying = _staying([kept for kept in everything if kept not in gone], uses, rule, now)
    leftovers = cache.leftovers(staying)
    if not dry_run:
        leftovers = tuple(leftover for leftover in leftovers if cache.clear(leftover))
    return Pruned(environments=gone, spared=spared, leftovers=leftovers, dry_run=dry_run)


def _find(reference: str, known: Mapping[str, BuiltEnvironment]) -> str:
    matching = [key for key in known if reference and key.startswith(reference)]
    if len(matching) > 1 and reference not in known:
        raise UsageError(
            f"`{reference}` begins the keys of {len(matching)} environments", hint="give more of its digits"
        )
    if not matching:
        hint = did_you_mean(reference, known) or "`mlproj env list` lists those that there are"
        raise EnvironmentFailed(f"there is no environment `{reference}`", hint=hint)
    return reference if reference in known else matching[0]


def _goes(kept: Kept, rule: Rule, now: str) -> bool:
    if not rule.is_given or (rule.unused and kept.uses):
        return False
    age = seconds_of(now) - seconds_of(kept.environment.used)
    return rule.older_than_s is None or age > rule.older_than_s


def _staying(environments: Sequence[Kept], uses: Collection[Use], rule: Rule, now: str) -> Staying:
    """A lock is kept with an environment of it, and for as long as an environment would be."""
    locks = {kept.environment.lock for kept in environments}
    if rule.unused:
        locks |= {use.lock for use in uses}
    since = seconds_of(now) - (rule.older_than_s or 0.0)
    return Staying(
        locks=frozenset(lock for lock in locks if lock is not None),
        locks_since=since if rule.is_given else 0.0,
        caches_since=0.0 if rule.older_than_s is None else since,
    )
