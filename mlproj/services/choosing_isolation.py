"""Whether a run that is done again sees only what was recorded: wherever it can, unless told not to."""

from __future__ import annotations

from mlproj.errors import NotReproduced, UsageError
from mlproj.model.environment import Isolation
from mlproj.model.events import Note, Report
from mlproj.services.enclosing import shows_more
from mlproj.services.importing import is_brought
from mlproj.services.isolation import possible
from mlproj.services.rerunning import Wish
from mlproj.spec.docker_arguments import BUILD
from mlproj.store_ports import RunStore


def chosen_isolation(wish: Wish, store: RunStore, report: Report) -> Isolation | None:
    """The isolation of the run, None for none; why it has none although nobody forbade it is noted.

    Raises UsageError where it was asked for, and cannot be had, and NotReproduced where a stranger's record
    would have it do without.
    """
    if wish.isolated is False:
        return None
    asked = _asked_for(wish, store)
    obstacle = asked or _missing(wish)
    if obstacle is None:
        return Isolation(network=wish.allow_network)
    if wish.isolated:
        raise UsageError(f"the run cannot be isolated: {obstacle}", hint="leave `--isolated` out")
    if asked is not None and is_brought(wish.run):
        raise NotReproduced(
            f"the run `{wish.run.name}` came in a bundle, and cannot be isolated: {asked}",
            hint="if you trust who made it, `--no-isolated` does it again with all of this machine in sight",
        )
    report(Note(message=f"it is not isolated, and sees all of this machine: {obstacle}"))
    return None


def _asked_for(wish: Wish, store: RunStore) -> str | None:
    """What the record itself has in the way."""
    job = wish.run.job
    assert job is not None
    # One that a client of MLflow's began has its parent's plan, and goes on in the same place.
    if any(child.plan != wish.run.plan for child in store.children(wish.run.run_id)):
        return "its script begins further runs, which mlproj carries out from the outside"
    if job.environment.kind != "docker":
        return None
    names = (option.partition("=")[0] for option in job.environment.options)
    # What an image was built with is in it, and nothing that its container sees.
    option = shows_more((name for name in names if name != BUILD), network=wish.allow_network)
    return None if option is None else f"`-A {option}` shows its container more of this machine"


def _missing(wish: Wish) -> str | None:
    """What this machine lacks; an engine isolates its containers by itself."""
    job = wish.run.job
    assert job is not None
    return None if job.environment.kind == "docker" else possible()
