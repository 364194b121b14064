"""A run as a configured server shows it: like one of `mlflow run`, with our id as a tag, ended when it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from mlproj.errors import MlprojError, UsageError
from mlproj.model.events import Note, Report
from mlproj.model.logged import number_of
from mlproj.model.moment import milliseconds
from mlproj.model.redaction import login_of, without_credentials
from mlproj.model.run import MetricPoint, Outcome, Run, ServerRun, Status
from mlproj.model.tracking import PARENT, Experiment, Metric, NewRun, Pairs, RunStatus, TrackedRun
from mlproj.services.configured import made
from mlproj.tracking_ports import Server

RUN_TAG = "mlproj.run_id"
"""The tag at the server that tells what the run is called here."""

STATUSES = {
    Status.FINISHED: RunStatus.FINISHED,
    Status.FAILED: RunStatus.FAILED,
    Status.KILLED: RunStatus.KILLED,
}
_LONGEST_TAG = 5000
_KINDS = ("virtualenv", "conda", "docker")
"""The kinds of environments that MLflow has a word for."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, as far as its server is told: `ended` is RFC 3339, `metrics` are from files that the
    run wrote."""

    status: Status
    ended: str
    metrics: tuple[MetricPoint, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome) -> Ending:
        return cls(status=outcome.status, ended=outcome.ended, metrics=outcome.metrics)

    @property
    def points(self) -> tuple[Metric, ...]:
        """The metrics as of the end, of points with one step the last: servers take no point twice."""
        found = {
            (point.key, point.step): Metric(
                key=point.key,
                value=number_of(point.value),
                timestamp=milliseconds(self.ended) or 0,
                step=point.step,
            )
            for point in self.metrics
        }
        return tuple(found.values())

    def tell(self, server: Server, run_id: str) -> None:
        """Has the server say how its run `run_id` ended."""
        status = STATUSES.get(self.status, RunStatus.FAILED)
        server.update(run_id, status=status, ended=milliseconds(self.ended))


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is to be shown: at `server`, under its address as clients take it.

    `outer` is what the server calls the run that this is a step of, `run_id` what it calls this one, where
    whoever asks for the run has begun it there already.
    """

    server: Server
    uri: str
    experiment: Experiment
    outer: str | None = None
    run_id: str | None = None


class Mirror:
    """The run at the server, from its beginning to its end."""

    def __init__(self, place: Place, at: ServerRun) -> None:
        self.place = place
        self.at = at
        self._ended = False

    @property
    def server(self) -> Server:
        return self.place.server

    @property
    def secret(self) -> str | None:
        """What of the address is nobody's business, if anything."""
        return login_of(self.place.uri)

    def end(self, ending: Ending, note: Callable[[str], None]) -> TrackedRun:
        """Has the server say how the run ended, and returns what it said before. What it refuses to show is
        noted. Raises StoreError."""
        there = self.server.run(self.at.run_id)
        if ending.metrics:
            show_metrics(self.server, there, ending, note)
            there = self.server.run(self.at.run_id)
        ending.tell(self.server, self.at.run_id)
        self._ended = True
        return there

    def abandon(self) -> None:
        """Ends a run there of which nothing came here; as well as may be."""
        if not self._ended:
            with contextlib.suppress(MlprojError):
                self.server.update(self.at.run_id, status=RunStatus.FAILED)


@contextlib.contextmanager
def mirrored(place: Place | None, opening: Run, parameters: Pairs, report: Report) -> Iterator[Mirror | None]:
    """Begins the run at the server, if there is one. Raises StoreError and UsageError."""
    if place is None:
        yield None
        return
    mirror = _begun(place, opening)
    try:
        _show_parameters(mirror, parameters, report)
        yield mirror
    except BaseException:
        mirror.abandon()
        raise


def opened(opening: Run, mirror: Mirror | None) -> Run:
    """The run with what the server calls it."""
    if mirror is None or opening.job is None:
        return opening
    return replace(opening, job=replace(opening.job, server=mirror.at))


def server_tags(run: Run) -> dict[str, str]:
    """The tags that a run has at the server from its beginning: MLflow's own, a person's, and our id."""
    job, plan = run.job, run.plan
    assert job is not None and plan is not None, "a run that is begun has both"
    source = job.source
    remote = None if source.remote is None else without_credentials(source.remote)
    by_branch = source.branch if source.revision == source.branch else None
    environment = job.environment.kind if job.environment.kind in _KINDS else None
    image = job.environment.image
    tags = {
        **dict(job.tags),
        "mlflow.user": job.user,
        "mlflow.source.name": job.uri,
        "mlflow.source.type": "PROJECT",
        "mlflow.project.entryPoint": plan.entry_point,
        "mlflow.project.backend": job.backend,
        "mlflow.project.env": environment,
        "mlflow.docker.image.uri": None if image is None else image.name,
        "mlflow.docker.image.id": None if image is None else image.id,
        "mlflow.source.git.commit": source.commit,
        "mlflow.source.git.branch": by_branch,
        "mlflow.source.git.repoURL": remote,
        "mlflow.gitRepoURL": remote,
        RUN_TAG: run.run_id,
    }
    return {key: text[:_LONGEST_TAG] for key, text in tags.items() if text}


def show_metrics(server: Server, there: TrackedRun, ending: Ending, note: Callable[[str], None]) -> None:
    """Logs what a run wrote into metric files to the server, which calls it `there`, unless that has it; what
    is refused (MLflow has rules for names) is noted. Raises StoreError."""
    points, run_id = _not_shown(server, there, ending), there.run_id
    try:
        server.log(run_id, metrics=points)
        return
    except UsageError:
        pass
    for key in dict.fromkeys(point.key for point in points):
        try:
            server.log(run_id, metrics=tuple(point for point in points if point.key == key))
        except UsageError as error:
            note(f"the metric `{key}` is not shown at the server: {error.message}")


def _not_shown(server: Server, there: TrackedRun, ending: Ending) -> tuple[Metric, ...]:
    keys = {point.key for point in ending.metrics}
    shown = {
        (point.key, point.step, point.timestamp)
        for metric in there.metrics
        if metric.key in keys
        for point in server.history(there.run_id, metric.key)
    }
    return tuple(point for point in ending.points if (point.key, point.step, point.timestamp) not in shown)


def _begun(place: Place, opening: Run) -> Mirror:
    assert opening.job is not None, "a run that is begun has a job"
    tags = server_tags(opening)
    if place.outer is not None:
        tags[PARENT] = place.outer
    if place.run_id is None:
        new = NewRun(
            experiment_id=made(place.server, place.experiment),
            name=opening.name,
            user=opening.job.user,
            started=milliseconds(opening.created) or 0,
            tags=tuple(sorted(tags.items())),
        )
        begun = place.server.create_run(new)
    else:
        begun = place.server.run(place.run_id)
        tags["mlflow.runName"] = opening.name
        place.server.update(begun.run_id, status=RunStatus.RUNNING)
        place.server.log(begun.run_id, tags=tuple(sorted(tags.items())))
    at = ServerRun(uri=without_credentials(place.uri), run_id=begun.run_id, experiment_id=begun.experiment_id)
    return Mirror(place, at)


def _show_parameters(mirror: Mirror, parameters: Pairs, report: Report) -> None:
    """Logs the parameters; what the server refuses (it may be too long) is told of, and no reason to stop."""
    try:
        mirror.server.log(mirror.at.run_id, params=parameters)
        return
    except UsageError:
        pass
    for pair in parameters:
        try:
            mirror.server.log(mirror.at.run_id, params=(pair,))
        except UsageError as error:
            report(Note(message=f"the parameter `{pair[0]}` is not shown there: {error.message}"))
