"""The models of a watch's runs: registered, and put into a stage where the rules let them.

What the registry's history tells is done already is not done again, so that whoever was killed between a run
and its model can be started anew.
"""

from __future__ import annotations

import msgspec

from mlproj.errors import DataError
from mlproj.model.registry import Act, RecordedChange
from mlproj.model.run import Run, Status
from mlproj.services.collect import ARTIFACTS
from mlproj.services.models import ShownModel, models_of
from mlproj.services.watched import Delivery, trigger_of
from mlproj.store_ports import RunStore
from mlproj.watch_ports import ModelDesk, Promotion

_SETTLED = (Act.STAGE, Act.REFUSED, Act.VERSION_DELETED)


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The version that was made of a run's model, and what came of its promotion, if one was wanted."""

    model: str
    version: int
    promotion: Promotion | None = None


def deliver(run: Run, delivery: Delivery, desk: ModelDesk, store: RunStore) -> Delivered | None:
    """Registers the model of a finished run, and promotes it; None where nothing is left to do, and where
    something else was to become of it when the run was started.

    Raises DataError where the run left no such model.
    """
    trigger = trigger_of(run)
    if run.status is not Status.FINISHED or trigger is None:
        return None
    if (trigger.register, trigger.promote) != delivery.told:
        return None
    why = f"watch `{trigger.watch}`, run {run.run_id[:8]}: {trigger.told}"
    history = [each for each in desk.history(delivery.model) if each.change.version is not None]
    version = _registered(history, run.run_id)
    new = version is None
    if version is None:
        address = f"runs:/{run.run_id}/{delivery.path or _only_model(run, store)}"
        version = desk.register(delivery.model, address, watch=trigger.watch, why=why)
    wanted = delivery.promote is not None and not _is_settled(history, version)
    if not new and not wanted:
        return None
    promotion = None
    if wanted and delivery.promote is not None:
        promotion = desk.promote(
            delivery.model,
            version,
            delivery.promote,
            archive_existing=delivery.archive_existing,
            why=why,
        )
    return Delivered(model=delivery.model, version=version, promotion=promotion)


def _registered(history: list[RecordedChange], run_id: str) -> int | None:
    made = (
        each.change.version
        for each in history
        if each.change.act is Act.VERSION_CREATED and each.change.run_id == run_id
    )
    return next(made, None)


def _is_settled(history: list[RecordedChange], version: int) -> bool:
    return any(each.change.version == version and each.change.act in _SETTLED for each in history)


def _only_model(run: Run, store: RunStore) -> str:
    """Where, below a run's artifacts, the one model is that it left."""
    made = {_place(model) for model in models_of(run, store) if model.direction == "output"}
    if len(made) == 1:
        return made.pop()
    found = f"{len(made)} models: {', '.join(f'`{path}`' for path in sorted(made))}" if made else "no model"
    raise DataError(
        f"the run `{run.name}` left {found}",
        hint="say which with `--register NAME:PATH`"
        if made
        else "mark an output with `model: true`, log a model, or say `--register NAME:PATH`",
    )


def _place(model: ShownModel) -> str:
    return model.name if model.model_id is not None else model.path.removeprefix(f"{ARTIFACTS}/")
