"""Whether registered models stand as the chain says that they were put."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from mlproj.model.entries import read_registry
from mlproj.model.record import EntryKind
from mlproj.model.registry import Act, Change, Stage, Standing
from mlproj.store_ports import RunStore

_LOOKS = 5
"""So often it is looked again where somebody changed something meanwhile."""


def registry_problems(store: RunStore) -> tuple[str, ...]:
    """What stands otherwise. Of models that the chain does not know nothing is said."""
    found: tuple[str, ...] = ()
    for _ in range(_LOOKS):
        head = store.head()
        standings = {each.name: each for each in store.registry()}
        found = tuple(_differences(replayed(_changes(store)), standings))
        if not found or store.head() == head:
            return found
    return ()


def replayed(changes: Iterable[Change]) -> dict[str, Standing]:
    """How models stand after changes that were made one after the other."""
    models: dict[str, Standing] = {}
    for change in changes:
        name = change.model
        if change.act is Act.CREATED:
            models[name] = Standing(name=name, stages={}, aliases={})
        elif (model := models.pop(name, None)) is not None and change.act is not Act.DELETED:
            changed = _changed(model, change)
            models[changed.name] = changed
    return models


def _changes(store: RunStore) -> Iterator[Change]:
    for entry in store.entries(EntryKind.REGISTRY):
        # What cannot be read is named when the chain is walked.
        with contextlib.suppress(ValueError):
            yield read_registry(entry.payload or b"")


def _changed(model: Standing, change: Change) -> Standing:
    stages, aliases, version = dict(model.stages), dict(model.aliases), change.version
    match change.act:
        case Act.RENAMED:
            return replace(model, name=change.after or model.name)
        case Act.RULES_SET | Act.RULES_REMOVED:
            return replace(model, rules=change.after)
        case Act.VERSION_CREATED if version is not None:
            stages[version] = Stage.NONE.value
        case Act.VERSION_DELETED if version is not None:
            stages.pop(version, None)
            aliases = {alias: each for alias, each in aliases.items() if each != version}
        case Act.STAGE if version is not None:
            stages[version] = change.after or Stage.NONE.value
        case Act.ALIAS_SET if version is not None:
            aliases[change.alias or ""] = version
        case Act.ALIAS_REMOVED:
            aliases.pop(change.alias or "", None)
        case _:  # a promotion that was refused moved nothing
            return model
    return replace(model, stages=stages, aliases=aliases)


def _differences(told: dict[str, Standing], there: dict[str, Standing]) -> Iterator[str]:
    for name, model in told.items():
        found = there.get(name)
        if found is None:
            yield f"the registered model `{name}` is not there, and nothing says that it was deleted"
            continue
        for number in sorted({*model.stages, *found.stages}):
            put, stands = model.stages.get(number), found.stages.get(number)
            if put != stands:
                was = "nowhere" if put is None else f"into {put}"
                now = "not there" if stands is None else f"in {stands}"
                yield f"version {number} of `{name}` was put {was}, and is {now}"
        for alias in sorted({*model.aliases, *found.aliases}):
            if model.aliases.get(alias) != found.aliases.get(alias):
                yield f"the alias `{alias}` of `{name}` does not stand for the version that it was set to"
        if model.rules != found.rules:
            yield f"the rules of `{name}` are not those that were set"
