"""Changes of the registry in the words of MLflow's webhooks, and in ours where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from mlproj.model.registry import PROMPT_TAG, Act, Change
from mlproj.model.tracking import Pairs
from mlproj.model.webhooks import TRANSITIONED
from mlproj.store.tracking_tables import registered_model_tags, registered_models
from mlproj.store.webhook_tables import webhooks
from mlproj.store.webhooks.putting import put_for_all

_PROMPT_TEXT = "mlflow.prompt.text"
_OF_PROMPTS = frozenset({PROMPT_TAG, "_mlflow_prompt_type"})
"""Tags that only say what kind of thing it is."""


def announce_created(connection: Connection, time: str, name: str, tags: Pairs, description: str) -> None:
    known = dict(tags)
    entity = "registered_model"
    if _says_prompt(known):
        entity, known = "prompt", _without(known, _OF_PROMPTS)
    data = {"name": name, "tags": known, "description": description}
    put_for_all(connection, time, f"{entity}.created", data, model=name)


def announce_version(
    connection: Connection, time: str, change: Change, tags: Pairs, description: str
) -> None:
    """Of a version that was made."""
    known = dict(tags)
    told: dict[str, Any] = {"name": change.model, "version": str(change.version)}
    if _says_prompt(known):
        entity = "prompt_version"
        told |= {"template": known.get(_PROMPT_TEXT)}
        known = _without(known, {*_OF_PROMPTS, _PROMPT_TEXT})
    else:
        entity = "model_version"
        told |= {"source": change.source, "run_id": change.run_id or None}
    data = {**told, "tags": known, "description": description or None}
    put_for_all(connection, time, f"{entity}.created", data, model=change.model)


def announce_tag(connection: Connection, time: str, model: int, name: str, pair: Mapping[str, str]) -> None:
    """Of a tag of a registered model, which MLflow tells of prompts alone; without a value it was taken."""
    if _is_prompt(connection, model):
        action = "set" if "value" in pair else "deleted"
        put_for_all(connection, time, f"prompt_tag.{action}", {"name": name, **pair}, model=name)


def announce_version_tag(
    connection: Connection, time: str, model: int, version: Mapping[str, str], pair: Mapping[str, str]
) -> None:
    """As `announce_tag`, of a `version`, by its `name` and `version`."""
    entity = "prompt_version_tag" if _is_prompt(connection, model) else "model_version_tag"
    action = "set" if "value" in pair else "deleted"
    put_for_all(connection, time, f"{entity}.{action}", {**version, **pair}, model=version["name"])


def announce_alias(
    connection: Connection, time: str, model: int, name: str, alias: str, version: int | None
) -> None:
    """Of an alias that was set, or removed where there is no version."""
    entity = "prompt_alias" if _is_prompt(connection, model) else "model_version_alias"
    data = {"name": name, "alias": alias}
    if version is None:
        put_for_all(connection, time, f"{entity}.deleted", data, model=name)
    else:
        put_for_all(connection, time, f"{entity}.created", {**data, "version": str(version)}, model=name)


def announce_transition(connection: Connection, time: str, change: Change) -> None:
    """Of a version that came into another stage; of any other change nothing is told."""
    if change.act is not Act.STAGE or change.before == change.after:
        return
    data: dict[str, Any] = {
        "name": change.model,
        "version": str(change.version),
        "from_stage": change.before,
        "to_stage": change.after,
        "run_id": change.run_id,
        "who": change.who,
        "why": change.why,
    }
    put_for_all(connection, time, TRANSITIONED, data, model=change.model)


def follow(connection: Connection, name: str, new: str) -> None:
    """Has the webhooks of a registered model that is renamed stay its own."""
    connection.execute(update(webhooks).where(webhooks.c.model == name).values(model=new))


def _is_prompt(connection: Connection, model: int) -> bool:
    tags = registered_model_tags.c
    statement = (
        select(tags.value)
        .join(registered_models, registered_models.c.id == tags.model)
        .where(tags.model == model, tags.key == PROMPT_TAG)
    )
    value = connection.execute(statement).scalar()
    return value is not None and value.lower() == "true"


def _says_prompt(tags: Mapping[str, str]) -> bool:
    return tags.get(PROMPT_TAG, "false").lower() == "true"


def _without(tags: Mapping[str, str], keys: frozenset[str] | set[str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in keys}
