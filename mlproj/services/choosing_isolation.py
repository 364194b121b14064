"""Whether a run that is done again sees only what was recorded: wherever it can, unless told not to."""

from __future__ import annotations

from mlproj.errors import UsageError
from mlproj.model.environment import Isolation
from mlproj.model.events import Note, Report
from mlproj.ports import RunStore
from mlproj.services.enclosing import shows_more
from mlproj.services.isolation import possible
from mlproj.services.rerunning import Wish


def chosen_isolation(wish: Wish, store: RunStore, report: Report) -> Isolation | None:
    """The isolation of the run, None for none; why it has none although nobody forbade it is noted.

    Raises UsageError where it was asked for, and cannot be had.
    """
    if wish.isolated is False:
        return None
    obstacle = _obstacle(wish, store)
    if obstacle is None:
        return Isolation(network=wish.allow_network)
    if wish.isolated:
        raise UsageError(f"the run cannot be isolated: {obstacle}", hint="leave `--isolated` out")
    report(Note(message=f"it is not isolated, and sees all of this machine: {obstacle}"))
    return None


def _obstacle(wish: Wish, store: RunStore) -> str | None:
    job = wish.run.job
    assert job is not None
    # One that a client of MLflow's began has its parent's plan, and goes on in the same place.
    if any(child.plan != wish.run.plan for child in store.children(wish.run.run_id)):
        return "its script begins further runs, which mlproj carries out from the outside"
    if job.environment.kind != "docker":
        return possible()
    names = (option.partition("=")[0] for option in job.environment.options)
    option = shows_more(names, network=wish.allow_network)
    return None if option is None else f"`-A {option}` shows its container more of this machine"
