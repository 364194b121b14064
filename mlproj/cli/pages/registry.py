"""Registered models as pages and as documents: which there are, where each version stands, what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import counted
from mlproj.model.digest import plain
from mlproj.model.moment import moment_of
from mlproj.model.registry import Act, Change, RecordedChange
from mlproj.model.rules import Check
from mlproj.server.wire.registry import ToldRegisteredModel, ToldVersion


def model_document(model: ToldRegisteredModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "description": model.description,
        "created": _time(model.creation_timestamp),
        "updated": _time(model.last_updated_timestamp),
        "tags": {tag.key: tag.value for tag in model.tags},
        "aliases": {alias.alias: int(alias.version) for alias in model.aliases},
        "latest": {each.current_stage: int(each.version) for each in model.latest_versions},
    }


def version_document(version: ToldVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": int(version.version),
        "stage": version.current_stage,
        "aliases": list(version.aliases),
        "description": version.description,
        "tags": {tag.key: tag.value for tag in version.tags},
        "source": version.source,
        "run_id": version.run_id or None,
        "model_id": version.model_id,
        "user": version.user_id,
        "status": version.status,
        "created": _time(version.creation_timestamp),
        "updated": _time(version.last_updated_timestamp),
    }


def models_page(models: Sequence[ToldRegisteredModel]) -> list[Section]:
    rows = tuple(
        (
            model.name,
            ", ".join(f"{each.current_stage} {each.version}" for each in model.latest_versions),
            " ".join(f"@{each.alias}={each.version}" for each in model.aliases),
            _shown(model.last_updated_timestamp),
        )
        for model in models
    )
    return [Section(headings=("MODEL", "LATEST", "ALIASES", "CHANGED (UTC)"), rows=rows)]


def versions_page(versions: Sequence[ToldVersion]) -> list[Section]:
    rows = tuple(
        (
            version.name,
            version.version,
            version.current_stage,
            " ".join(f"@{alias}" for alias in version.aliases),
            version.run_id[:8],
            _shown(version.creation_timestamp),
        )
        for version in versions
    )
    return [Section(headings=("MODEL", "VERSION", "STAGE", "ALIASES", "RUN", "MADE (UTC)"), rows=rows)]


def model_page(model: ToldRegisteredModel, versions: Sequence[ToldVersion]) -> list[Section]:
    rows: list[Row] = [("made", _shown(model.creation_timestamp))]
    rows += [("description", model.description)] if model.description else []
    rows += [("tag", f"{tag.key}={tag.value}") for tag in model.tags]
    return [Section(title=model.name, rows=tuple(rows)), *versions_page(versions)]


def version_page(version: ToldVersion) -> list[Section]:
    rows: list[Row] = [
        ("stage", version.current_stage),
        (
            "made",
            f"{_shown(version.creation_timestamp)}{f' by {version.user_id}' if version.user_id else ''}",
        ),
        ("source", version.source),
    ]
    rows += [("run", version.run_id)] if version.run_id else []
    rows += [("logged model", version.model_id)] if version.model_id else []
    rows += [("alias", alias) for alias in version.aliases]
    rows += [("description", version.description)] if version.description else []
    rows += [("tag", f"{tag.key}={tag.value}") for tag in version.tags]
    return [Section(title=f"{version.name} version {version.version}", rows=tuple(rows))]


def history_page(changes: Sequence[RecordedChange]) -> list[Section]:
    rows = tuple(
        (
            str(each.sequence),
            each.time[:19].replace("T", " "),
            each.change.who or "-",
            told(each.change),
            each.change.why,
        )
        for each in changes
    )
    return [Section(headings=("ENTRY", "TIME (UTC)", "WHO", "WHAT", "WHY"), rows=rows)]


def history_document(name: str, changes: Sequence[RecordedChange]) -> dict[str, Any]:
    return {
        "schema": "mlproj/model-history/1",
        "name": name,
        "changes": [{"sequence": each.sequence, "time": each.time, **plain(each.change)} for each in changes],
    }


def checks_page(checks: Sequence[Check]) -> list[Section]:
    rows = tuple(("holds" if check.holds else "FAILS", check.rule, check.told) for check in checks)
    return [Section(headings=("", "RULE", "FOUND"), rows=rows)]


def told(change: Change) -> str:
    """A change in a few words."""
    version = f"version {change.version}"
    held = f", {counted(len(change.checks), 'rule')} held" if change.checks else ""
    match change.act:
        case Act.CREATED | Act.DELETED:
            return f"model {change.act.value}"
        case Act.RENAMED:
            return f"renamed from {change.before} to {change.after}"
        case Act.VERSION_CREATED | Act.VERSION_DELETED:
            return f"{version} {change.act.value.removeprefix('version ')}"
        case Act.STAGE:
            left = f", as version {change.with_version} came" if change.with_version else ""
            return f"{version}: {change.before} -> {change.after}{held}{left}"
        case Act.REFUSED:
            broken = sum(not check.holds for check in change.checks)
            return f"{version}: {change.after} refused, {broken} of {len(change.checks)} rules fail"
        case Act.ALIAS_SET:
            before = f" (before: version {change.before})" if change.before else ""
            return f"{version}: alias {change.alias} set{before}"
        case Act.ALIAS_REMOVED:
            return f"{version}: alias {change.alias} removed"
        case Act.RULES_SET | Act.RULES_REMOVED:
            return f"{change.act.value}"


def _time(milliseconds: int) -> str:
    return moment_of(milliseconds, "")


def _shown(milliseconds: int) -> str:
    return _time(milliseconds)[:16].replace("T", " ")
