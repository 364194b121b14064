"""Whether a run that is done again sees only what was recorded: wherever it can, unless told not to."""

from __future__ import annotations

from mlproj.errors import UsageError
from mlproj.model.environment import Isolation
from mlproj.model.events import Note, Report
from mlproj.ports import RunStore
from mlproj.services.enclosing import shows_more
from mlproj.services.importing import is_brought
from mlproj.services.isolation import possible
from mlproj.services.rerunning import Wish


def chosen_isolation(wish: Wish, store: RunStore, report: Report) -> Isolation | None:
    """The isolation of the run, None for none; why it has none although nobody forbade it is noted.

    Raises UsageError where it was asked for, and cannot be had; and where a run that came in a bundle asks
    for more of this machine itself, and nobody said that it may have that.
    """
    if wish.isolated is False:
        return None
    own = _own_obstacle(wish, store)
    obstacle = own or _obstacle(wish)
    if obstacle is None:
        return Isolation(network=wish.allow_network)
    if wish.isolated:
        raise UsageError(f"the run cannot be isolated: {obstacle}", hint="leave `--isolated` out")
    if own is not None and is_brought(wish.run):
        raise UsageError(
            f"a run that came in a bundle is isolated, and this one cannot be: {own}",
            hint="`--no-isolated` has it see all of this machine",
        )
    report(Note(message=f"it is not isolated, and sees all of this machine: {obstacle}"))
    return None


def _obstacle(wish: Wish) -> str | None:
    """What of this machine is in the way."""
    job = wish.run.job
    assert job is not None
    return None if job.environment.kind == "docker" else possible()


def _own_obstacle(wish: Wish, store: RunStore) -> str | None:
    """What of the run itself is in the way."""
    job = wish.run.job
    assert job is not None
    if store.children(wish.run.run_id):
        return "its script begins further runs, which mlproj carries out from the outside"
    if job.environment.kind != "docker":
        return None
    names = (option.partition("=")[0] for option in job.environment.options)
    option = shows_more(names, network=wish.allow_network)
    return None if option is None else f"`-A {option}` shows its container more of this machine"
