"""What is fuzzed: every reader of what other people write, each fed with bytes.

Several files are one input: what follows a line `%%% sub/b.txt` is in that file, if it is one of `FILES`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from mlproj.environments.pylock import read_pylock
from mlproj.environments.requirements import Requirements, local_packages_of_lock, read_requirements
from mlproj.errors import MlprojError
from mlproj.model.environment import Interpreter, VirtualenvSpec
from mlproj.model.plan import Origin, Value
from mlproj.model.project import EntryPoint, Project
from mlproj.planning.command import render
from mlproj.planning.entry import find_entry_point
from mlproj.planning.parameters import bind, parse_assignments
from mlproj.planning.paths import fill
from mlproj.services.check import check
from mlproj.services.conditions import parse_condition
from mlproj.services.metrics import read_metrics
from mlproj.sources.uri import enter, read_uri, shown
from mlproj.spec import environment_for, read_project
from mlproj.spec.duration import seconds
from mlproj.spec.environments import MANAGERS
from mlproj.spec.filters import FieldOrder, read_model_search, read_search
from mlproj.spec.locks import Unreadable, packages_in
from mlproj.spec.mlmodel import read_model
from mlproj.spec.requirements import lines
from mlproj.spec.searchable import Subject
from tests.fuzz.arriving import arrives
from tests.planning.making import entry as made_entry

FILES = (
    *("MLproject", "python_env.yaml", "conda.yaml", "environment.yml", "requirements.txt", "a.txt"),
    *("sub/b.txt", "pyproject.toml", "uv.lock", "pylock.toml", ".python-version"),
)
SEPARATOR = b"\n%%% "
MOST_ENTRIES = 3
"""How many entry points of one project are bound and rendered; `check` looks at all of them."""

Result = TypeVar("Result")


@dataclass(slots=True, kw_only=True)
class Trial:
    """One input on its way through a reader: an empty folder, and the errors of ours that came out."""

    folder: Path
    errors: list[MlprojError | Unreadable] = field(default_factory=list)

    def attempt(self, action: Callable[[], Result]) -> Result | None:
        try:
            return action()
        except (MlprojError, Unreadable) as error:
            self.errors.append(error)
            return None


Target = Callable[[bytes, Trial], None]


def write(data: bytes, folder: Path, first: str) -> None:
    """Puts the files of an input into `folder`, emptied first; what no line names goes into `first`."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "sub").mkdir(parents=True)
    start, *others = data.split(SEPARATOR)
    (folder / first).write_bytes(start)
    for other in others:
        name, _, content = other.partition(b"\n")
        if os.fsdecode(name) in FILES:
            (folder / os.fsdecode(name)).write_bytes(content)


def _project(data: bytes, trial: Trial, first: str) -> Project | None:
    write(data, trial.folder, first)
    found = trial.attempt(lambda: read_project(trial.folder))
    trial.attempt(lambda: check(trial.folder))
    if found is None:
        return None
    for manager in (None, *MANAGERS):
        specification = trial.attempt(partial(environment_for, found, trial.folder, manager))
        if isinstance(specification, VirtualenvSpec):
            asked = (*specification.build_dependencies, *specification.dependencies)
            _used(read_requirements(asked, trial.folder, {}))
    return found


def _mlproject(data: bytes, trial: Trial) -> None:
    found = _project(data, trial, "MLproject")
    if found is None:
        return
    for name, _ in found.unreadable[:MOST_ENTRIES]:
        trial.attempt(partial(find_entry_point, found, name, lambda script: False))
    for entry in found.entry_points[:MOST_ENTRIES]:
        _planned(entry, {}, trial)
        _planned(entry, {parameter.name: "it's $(x)" for parameter in entry.parameters[:20]}, trial)


def _planned(entry: EntryPoint, given: dict[str, str], trial: Trial) -> tuple[Value, ...] | None:
    values = trial.attempt(lambda: bind(entry, given, _located))
    if values is None:
        return None
    trial.attempt(lambda: render(entry, values, {}))
    for template in (*entry.inputs, *entry.outputs, *entry.metrics)[:20]:
        trial.attempt(partial(fill, template, values, entry))
    return values


def _located(text: str, origin: Origin) -> tuple[Path, str] | None:
    return None if text.startswith("no") else (Path("/data") / "x", "absolute")


def _python_env(data: bytes, trial: Trial) -> None:
    _project(data, trial, "python_env.yaml")


def _conda(data: bytes, trial: Trial) -> None:
    _project(data, trial, "environment.yml" if data.startswith(b"#") else "conda.yaml")


def _requirements(data: bytes, trial: Trial) -> None:
    _project(data, trial, "requirements.txt")
    asked = [line for _, line in lines(data.decode("utf-8", "replace"))]
    _used(read_requirements(asked, trial.folder, {"TOKEN": "x"}))


def _used(found: Requirements) -> None:
    assert all(isinstance(name, str) for name in found.names)
    assert all("://" in origin for origin in found.origins)


def _lock(data: bytes, trial: Trial) -> None:
    for lock_format in ("pylock", "uv", "conda", "installed"):
        trial.attempt(partial(packages_in, data, lock_format))
    python = Interpreter(
        executable=Path("/bin/python"), version="3.11.7", implementation="cpython", because=""
    )
    if b"path" not in data:  # it may be any folder of this machine, and would be digested
        trial.attempt(lambda: read_pylock(data, python, trial.folder))
    local_packages_of_lock(data.decode("utf-8", "replace"), trial.folder)


def _uv_project(data: bytes, trial: Trial) -> None:
    write(data, trial.folder, "pyproject.toml")
    (trial.folder / "uv.lock").touch()
    found = trial.attempt(lambda: read_project(trial.folder))
    if found is not None:
        trial.attempt(lambda: environment_for(found, trial.folder, "uv"))


def _values(data: bytes, trial: Trial) -> None:
    """A command, then texts as they are given to `-P`, parted by NUL."""
    command, *assignments = data.decode("utf-8", "surrogateescape").split("\0")
    given = trial.attempt(lambda: parse_assignments(assignments))
    if given is None:
        return
    declared = tuple(name for name in list(given)[:50:2])
    _planned(made_entry(command, *declared), given, trial)


def _arrival(data: bytes, trial: Trial) -> None:
    """The first byte chooses a command, the rest is the value of `x` in it."""
    trial.attempt(lambda: arrives(data[0] if data else 0, os.fsdecode(data[1:]), trial.folder))


def _timeout(data: bytes, trial: Trial) -> None:
    found = trial.attempt(lambda: seconds(data.decode("utf-8", "surrogateescape")))
    assert found is None or 0 < found < float("inf")


def _condition(data: bytes, trial: Trial) -> None:
    found = trial.attempt(lambda: parse_condition(data.decode("utf-8", "surrogateescape")))
    assert found is None or found.operator in ("=", "!=", "<", "<=", ">", ">=", "~")


def _filter(data: bytes, trial: Trial) -> None:
    """The first byte chooses what is searched for; then comes the filter, and an order after each NUL."""
    subject = tuple(Subject)[data[0] % len(Subject)] if data else Subject.RUNS
    text, *order_by = data[1:].decode("utf-8", "surrogateescape").split("\0")
    trial.attempt(lambda: read_search(subject, text, order_by))
    for name in order_by[:5]:
        trial.attempt(partial(read_model_search, text, [FieldOrder(field_name=name)]))


def _metrics(data: bytes, trial: Trial) -> None:
    """The first line is the file's name, of which only the suffix counts."""
    name, _, content = data.partition(b"\n")
    suffix = os.path.splitext(os.fsdecode(name))[1].replace("\0", "")[:9]
    path = trial.folder / f"metrics{suffix}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    points = trial.attempt(lambda: read_metrics(path))
    path.unlink()
    for point in points or ():
        assert isinstance(point.value, float) or point.value in ("NaN", "Infinity", "-Infinity")
        point.key.encode()


def _uri(data: bytes, trial: Trial) -> None:
    trial.folder.mkdir(exist_ok=True)
    address = trial.attempt(lambda: read_uri(data.decode("utf-8", "surrogateescape")))
    if address is not None:
        shown(address)
        trial.attempt(lambda: enter(trial.folder, address))


def _mlmodel(data: bytes, trial: Trial) -> None:
    write(data, trial.folder, "MLmodel")
    found = trial.attempt(lambda: read_model(trial.folder))
    if found is not None:
        for column in (*(found.signature.inputs or ()), *(found.signature.params or ())):
            assert str(column)
        assert json.dumps([found.metadata, *(flavor.details for flavor in found.flavors)])


TARGETS: dict[str, Target] = {
    "mlproject": _mlproject,
    "python_env": _python_env,
    "conda": _conda,
    "requirements": _requirements,
    "lock": _lock,
    "uv_project": _uv_project,
    "values": _values,
    "arrival": _arrival,
    "timeout": _timeout,
    "condition": _condition,
    "filter": _filter,
    "metrics": _metrics,
    "uri": _uri,
    "mlmodel": _mlmodel,
}
