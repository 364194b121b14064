"""Whether the data of an entry point is no longer what a watch's last run read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from mlproj.errors import DataError, UsageError, did_you_mean
from mlproj.model.events import silent
from mlproj.model.project import EntryPoint, Project
from mlproj.model.provenance import InputState
from mlproj.model.source import Checkout
from mlproj.model.trigger import DataChange
from mlproj.planning.entry import find_entry_point
from mlproj.services.inputs import bound, observed
from mlproj.services.request import Context, Tools
from mlproj.services.watched import Known, Watch, has_content
from mlproj.spec import read_project


def entry_of(project: Project, watch: Watch, checkout: Checkout) -> EntryPoint:
    """The entry point that the watch runs. Raises UsageError where there is none of that name."""
    return find_entry_point(
        project, watch.request.entry_point, lambda name: os.path.isfile(checkout.directory / name)
    )


def data_of(watch: Watch, tools: Tools, checkout: Checkout) -> tuple[InputState, ...]:
    """The data that the watch looks at, as it is now. Raises DataError where it cannot be told, SpecError,
    ParameterError, and UsageError where there is none."""
    entry = entry_of(read_project(checkout.directory), watch, checkout)
    context = Context(request=watch.request, checkout=checkout, tools=tools, report=silent)
    seen = observed(context, entry, bound(context, entry, storage=None))
    states = {each.state.name: each.state for each in seen}
    if not states:
        raise UsageError(
            f"the entry point `{entry.name}` has no data to watch: no `inputs:`, and no `path` parameter",
            hint="declare it in the MLproject, or name it with `--input`",
        )
    for name in watch.data:
        if name not in states:
            named = ", ".join(f"`{known}`" for known in states)
            raise UsageError(
                f"`{name}` is no data of the entry point `{entry.name}`",
                hint=did_you_mean(name, states) or f"there is {named}",
            )
    chosen = tuple(states[name] for name in dict.fromkeys(watch.data or states))
    for state in chosen:
        if not state_of(state):
            raise DataError(f"nothing tells whether `{state.path}` changed: nobody answers there")
    return chosen


def state_of(state: InputState) -> str:
    """What tells whether data changed: its digest, else what a server says of it; else nothing."""
    if has_content(state):
        return str(state.digest)
    return ", ".join(f"{key} {text}" for key, text in state.remote)


def changes(states: Sequence[InputState], known: Known) -> Iterator[DataChange]:
    """What the watch did not see when it last started a run, but for what that run left itself."""
    for state in states:
        before, after = known.inputs.get(state.name), state_of(state)
        if after != before and known.made.get(state.path) != after:
            yield DataChange(name=state.name, path=state.path, before=before, after=after)
