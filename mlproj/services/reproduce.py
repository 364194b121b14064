"""`mlproj reproduce`: carries a recorded plan out again, and holds what comes of it against the record."""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from mlproj.compare.verdict import Failure, Verdict
from mlproj.errors import (
    Altered,
    DataError,
    EnvironmentFailed,
    Interrupted,
    MlprojError,
    NotReproduced,
    ProjectError,
    Refused,
    RunNotFound,
    UsageError,
)
from mlproj.model.events import Note, Report
from mlproj.model.plan import Origin
from mlproj.model.run import Run
from mlproj.model.source import Checkout, Snapshot
from mlproj.model.tolerance import Named
from mlproj.services.bringing import Bringer, Places
from mlproj.services.choosing_isolation import chosen_isolation
from mlproj.services.importing import is_brought
from mlproj.services.interrupts import interruptible
from mlproj.services.laying_out import bring_source, kept, lay_out, project_in, root_of, there
from mlproj.services.prepare import Prepared
from mlproj.services.recorded_world import LaidOut, RecordedSource
from mlproj.services.request import Tools
from mlproj.services.rerunning import MANAGERS, Scene, Wish, again
from mlproj.services.run import run as carry_out
from mlproj.services.undeclared import bring_undeclared, placeable, read_by_steps
from mlproj.services.verify import verify
from mlproj.services.weighing import Again, variations, weigh
from mlproj.spec import read_project
from mlproj.store_ports import RunStore

VERDICT = "reproduction"
"""The kind of the amendment that keeps a verdict with the run that it is of."""


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was done again: `runs` are those that came of it, sealed."""

    original: Run
    runs: tuple[Run, ...]
    verdict: Verdict


def reproduce(wish: Wish, store: RunStore, tools: Tools, report: Report) -> Reproduction:
    """Carries the plan of a recorded run out again, as often as is wished, and gives the verdict.

    What keeps it from coming to a result is part of the verdict. Raises Altered where the record, or what it
    names, is not what was sealed, NotReproduced for a run that cannot be done again by anybody, and
    UsageError for a wish that cannot be meant. Raises Interrupted where it is, with nothing left but the runs
    that had begun, closed.
    """
    with interruptible():
        return _reproduced(wish, store, tools, report)


def _reproduced(wish: Wish, store: RunStore, tools: Tools, report: Report) -> Reproduction:
    original = wish.run
    _check_record(original, store, report)
    _check_wish(wish)
    runs: list[Run] = []
    failure: Failure | None = None
    declared: tuple[Named, ...] = ()
    for _ in range(wish.times):
        try:
            done, declared = _once(wish, store, tools, report)
            runs.append(done)
        except (Altered, UsageError):
            raise
        except (ProjectError, EnvironmentFailed) as error:
            failure = Failure(stage=_stage(error), reason=error.message, hint=error.hint)
            _show(error, report)
            break
    verdict = weigh(Again(wish=wish, runs=tuple(runs), failure=failure, declared=declared), store)
    for done in runs:
        store.amend(done.run_id, VERDICT, {"of": original.run_id, "verdict": verdict.grade.value})
    return Reproduction(original=original, runs=tuple(runs), verdict=verdict)


def _check_record(run: Run, store: RunStore, report: Report) -> None:
    """Raises Altered where the record, that of a step, or anything that they name is not what was sealed."""
    found = verify(store, run, report)
    if not found.sound:
        problem = found.problems[0]
        more = f", and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
        raise Altered(
            f"the record of run `{run.name}` is not what was sealed: {problem.part}: {problem.message}{more}",
            hint="`mlproj verify` names everything that was altered",
        )
    for step in store.children(run.run_id):
        if step.record is not None:
            _check_record(step, store, report)


def _check_wish(wish: Wish) -> None:
    run = wish.run
    if run.outcome is None:
        raise NotReproduced(
            f"the run `{run.name}` has not ended yet", hint="wait for it, or look at `mlproj runs`"
        )
    if run.plan is None or run.job is None:
        raise NotReproduced(f"the run `{run.name}` was brought in from elsewhere, and has no plan")
    if run.job.parent is not None and run.plan.identity is None:
        raise NotReproduced(
            f"the run `{run.name}` was begun by the script of another run, `{run.job.parent}`"
        )
    if run.job.environment.kind not in MANAGERS:
        raise NotReproduced(
            f"the run `{run.name}` had an environment that nobody here makes: `{run.job.environment.kind}`"
        )
    named = {state.name for state in (*run.job.inputs, *placeable(run))}
    for name in (*wish.data, *wish.override_data):
        if name not in named:
            raise UsageError(
                f"the run `{run.name}` had no input `{name}`",
                hint=f"it had {', '.join(f'`{one}`' for one in sorted(named)) or 'none'}",
            )
    if wish.override_env is not None and run.job.environment.kind == "system":
        raise UsageError(
            f"`--override-env` means nothing to run `{run.name}`, which ran in its caller's own environment",
            hint="call `mlproj reproduce` in the environment that is to be tried",
        )
    given = {item.name for item in run.job.parameters if item.origin == Origin.GIVEN.value}
    secrets = [item.name for item in run.plan.parameters if item.text is None and item.name in given]
    missing = [name for name in secrets if name not in wish.parameters]
    if missing:
        raise UsageError(
            f"secret parameters are in no record: {', '.join(f'`{name}`' for name in missing)}",
            hint=f"pass `-P {missing[0]}=VALUE`",
        )


def _once(wish: Wish, store: RunStore, tools: Tools, report: Report) -> tuple[Run, tuple[Named, ...]]:
    """The run that came of it, and the tolerances that the project declares."""
    with tools.workplace() as place, _source(wish, place / "source", store, tools, report) as found:
        checkout, snapshot = found
        assert wish.run.job is not None
        places = Places(
            root=checkout.root,
            directory=checkout.directory,
            aside=place / "data",
            named=wish.data,
            given=wish.places,
            here=tuple(_done_here(wish.run, store)),
            replaced=wish.override_data,
            offline=wish.offline,
        )
        bringer = Bringer(wish.run, store.blobs, places, tools, report)
        isolation = chosen_isolation(wish, store, report)
        reads = () if wish.run.outcome is None else wish.run.outcome.reads
        outside = bring_undeclared(reads, checkout.directory, bringer, report)
        for step, states in read_by_steps(wish.run, store):
            here = places.here if is_brought(step) else (*places.here, step)
            of_step = Bringer(step, store.blobs, replace(places, here=here), tools, report)
            bring_undeclared(states, checkout.directory, of_step, report)
        if isolation is not None:
            isolation = replace(isolation, readable=outside)
        scene = Scene(checkout=checkout, aside=places.aside, isolation=isolation)
        request = again(wish, scene, bringer, store, tools)
        world = replace(
            tools,
            sources=lambda uri: LaidOut(checkout),
            observer=RecordedSource(tools.observer, wish.run.job.source, snapshot, _replaced(wish)),
        )
        done = carry_out(request, world, report, lambda prepared: _approve(wish, prepared, report))
        if done.outcome is not None and done.outcome.interrupted is not None:
            # It is closed; a verdict on it would be one on whoever pressed Ctrl-C.
            raise Interrupted(done.outcome.interrupted)
        return done, _declared(checkout.directory, request.entry_point)


def _declared(directory: Path, entry_point: str) -> tuple[Named, ...]:
    project = read_project(directory)
    entry = project.entry_point(entry_point)
    return project.tolerances if entry is None else (*entry.tolerances, *project.tolerances)


def _done_here(run: Run, store: RunStore) -> Iterator[Run]:
    """A run, and the run that it did again, and so on: the data lay where one of them was.

    Not one that came in a bundle: whoever wrote that is not to say which files here are looked at.
    """
    seen: set[str] = set()
    while run.job is not None and run.run_id not in seen:
        if not is_brought(run):
            yield run
        seen.add(run.run_id)
        if run.reproduces is None:
            return
        try:
            run = store.find(run.reproduces)
        except RunNotFound:
            return


def _replaced(wish: Wish) -> list[str]:
    """Where in the source's tree other data lies on purpose."""
    job = wish.run.job
    assert job is not None
    states = (state for state in job.inputs if state.name in wish.override_data)
    return [posixpath.normpath(posixpath.join(job.source.subfolder, state.path)) for state in states]


@contextlib.contextmanager
def _source(
    wish: Wish, tree: Path, store: RunStore, tools: Tools, report: Report
) -> Iterator[tuple[Checkout, Snapshot]]:
    """The source as it ran, in a folder of its own."""
    job = wish.run.job
    assert job is not None
    source = job.source
    tree /= _named(root_of(job.directory, source.subfolder))
    tree.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        if wish.from_git:
            if source.commit is None:
                raise UsageError("`--from-git` needs a commit, and the run's source was at none")
            if source.remote is None and is_brought(wish.run):
                raise UsageError("`--from-git` needs a repository, and the run in the bundle names none")
            uri = source.remote or str(root_of(job.directory, source.subfolder))
            if wish.offline and not os.path.isdir(uri.removeprefix("file://")):
                raise UsageError(f"`--offline` fetches nothing, and `--from-git` needs `{uri}`")
            fetched = stack.enter_context(tools.sources(uri).fetch(uri, source.commit, report))
            find = there(fetched.root)
        else:
            jobs = (one.job for one in _done_here(wish.run, store) if one.job is not None)
            roots = tuple(root_of(one.directory, source.subfolder) for one in jobs)
            bring_source(source, store.blobs)
            find = kept(store.blobs, *roots)
        snapshot = lay_out(source, tree, find, store.blobs, report)
        directory = project_in(tree, source.subfolder)
        yield (
            Checkout(directory=directory, root=tree, uri=job.uri, revision=source.revision, own=True),
            snapshot,
        )


def _named(root: Path) -> str:
    """A project that gives itself no name has that of its folder."""
    return root.name if root.name not in ("", "..") and root.name.isprintable() else "source"


def _approve(wish: Wish, prepared: Prepared, report: Report) -> None:
    """Sees to it that what is about to run is what was recorded, but for what is to be another; what cannot
    be had here as it was (a Python, a platform) is told. Raises Refused."""
    recorded, found = wish.run.plan, prepared.plan
    assert recorded is not None
    digests = {item.name: item.digest for item in found.inputs}
    for item in recorded.inputs:
        if item.name not in wish.override_data and digests.get(item.name) != item.digest:
            raise Refused(f"the data `{item.name}` is not what was recorded: {digests.get(item.name)}")
    named = {item.name for item in recorded.inputs} | wish.override_data.keys() | wish.parameters.keys()
    for state in prepared.job.inputs:
        if state.kind != "uri" and state.name not in named:
            raise Refused(f"the project reads the data `{state.name}`, which the record does not name")
    if found.identity == recorded.identity:
        return
    varied = {name for name, _ in variations(wish)}
    varied |= {"outputs", "metrics"} if "parameters" in varied else set()
    names = (
        "entry_point",
        "command",
        "parameters",
        "outputs",
        "metrics",
        "variables",
        "python",
        "platform",
        "lock",
    )
    differing = [name for name in names if getattr(found, name) != getattr(recorded, name)]
    told = [name for name in differing if name not in varied]
    if told:
        report(Note(message=f"the plan is not the recorded one in every respect: {', '.join(told)}"))


def _stage(error: MlprojError) -> str:
    if isinstance(error, EnvironmentFailed):
        return "environment"
    return "data" if isinstance(error, DataError | Refused) else "source"


def _show(error: MlprojError, report: Report) -> None:
    if isinstance(error, EnvironmentFailed) and error.output:
        for line in error.output.splitlines():
            report(Note(message=line))
