"""One attempt to carry a plan out, which can be sealed from wherever it stopped."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mlproj.errors import DataError, EnvironmentFailed, Interrupted, MlprojError
from mlproj.logs import gather
from mlproj.model.environment import CONTAINER_SHELL, SHELL, Activation, Container, Door
from mlproj.model.events import Ended, Event, Note, Started
from mlproj.model.notes import SOURCE_CHANGED
from mlproj.model.redaction import SECRET_VARIABLES, STORE_TOKEN, login_of, without_credentials
from mlproj.model.run import LOGS, LogFile, MetricPoint, Outcome, Output, Run, Status, Usage
from mlproj.ports import Execution, Task
from mlproj.process import patched
from mlproj.services.claims import VARIABLE as CLAIMS
from mlproj.services.claims import Claim
from mlproj.services.collect import Marks, collect, is_written, mark
from mlproj.services.containment import contained_variables, is_out_of_reach, own_mounts
from mlproj.services.endings import ended_as
from mlproj.services.fence import Fence, fence_of
from mlproj.services.further import bring_in, further_runs
from mlproj.services.metrics import read_metrics
from mlproj.services.mirror import Ending, Mirror
from mlproj.services.occupancy import in_use
from mlproj.services.prepare import Prepared
from mlproj.services.readback import Reader, read_back
from mlproj.services.request import Context
from mlproj.services.tracing import Watch
from mlproj.services.tracking import Office, secrets_of, tracking_variables
from mlproj.store_ports import RunStore

if TYPE_CHECKING:
    from mlproj.services.confining import Surroundings


class Attempt:
    """Builds, executes and collects; keeps what came of each stage, so that `seal` can tell all of it."""

    def __init__(
        self,
        context: Context,
        opening: Run,
        prepared: Prepared,
        claim: Claim,
        store: RunStore,
        watch: Watch,
        mirror: Mirror | None = None,
    ) -> None:
        self._request = context.request
        self._tools = context.tools
        self._report = context.report
        self._directory = context.checkout.directory
        self._opening = opening
        self._prepared = prepared
        self._claim = claim
        self._store = store
        self._watch = watch
        self._mirror = mirror
        self._workspace = store.workspace(opening.run_id)
        self._logs = self._workspace / "logs"
        self._artifacts = self._workspace / "artifacts"
        self._execution: Execution | None = None
        self._outputs: tuple[Output, ...] = ()
        self._metrics: tuple[MetricPoint, ...] = ()
        self._served: tuple[Output, ...] = ()
        self._server_read: bool | None = None
        self._notes: list[str] = []

    def carry_out(self) -> None:
        """Everything between the opening row and the seal. Raises MlprojError or Interrupted."""
        with in_use(self._tools.cache, self._prepared.locked.key) as descriptors:
            self._execute(self._build(), descriptors)

    def _execute(self, activation: Activation, descriptors: tuple[int, ...]) -> None:
        """`descriptors` are to be the child's, too, and hold its environment where we are killed."""
        for folder in (self._logs, self._artifacts):
            folder.mkdir(parents=True, exist_ok=True)
        marks = mark(self._directory, self._prepared.products, self._fence())
        self._report(Started(stage="run", detail=self._prepared.job.command))
        around = self._around(activation)
        with contextlib.ExitStack() as stack:
            if around is not None:
                activation = stack.enter_context(
                    _isolating().alone(around, self._tools, self._opening.run_id, self._note)
                )
            container = activation.container
            self._watch.begin()
            office, door = stack.enter_context(self._office(container, around))
            if container is None:
                task = self._task(activation, office, descriptors)
            else:
                task = self._contained(container, office)
            if around is not None:
                task = _isolating().isolated(task, around, door)
            self._execution = self._tools.executor(activation).execute(task, self._hear)
        self._report(Ended(stage="run"))
        self._report(Started(stage="collect"))
        self._collect(marks)
        self._look_at_source_again()
        self._report(Ended(stage="collect"))
        self._watch.end(self._store.root)
        if ended_as(self._execution, None)[0] is Status.FINISHED:
            self._watch.refuse()

    def read_back(self, failure: BaseException | None = None) -> None:
        """Ends the run at the server that it is at, if any, and has the store hold what the server holds."""
        if self._mirror is None or self._server_read is not None:
            return
        self._server_read = False
        self._report(Started(stage="read", detail=self._mirror.at.uri))
        try:
            unread = self._read(self._mirror, failure)
        except Interrupted as interrupt:
            self._note(_unread(self._mirror, str(interrupt)))
            raise
        self._server_read = unread is None
        if unread is not None:
            self._note(_unread(self._mirror, unread.message))
        self._report(Ended(stage="read"))

    def _read(self, mirror: Mirror, failure: BaseException | None) -> MlprojError | None:
        """Returns why not all could be read, if so."""
        status, _ = ended_as(self._execution, failure)
        ending = Ending(status=status, ended=self._ended, metrics=self._metrics)
        try:
            there = mirror.end(ending, self._note)
            with contextlib.closing(self._tools.tracking(self._store)) as tracking:
                reader = Reader(server=mirror.server, tracking=tracking, limits=self._tools.limits)
                read = read_back(reader, there, self._opening, ending)
                written = {output.path for output in self._outputs}
                self._served = tuple(output for output in read.outputs if output.path not in written)
                return read.failure or self._bring_in_further(reader, ending)
        except MlprojError as error:
            return error

    def _bring_in_further(self, reader: Reader, ending: Ending) -> MlprojError | None:
        """The runs that the script began there; returns why not all could be read, if so."""
        failure: MlprojError | None = None
        for further in further_runs(reader, self._store, self._opening):
            if not further.known:
                failure = bring_in(reader, self._store, further, ending) or failure
        return failure

    def seal(self, failure: BaseException | None = None) -> Run:
        """Closes the run with what is known, and returns it as it was sealed."""
        self.read_back(failure)
        self._report(Started(stage="seal"))
        if isinstance(failure, EnvironmentFailed) and failure.output:
            self._notes.append(failure.output)
        outcome = self._outcome(failure)
        sealed = self._store.seal(
            replace(self._opening, outcome=outcome, status=outcome.status), self._report
        )
        self._report(Ended(stage="seal"))
        return sealed

    def _build(self) -> Activation:
        self._report(Started(stage="build", detail=self._prepared.locked.because))
        activation = self._prepared.environment.build(self._prepared.locked, self._directory, self._report)
        self._report(Ended(stage="build"))
        return activation

    @contextlib.contextmanager
    def _office(
        self, container: Container | None, around: Surroundings | None
    ) -> Iterator[tuple[Office | None, Door | None]]:
        """Where the script logs to, while it may. What it logged at its end has been answered afterwards."""
        if self._mirror is not None:
            at = self._mirror.at
            yield (
                Office(
                    uri=self._mirror.place.uri,
                    run_id=at.run_id,
                    experiment_id=at.experiment_id,
                    ours=False,
                    secret=self._mirror.secret,
                ),
                None,
            )
            return
        if not self._request.tracking:
            yield None, None
            return
        reach = None if container is None else container.reach
        if around is not None and container is None:
            reach = _isolating().reach(around)
        if reach is None and (container is not None or around is not None):
            place = "container" if container is not None else "isolated run, in which there is no Python,"
            self._note(f"the {place} has no way to mlproj, which takes in nothing that its script logs")
            yield None, None
            return
        run_id = self._opening.run_id
        faults: list[Exception] = []
        movable = not self._request.experiment_given
        endpoint = self._tools.endpoint(self._store, run_id, movable, faults.append, reach)
        try:
            yield (
                Office(
                    uri=endpoint.uri,
                    run_id=run_id,
                    experiment_id=self._store.experiment_of(run_id),
                    ours=True,
                    secret=endpoint.token,
                ),
                None if around is None else endpoint.door(),
            )
        finally:
            endpoint.close()
            for told in dict.fromkeys(f"{type(fault).__name__}: {fault}" for fault in faults):
                self._note(
                    f"what the script logged met a fault of mlproj's own, and may be incomplete: {told}"
                )

    def _task(self, activation: Activation, office: Office | None, descriptors: tuple[int, ...]) -> Task:
        environ = self._request.environ
        path = os.pathsep.join([*map(str, activation.path), environ.get("PATH", os.defpath)])
        patch: dict[str, str | None] = {
            **dict(self._prepared.plan.variables),
            **dict(activation.variables),
            "PATH": path,
            "MLPROJ_RUN_ID": self._opening.run_id,
            "MLPROJ_OUTPUT_DIR": str(self._artifacts),
            "MLPROJ_STORE": self._store.address,
            CLAIMS: self._claim.value,
            "MLPROJ_AS_OF": self._request.as_of,
            "MLPROJ_REUSE": "1" if self._request.reuse else None,
            "MLPROJ_RUN_ID_FILE": None,
            SECRET_VARIABLES: ",".join(self._request.secrets) or None,
        }
        if office is not None:
            inner = patched(environ, patch)
            patch |= tracking_variables(self._opening.run_id, office, self._request, inner)
        patch |= self._watch.variables(patched(environ, patch))
        return Task(
            argv=self._watch.argv((*SHELL, self._prepared.command)),
            directory=self._directory,
            environ=patched(environ, patch),
            logs=self._logs,
            timeout=self._prepared.plan.timeout,
            descriptors=(*self._claim.descriptors, *descriptors),
            secrets=(*secrets_of(office, environ, self._request.secrets), *self._login()),
        )

    def _login(self) -> tuple[str, ...]:
        """What lets us in at a store at a server, and is the script's to use and nobody's to see."""
        token = self._request.environ.get(STORE_TOKEN)
        return tuple(filter(None, (login_of(self._store.address), token)))

    def _contained(self, container: Container, office: Office | None) -> Task:
        if office is not None and is_out_of_reach(container, office):
            there = without_credentials(office.uri)
            self._note(f"a container has no way to `{there}` of this machine; `-A network=host` gives it one")
        home = self._logs / "home"
        home.mkdir(exist_ok=True)
        run_id, planned = self._opening.run_id, dict(self._prepared.plan.variables)
        environ, mounts = self._watch.contained(
            container,
            contained_variables(container, run_id, planned, office, self._request),
            (*own_mounts(self._artifacts, home), *self._prepared.mounts),
        )
        return Task(
            argv=self._watch.argv((*CONTAINER_SHELL, self._prepared.command)),
            directory=self._directory,
            environ=environ,
            logs=self._logs,
            timeout=self._prepared.plan.timeout,
            secrets=secrets_of(office, self._request.environ, self._request.secrets),
            mounts=mounts,
        )

    def _fence(self) -> Fence | None:
        if self._request.isolation is None:
            return None
        prepared = self._prepared
        return fence_of(prepared.snapshot, prepared.data, self._artifacts, self._store.root)

    def _around(self, activation: Activation) -> Surroundings | None:
        """What is around the process of a run that is to be isolated."""
        if self._request.isolation is None:
            return None
        place = _isolating().Place(root=self._store.root, artifacts=self._artifacts, reads=self._watch.folder)
        around: Surroundings = _isolating().surroundings(self._request, self._prepared, activation, place)
        return around

    def _hear(self, event: Event) -> None:
        """Reports what the executor tells, and keeps its notes."""
        if isinstance(event, Note):
            self._notes.append(event.message)
        self._report(event)

    def _collect(self, marks: Marks) -> None:
        products, blobs = self._prepared.products, self._store.blobs
        collected = collect(self._directory, products, marks, self._artifacts, blobs, self._report)
        models = self._prepared.models
        self._outputs = tuple(
            replace(output, model=True) if output.path in models else output for output in collected.outputs
        )
        self._notes += collected.notes
        for path in self._prepared.plan.metrics:
            self._read_metrics(path, marks)
        if collected.failure is not None:
            raise collected.failure

    def _read_metrics(self, path: str, marks: Marks) -> None:
        """Takes in a metrics file that the run wrote. One that cannot be read is noted, and no failure."""
        if not is_written(self._directory, path, marks):
            left = "was not written by this run" if (self._directory / path).exists() else "is missing"
            self._note(f"the metrics file `{path}` {left}")
            return
        try:
            self._metrics += read_metrics(self._directory / path)
        except DataError as error:
            self._note(error.message)

    def _look_at_source_again(self) -> None:
        changed = self._tools.observer.changed(self._prepared.snapshot)
        if changed:
            shown = ", ".join(f"`{path}`" for path in changed[:5])
            self._note(f"{SOURCE_CHANGED}: {shown}")

    def _note(self, message: str) -> None:
        self._notes.append(message)
        self._report(Note(message=message))

    @property
    def _ended(self) -> str:
        if self._execution is not None:
            return self._execution.ended
        # The clock may have been set back since the run was begun.
        return max(self._tools.now(), self._opening.created)

    def _outcome(self, failure: BaseException | None) -> Outcome:
        execution = self._execution
        status, reason = ended_as(execution, failure)
        if self._request.isolation is not None and execution is not None and reason is not None:
            reason += _isolating().advice(self._request.isolation, execution, self._logs)
        interrupted = None if execution is None else execution.interrupted
        if isinstance(failure, Interrupted):
            interrupted = failure.signal_number
        return Outcome(
            status=status,
            exit_code=None if execution is None else execution.exit_code,
            reason=reason,
            interrupted=interrupted,
            started=self._opening.created if execution is None else execution.started,
            ended=self._ended,
            usage=Usage(wall_s=0, cpu_s=0, peak_rss_bytes=0) if execution is None else execution.usage,
            metrics=self._metrics,
            outputs=self._outputs + self._served,
            logs=tuple(self._keep_log(name) for name in LOGS if (self._logs / name).exists()),
            notes=tuple(self._notes),
            server_read=self._server_read,
            reads=self._watch.reads,
            tracing=self._watch.tracing,
        )

    def _keep_log(self, name: str) -> LogFile:
        kept = gather(self._logs / name)
        digest, size = self._store.blobs.adopt_file(kept.path)
        return LogFile(name=name, digest=digest, size=size, cut=kept.cut, cut_at=kept.cut_at)


def _isolating() -> Any:
    """What isolates a run, which most have no use for."""
    return importlib.import_module("mlproj.services.confining")


def _unread(mirror: Mirror, reason: str) -> str:
    return (
        f"what `{mirror.at.uri}` holds of the run was not read to the end: {reason};"
        " `mlproj runs sync` completes the record"
    )
