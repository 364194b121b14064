"""What a watch is, and what it knows: all of it stands in the records of the runs that it started.

Nothing else is kept, so whoever has the store goes on where another left off, on any machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from mlproj.errors import RunNotFound, UsageError
from mlproj.files import locked_now
from mlproj.model.digest import Digest
from mlproj.model.index import DEFAULT_EXPERIMENT
from mlproj.model.moment import seconds_of
from mlproj.model.provenance import InputState
from mlproj.model.redaction import without_credentials
from mlproj.model.registry import Stage
from mlproj.model.run import Run, Status
from mlproj.model.threshold import Threshold
from mlproj.model.trigger import WATCH_TAG, Measurement, Schedule, Trigger
from mlproj.services.request import RunRequest
from mlproj.store_ports import Condition, RunQuery, RunStore

_FEW_RUNS, _MOST_RUNS = 5, 100
"""Anybody may give a run the tag of a watch: so many are looked through for those that it started, if the few
do not tell."""

_LONGEST_NAME = 100


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the models: versions of the registered one `model`, made of what a run left at `path`
    (None for the one model that it left), and put into a stage if the rules let them."""

    model: str
    path: str | None = None
    promote: Stage | None = None
    archive_existing: bool = False

    @property
    def told(self) -> tuple[str, str | None]:
        """What of it is on the record: which model, and the stage."""
        promote = None if self.promote is None else self.promote.value
        return (self.model if self.path is None else f"{self.model}:{self.path}"), promote


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is run when. With `on_data` it is looked whether the data changed, all of it or what `data` names;
    `of` is where metrics are looked for: `models:/…`, `runs:/…` or the name of an experiment, which is that
    of the watch's own runs where nobody says."""

    name: str
    request: RunRequest
    on_data: bool = False
    data: tuple[str, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    of: str = ""
    delivery: Delivery | None = None

    @property
    def looked_in(self) -> str:
        """Where metrics are looked for."""
        return self.of or self.request.experiment or DEFAULT_EXPERIMENT


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a watch: the `latest`, and the latest that was not `stopped` from outside, whose trigger is
    `answered` by it whether it failed or not."""

    latest: Run | None = None
    answered: Run | None = None

    @property
    def goes_on(self) -> bool:
        return self.latest is not None and self.latest.status is Status.RUNNING

    @property
    def stopped(self) -> Trigger | None:
        """The trigger of a run that was stopped, or whose machine is silent: nothing answers it yet."""
        if self.latest is None or self.latest.status not in (Status.KILLED, Status.UNKNOWN):
            return None
        return trigger_of(self.latest)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a watch saw when it last started a run, or tried to: `since` in seconds since the epoch. `made`
    are digests of what that run left, by path."""

    since: float | None = None
    inputs: Mapping[str, str] = {}
    made: Mapping[str, Digest] = {}
    measurements: Mapping[str, Measurement] = {}


def past_of(store: RunStore, name: str) -> Past:
    """Hidden runs count. Raises StoreError."""
    tagged = Condition(field=f"tags.{WATCH_TAG}", operator="=", value=name)
    past = Past()
    for most in (_FEW_RUNS, _MOST_RUNS):
        runs = store.search(RunQuery(conditions=(tagged,), limit=most, deleted=True))
        # One that came from another store is not the latest for that.
        own = sorted((run for run in runs if is_own(run, name)), key=lambda run: run.created, reverse=True)
        ended = (run for run in own if run.status in (Status.FINISHED, Status.FAILED))
        past = Past(latest=next(iter(own), None), answered=next(ended, None))
        if past.answered is not None or len(runs) < most:
            break
    return past


def is_own(run: Run, name: str) -> bool:
    """Whether the watch of that name started the run."""
    trigger = trigger_of(run)
    return trigger is not None and trigger.watch == name


def trigger_of(run: Run) -> Trigger | None:
    """Why a watch started the run, if one did."""
    return None if run.job is None else run.job.trigger


def known_from(run: Run | None) -> Known:
    """What a run that was started says of what was there when it was."""
    if run is None or run.job is None or run.job.trigger is None:
        return Known()
    trigger, outputs = run.job.trigger, () if run.outcome is None else run.outcome.outputs
    read = {state.name: str(state.digest) for state in run.job.inputs if has_content(state)}
    return Known(
        since=seconds_of(run.created),
        inputs={**dict(trigger.inputs), **read},
        made={output.path: output.digest for output in outputs if output.digest is not None},
        measurements={each.key: each for each in trigger.measurements},
    )


def known_at(trigger: Trigger) -> Known:
    """The same of a trigger, whatever came of it."""
    return Known(
        since=seconds_of(trigger.time),
        inputs=dict(trigger.inputs),
        measurements={each.key: each for each in trigger.measurements},
    )


def has_content(state: InputState) -> bool:
    """Whether its digest tells whether data changed: of what a server has, what that tells of it does, which
    is known without a download."""
    return state.digest is not None and not state.remote


def usual_name(project: str, entry_point: str) -> str:
    """What a watch is called that a person gave no name."""
    return re.sub(r"[^\w.\-]+", "-", f"{project}-{entry_point}").strip("-")[:_LONGEST_NAME]


def refuse_odd(name: str, secret: Callable[[str], bool]) -> None:
    """Raises UsageError for a name that cannot be a watch's: one that looks like a secret is not recorded."""
    if not re.fullmatch(r"\w[\w.\-]*", name) or len(name) > _LONGEST_NAME or secret(name):
        raise UsageError(
            f"`{name}` cannot be the name of a watch", hint="letters, digits, `.`, `-` and `_`, 100 at most"
        )


def refuse_taken(past: Past, watch: Watch, project: str, uri: str, host: str) -> None:
    """Raises UsageError where the runs of that name are another project's, or another entry point's. The same
    project may lie elsewhere on another machine."""
    latest = past.latest
    if latest is None or latest.job is None or latest.plan is None:
        return
    same = (latest.job.project, latest.plan.entry_point) == (project, watch.request.entry_point)
    if not same or (latest.job.uri != uri and latest.job.host.name == host):
        raise UsageError(
            f"the watch `{watch.name}` runs `{latest.plan.entry_point}` of `{latest.job.uri}`",
            hint="give this one a `--name` of its own",
        )


@contextlib.contextmanager
def alone(root: Path, name: str) -> Iterator[bool]:
    """Whether nobody else on this machine carries out the watch of the store in that folder, nor does
    meanwhile."""
    token = hashlib.sha256(name.encode()).hexdigest()[:24]
    with locked_now(root / "locks" / f"watch-{token}") as free:
        yield free


def next_id(store: RunStore, name: str, past: Past) -> str | None:
    """The id of the watch's next run in a store that several machines have: of two that see the same trigger
    after the same run one begins it, and the other finds that it is there. None, for any, in a folder, since
    runs of several are to have a place in one store, and where the run of that id was forgotten."""
    if "://" not in store.address:
        return None
    before = "" if past.latest is None else past.latest.run_id
    known = "\n".join((without_credentials(store.address), name, before))
    run_id = hashlib.sha256(known.encode()).hexdigest()[:32]
    if run_id in store.indexes((run_id,)):
        try:
            store.find(run_id)
        except RunNotFound:
            return None
    return run_id
