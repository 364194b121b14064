"""What happened: a Plan, the Job it became on one machine, and its Outcome."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import msgspec
from msgspec.structs import replace

from mlproj.model.digest import Digest
from mlproj.model.environment import ImageState, Isolation
from mlproj.model.logged import Logged, Summary, number_of, order, summary_of, summed
from mlproj.model.moment import milliseconds
from mlproj.model.plan import Plan
from mlproj.model.provenance import Host, InputState, Tracing
from mlproj.model.source import SourceState
from mlproj.model.trigger import Trigger

STREAMS = ("stdout", "stderr")
LOGS = (*STREAMS, "times")
"""What is kept of a command's output: the two streams, and which piece of which of them came when."""

LEFT_OPEN = "whoever began this run left it open"
"""Why a run that a script began and never ended has the status that the script's own run has."""


MODEL_FILE = "MLmodel"
"""What says in a folder that it is a model of MLflow's, and of which flavours."""


ARTIFACTS = "artifacts/"
"""Begins, on a record, the paths of files that were logged to the run."""
MODELS = "models/"
"""Begins, on a record, the paths of the files of logged models."""


class Status(str, Enum):
    """A run's status, in MLflow's terms. `UNKNOWN` is shown for a running one on a host we cannot ask."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"
    UNKNOWN = "UNKNOWN"


class ShownParameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter as it is recorded. `value` is typed, and `***` where it is a secret."""

    name: str
    value: str | int | float | bool
    type: str
    origin: str
    base: str | None = None
    description: str | None = None


class EnvironmentState(msgspec.Struct, frozen=True, kw_only=True):
    """Which environment a run ran in, and why that one. `lock_file` names the lock file's bytes in the store;
    `as_of` is the instant that nothing in the lock is newer than, where one was asked for and counted."""

    kind: str
    python: str | None
    executable: str | None
    platform: str
    lock: Digest | None
    lock_format: str | None = None
    lock_file: Digest | None = None
    packages: int = 0
    key: str | None = None
    because: str
    as_of: str | None = None
    image: ImageState | None = None
    """What the container was made from, where there was one."""
    options: tuple[str, ...] = ()
    """What `docker run` was to be told of it (`memory=4g`); of variables the names alone."""


NO_TRACKING, SCRIPT_TRACKING, NO_HOOK, STRICT = "no-tracking", "script-tracking", "no-hook", "strict-inputs"
SWITCHES = (NO_TRACKING, SCRIPT_TRACKING, NO_HOOK, STRICT)
"""What of a script's doings was taken in, or not, by options of `mlproj run`."""


class ServerRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run at a tracking server that a person configured: what it is called there. `uri` is without
    credentials."""

    uri: str
    run_id: str
    experiment_id: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """How a plan was carried out here: what is not part of its identity."""

    project: str
    uri: str
    experiment: str
    directory: str
    argv: tuple[str, ...]
    command: str
    """The rendered command, secrets masked; argv's last element where nothing is secret."""
    backend: str
    user: str
    parameters: tuple[ShownParameter, ...]
    source: SourceState
    environment: EnvironmentState
    inputs: tuple[InputState, ...]
    host: Host
    variables: tuple[tuple[str, str], ...]
    """Recorded variables that are no part of the plan, such as the locale."""
    tags: tuple[tuple[str, str], ...] = ()
    parent: str | None = None
    server: ServerRun | None = None
    """Where the script logged, if not to us."""
    isolation: Isolation | None = None
    """That it was to see only what this record names, and what it saw beside that."""
    switches: tuple[str, ...] = ()
    """How it was looked at otherwise than runs are, as the command line says it: of SWITCHES."""
    trigger: Trigger | None = None
    """What had a watch start it."""
    mlproj_version: str

    def below(self, parent: str, *, experiment: str, user: str, server: ServerRun | None = None) -> Job:
        """The job of a further run that the script of the run `parent`, whose job this is, began: what is
        the parent's own is not its."""
        return replace(
            self,
            experiment=experiment,
            user=user or self.user,
            parameters=(),
            tags=(),
            parent=parent,
            server=server,
            trigger=None,
        )


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Resources of the whole process tree; times in seconds, memory in bytes."""

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A declared output after the run. `state` is `written`, `unchanged` (there before, and not written by
    this run) or `missing`; only a written one has a digest and counts as the run's. One that is `served` a
    tracking server holds: here it has a digest at most. `model` is what its author said of it."""

    path: str
    state: str
    kind: str = "file"
    digest: Digest | None = None
    size: int = 0
    declared: bool = True
    model: bool = False


class MetricPoint(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is a number, or the word `NaN`, `Infinity` or `-Infinity`, which JSON has no number for."""

    key: str
    value: float | str
    step: int = 0


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded stream, or `times`. `name` is one of LOGS.

    Of a stream that was longer than what is kept, `cut` bytes were left out after the first `cut_at`; in the
    file a line says so in their place.
    """

    name: str
    digest: Digest
    size: int
    cut: int = 0
    cut_at: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `exit_code` is the process's own, or minus the number of the signal that ended it;
    None where nothing was started. `interrupted` is the signal that mlproj itself was sent, if any."""

    status: Status
    exit_code: int | None
    reason: str | None = None
    interrupted: int | None = None
    started: str
    ended: str
    usage: Usage
    metrics: tuple[MetricPoint, ...] = ()
    """Every point that was logged, in order; the last of a key is its current value."""
    outputs: tuple[Output, ...] = ()
    logs: tuple[LogFile, ...] = ()
    notes: tuple[str, ...] = ()
    lost: tuple[Digest, ...] = ()
    """Blobs that the record names and the store never got: the runner ended early, or the disk was full."""
    logged: Logged | None = None
    """What the script logged; None where it logged nothing."""
    server_read: bool | None = None
    """Whether all that the job's server holds of the run was read back; None where there is no server."""
    reads: tuple[InputState, ...] = ()
    """Data that the run read and nobody had declared, as it was afterwards; no part of the plan."""
    tracing: Tracing | None = None
    """How that was found; None where nobody looked."""

    @property
    def latest(self) -> dict[str, float | str]:
        """Each metric's current value: of one that was read from a file the last there, unless the script
        logged a later one."""
        read = {point.key: point for point in self.metrics}
        values = {key: point.value for key, point in read.items()}
        for metric in () if self.logged is None else self.logged.metrics:
            if metric.key not in read or self._is_later(summary_of(metric), read[metric.key].step):
                values[metric.key] = metric.value
        return values

    @property
    def points(self) -> dict[str, dict[tuple[int, float, bool], float]]:
        """What was read from files, by metric: each point once, by step and value. Their time is the end."""
        found: dict[str, dict[tuple[int, float, bool], float]] = {}
        for point in self.metrics:
            step, _, value, nan = order((point.step, 0, number_of(point.value)))
            found.setdefault(point.key, {})[(step, value, nan)] = number_of(point.value)
        return found

    @property
    def summaries(self) -> dict[str, Summary]:
        """Each metric in sum, whether it was logged or read from a file."""
        logged = () if self.logged is None else self.logged.metrics
        sums = {metric.key: summary_of(metric) for metric in logged}
        steps = {point.key: point for point in self.metrics}
        end = self._end
        for key, points in self.points.items():
            last = steps[key]
            whole = summed(((step, end, value) for (step, _, _), value in points.items()), sums.get(key))
            if key in sums and self._is_later(sums[key], last.step):
                step, timestamp, value = sums[key].latest
            else:
                step, timestamp, value = last.step, end, number_of(last.value)
            sums[key] = replace(whole, step=step, timestamp=timestamp, value=value)
        return sums

    @property
    def _end(self) -> int:
        return milliseconds(self.ended) or 0

    def _is_later(self, logged: Summary, step: int) -> bool:
        """Whether what was logged is later than what was read from a file with that step."""
        return (logged.step, logged.timestamp) > (step, self._end)


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Where history came from that was not made here; `document` names the foreign bytes, kept verbatim.

    `status` is the one that the run had there, in MLflow's terms, where nobody there knew an end of it: the
    outcome's `ended` is then when it was brought in.
    """

    origin: str
    document: Digest
    status: str | None = None


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """Something added after the seal, itself a link in the chain."""

    sequence: int
    time: str
    kind: str
    content: dict[str, str]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and its outcome. `outcome` is None while it runs.

    `plan` and `job` are None for history brought in from elsewhere, which `imported` tells of. `name`,
    `deleted`, `status` of a running run and `amendments` lie outside the seal; `record` and `sequence` are
    set once it is sealed.
    """

    run_id: str
    name: str
    created: str
    plan: Plan | None
    job: Job | None
    outcome: Outcome | None = None
    status: Status = Status.RUNNING
    deleted: bool = False
    record: Digest | None = None
    sequence: int | None = None
    reproduces: str | None = None
    amendments: tuple[Amendment, ...] = ()
    imported: Imported | None = None


def models_among(outputs: Sequence[Output]) -> dict[str, list[Output]]:
    """The files of each folder that holds a model as MLflow writes one, by that folder."""
    suffix = f"/{MODEL_FILE}"
    folders = [output.path.removesuffix(suffix) for output in outputs if output.path.endswith(suffix)]
    return {
        folder: [output for output in outputs if output.path.startswith(f"{folder}/")] for folder in folders
    }
