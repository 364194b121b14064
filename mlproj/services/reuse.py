"""`mlproj run --reuse`: a finished run with an equal plan instead of another one, or what stood in the way.

Plans are equal by their identity. What no identity holds (secrets, undeclared reads, what a container is
given) counts as changed where it cannot be held against what it was.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator

import msgspec

from mlproj.compare.plans import Likeness
from mlproj.errors import DataError, RunNotFound
from mlproj.model.events import Note, Reused
from mlproj.model.notes import SOURCE_CHANGED
from mlproj.model.plan import Plan
from mlproj.model.provenance import InputState
from mlproj.model.record import was_brought
from mlproj.model.run import Job, Run
from mlproj.model.source import IS_OUTPUT, IS_SECRET
from mlproj.services.placing import Placing, Unplaceable
from mlproj.services.prepare import Prepared
from mlproj.services.request import Context
from mlproj.store_ports import RunStore

_MOST_TRIED = 20
"""So many runs of one plan are looked at for one that can be reused."""
_MOST_NAMED = 5
_VARIABLES = ("env", "env-file")
RUN_ID_FILE = "MLPROJ_RUN_ID_FILE"
"""Names the file that a pipeline reads the id of its step's run from, which may be that of an earlier run."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The run to reuse, if any, and why that one or why none; `likeness` is to the nearest one, then."""

    run: Run | None = None
    because: str
    likeness: Likeness | None = None


def reused(context: Context, prepared: Prepared, store: RunStore, *, elsewhere: bool) -> Run | None:
    """The finished run whose outputs now stand where this one's would; None where there is none to reuse.

    `elsewhere` says that the run is to be at a tracking server. Expects the outputs to be claimed.
    """
    decision = decide(context, prepared, store, elsewhere=elsewhere, place=True)
    likeness = decision.likeness
    context.report(
        Reused(
            run_id=None if decision.run is None else decision.run.run_id,
            because=decision.because,
            nearest=None if likeness is None else likeness.run_id,
            differs=() if likeness is None else likeness.lines,
        )
    )
    if decision.run is None:
        context.report(Note(message=f"nothing to reuse: {said(decision)}"))
    return decision.run


def decide(
    context: Context, prepared: Prepared, store: RunStore, *, elsewhere: bool, place: bool
) -> Decision:
    """Which run can be reused, if any; with `place` its outputs are put where they belong."""
    identity = prepared.plan.identity
    unfit = next(_unwanted(context, elsewhere), None) or _done_again(prepared, store)
    unfit = unfit or next(_unfit(prepared), None)
    if unfit is not None or identity is None:
        return Decision(because=unfit or "the environment's lock is not resolved yet")
    obstacles: list[str] = []
    for run in store.contents.runs(store.contents.planned(identity)[:_MOST_TRIED]):
        obstacle = next(_obstacles(context, prepared, run), None)
        try:
            if obstacle is None:
                Placing(context=context, store=store, run=run).put(prepared.products, place=place)
                return Decision(run=run, because=_because(prepared, run))
        except Unplaceable as error:
            obstacle = str(error)
        obstacles.append(f"run `{run.name}` ({run.run_id[:8]}) has an equal plan, but {obstacle}")
    if obstacles:
        return Decision(because=obstacles[0])
    # Comparing takes longer to import than all that a hit needs.
    nearest = importlib.import_module("mlproj.services.likeness").nearest
    likeness: Likeness | None = nearest(prepared, store)
    if likeness is None:
        return Decision(because=f"`{prepared.plan.entry_point}` of this project has not been run to its end")
    return Decision(because="no run has an equal plan", likeness=likeness)


def said(decision: Decision) -> str:
    """Why there is nothing to reuse, in a sentence."""
    likeness = decision.likeness
    if likeness is None:
        return decision.because
    return (
        f"{decision.because}; the nearest, `{likeness.name}` ({likeness.run_id[:8]}), differs in {likeness}"
    )


def _because(prepared: Prepared, run: Run) -> str:
    """Why the run counts as equal, and what was not held against anything."""
    reads = _reads(run)
    read = f", and so is what it read undeclared ({len(reads)})" if reads else ""
    unknown = sorted(_secret_files(prepared.job) | _outputs_of_others(prepared, run))
    shown = ", ".join(f"`{path}`" for path in unknown[:_MOST_NAMED])
    more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    left_out = f"; not compared, unless it is an input: {shown}{more}" if unknown else ""
    return f"its plan is equal ({prepared.plan.identity}){read}{left_out}"


def _secret_files(job: Job) -> set[str]:
    return {file.path for file in job.source.omitted if file.reason == IS_SECRET and file.digest is None}


def _outputs_of_others(prepared: Prepared, run: Run) -> set[str]:
    """What other entry points left in the tree, and this one may read although it does not say so. Where
    reads were seen, the others were not."""
    tracing = None if run.outcome is None else run.outcome.tracing
    if tracing is not None and tracing.means is not None and tracing.pythons:
        return set()
    below = prepared.job.source.subfolder
    ours = {os.path.normpath(os.path.join(below, path)) for path in prepared.products}
    left = (file.path.rstrip("/") for file in prepared.job.source.omitted if file.reason == IS_OUTPUT)
    return {path for path in left if path not in ours}


def _unwanted(context: Context, elsewhere: bool) -> Iterator[str]:
    """Why whoever asked for the run needs one of its own."""
    request = context.request
    if elsewhere:
        yield "the run is to be at a tracking server, which has to see it go on"
    if request.run_id is not None and RUN_ID_FILE not in request.environ:
        yield "the id of the run was announced"


def _done_again(prepared: Prepared, store: RunStore) -> str | None:
    """Why a step of a run that is done again cannot be the very one that it is to be held against."""
    parent = prepared.job.parent
    while parent is not None:
        try:
            run = store.find(parent)
        except RunNotFound:
            return None
        if run.reproduces is not None:
            return "it is a step of a run that is done again"
        parent = None if run.job is None else run.job.parent
    return None


def _unfit(prepared: Prepared) -> Iterator[str]:
    """Why no run could count as equal to what is planned."""
    for state in prepared.job.inputs:
        if state.digest is None:
            yield f"nobody knows the content of the input `{state.name}` (`{state.path}`)"
    for parameter in _secrets(prepared.plan):
        yield f"the parameter `{parameter}` is a secret, and no record says whether it is the same"
    launch = prepared.locked.launch
    if launch is None:
        return
    if launch.volumes:
        yield f"nobody knows what the volume `{launch.volumes[0]}` holds"
    copied = [name for name, value in launch.environment if value is None]
    given = [value or name for name, value in launch.arguments if name in _VARIABLES]
    for name in (*copied, *given):
        yield f"no record says what the container's variable `{name.partition('=')[0]}` was"


def _secrets(plan: Plan) -> list[str]:
    return [parameter.name for parameter in plan.parameters if parameter.text is None]


def _obstacles(context: Context, prepared: Prepared, run: Run) -> Iterator[str]:
    """Why a run of the same plan does not count as equal, or cannot be had any more; outputs apart."""
    if run.plan is None or run.job is None or run.outcome is None or run.plan != prepared.plan:
        yield "its record cannot be read"
        return
    if was_brought(run):
        yield "it came from elsewhere, in a bundle"
    if run.outcome.lost:
        yield "not all that it left was kept"
    if any(note.startswith(SOURCE_CHANGED) for note in run.outcome.notes):
        yield "the source changed while it went on"
    if _secret_files(run.job) != _secret_files(prepared.job):
        yield "other secret files lay in the source"
    if run.job.environment.options != prepared.job.environment.options:
        yield "its container had other options"
    for read in _reads(run):
        changed = _changed(context, read)
        if changed is not None:
            yield changed


def _reads(run: Run) -> tuple[InputState, ...]:
    """What a run was seen to read with nobody declaring it."""
    return () if run.outcome is None else run.outcome.reads


def _changed(context: Context, read: InputState) -> str | None:
    """What became of data that a run read undeclared, unless it is as it was."""
    project = context.checkout.directory
    try:
        now = context.tools.observer.data(
            read.name, project / read.path, project, declared=False, report=context.report
        ).state.digest
    except DataError:
        return f"`{read.path}`, which it read undeclared, is gone"
    return None if now == read.digest else f"`{read.path}`, which it read undeclared, has changed"
