"""The models that a run read or made: what they are, their files, and what was registered of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlproj.cli.sheet import Row, Section
from mlproj.cli.words import content, counted, size
from mlproj.model.registry import ModelVersion, Stage
from mlproj.services.models import ShownModel

MOST_SHOWN = 5
"""So many models are shown with their files; a script may log one in each epoch."""

_WORDS = {"input": "read", "output": "made"}


def model_sections(models: Sequence[ShownModel]) -> Iterator[Section]:
    for model in models[:MOST_SHOWN]:
        yield Section(title=f"model {model.name}", rows=(*_facts(model), *_files(model)))
    if models[MOST_SHOWN:]:
        yield Section(title="further models", rows=tuple(map(_row, models[MOST_SHOWN:])))


def _facts(model: ShownModel) -> Iterator[Row]:
    yield ("is", _use(model))
    if model.model_id is not None:
        yield ("id", model.model_id)
    if model.flavors:
        yield ("flavours", ", ".join(model.flavors))
    if model.type:
        yield ("type", model.type)
    for version in model.versions:
        yield ("registered", registered(version))


def _files(model: ShownModel) -> Iterator[Row]:
    for file in model.files:
        amount, digest = content(file, file.state)
        yield ("file", f"{file.path.removeprefix(model.path)[1:]}  {amount}  {digest}")


def _use(model: ShownModel) -> str:
    step = f" at step {model.step}" if model.step else ""
    status = f", {model.status}" if model.status else ""
    return f"{_WORDS.get(model.direction, model.direction)}{step}{status}"


def registered(version: ModelVersion) -> str:
    """A version by its name, aliases and stage."""
    told = [f"`{version.name}` version {version.version}"]
    told += [f"alias `{alias}`" for alias in version.aliases]
    told += [] if version.stage is Stage.NONE else [f"stage {version.stage.value}"]
    return ", ".join(told)


def _row(model: ShownModel) -> Row:
    amount = size(sum(file.size for file in model.files))
    return (
        model.name,
        model.model_id or model.path,
        _use(model),
        f"{counted(len(model.files), 'file')}, {amount}",
        "; ".join(map(registered, model.versions)),
    )
