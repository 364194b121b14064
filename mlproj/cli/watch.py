"""`mlproj watch`: run a project when its data, a schedule or a metric says so."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Annotated

import typer

from mlproj import run_wiring, wiring
from mlproj.cli import run_options
from mlproj.cli.ending import ended_by
from mlproj.cli.env_file import EnvFileOption, with_env_files
from mlproj.cli.options import JsonOption, ManagerOption, RevisionOption, StoreOption, UriArgument
from mlproj.cli.pages.summary import run_summary
from mlproj.cli.pages.watch import delivered_lines, round_document, trigger_lines, watch_line
from mlproj.cli.run import exit_code
from mlproj.cli.run_request import read_request
from mlproj.cli.streams import delivering
from mlproj.cli.terminal import reporting, say
from mlproj.cli.watch_desk import RegistryDesk
from mlproj.cli.whole import whole_document
from mlproj.errors import NOTHING_TO_DO, Busy, Interrupted, MlprojError, NotPromoted, UsageError
from mlproj.model.digest import plain
from mlproj.model.registry import Stage
from mlproj.model.trigger import Trigger
from mlproj.services.interrupts import interruptible
from mlproj.services.request import RunRequest, Tools
from mlproj.services.watched import Delivery, Watch
from mlproj.services.watching import Listener, Round, Watcher, watch_on, watching
from mlproj.spec.duration import seconds
from mlproj.spec.schedule import local_zone, read_cron, read_every
from mlproj.spec.threshold import read_threshold

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def watch(
    context: typer.Context,
    uri: UriArgument = ".",
    entry_point: run_options.EntryPointOption = "main",
    parameter: run_options.ParametersOption = None,
    on_data: Annotated[
        bool, typer.Option("--on-data", help="Run when the data changed that the last run read.")
    ] = False,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", metavar="NAME", help="The same, of this parameter or input alone; repeatable."
        ),
    ] = None,
    every: Annotated[
        list[str] | None,
        typer.Option("--every", metavar="TIME", help="Run so long after the last run began: 30m, 6h, 7d."),
    ] = None,
    cron: Annotated[
        list[str] | None,
        typer.Option("--cron", metavar="LINE", help="Run at these times, in local time: '0 3 * * *'."),
    ] = None,
    on_metric: Annotated[
        list[str] | None,
        typer.Option("--on-metric", metavar="CONDITION", help="Run when a metric is like that: 'rmse > 60'."),
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="WHERE",
            help="An experiment, `models:/NAME@ALIAS` or `runs:/RUN`; else the runs' own experiment.",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The watch's; else of project and entry point.")
    ] = "",
    once: Annotated[
        bool, typer.Option("--once", help="Look once, run if there is a reason, and end: for cron and CI.")
    ] = False,
    poll: Annotated[
        str, typer.Option("--poll", metavar="TIME", help="How often to look at data and metrics.")
    ] = "30s",
    register: Annotated[
        str | None,
        typer.Option(
            "--register", metavar="NAME[:PATH]", help="Make a version of this model of what a run left."
        ),
    ] = None,
    promote: Annotated[
        Stage | None,
        typer.Option(
            "--promote", metavar="STAGE", help="Put it into Production, by its rules.", case_sensitive=False
        ),
    ] = None,
    archive_existing: Annotated[
        bool, typer.Option("--archive-existing", help="Archive the other versions in that stage.")
    ] = False,
    version: RevisionOption = None,
    env_manager: ManagerOption = None,
    experiment_name: run_options.ExperimentNameOption = None,
    experiment_id: run_options.ExperimentIdOption = None,
    docker_args: run_options.DockerArgumentsOption = None,
    storage_dir: run_options.StorageOption = None,
    build_image: run_options.BuildImageOption = False,
    inputs: run_options.InputsOption = None,
    outputs: run_options.OutputsOption = None,
    tags: run_options.TagsOption = None,
    timeout: run_options.TimeoutOption = None,
    keep: run_options.KeepOption = None,
    require_clean: run_options.RequireCleanOption = False,
    tracking_uri: run_options.TrackingUriOption = None,
    no_tracking: run_options.NoTrackingOption = False,
    script_tracking: run_options.ScriptTrackingOption = False,
    no_hook: run_options.NoHookOption = False,
    trace: run_options.TraceOption = "python",
    strict_inputs: run_options.StrictInputsOption = False,
    isolated: run_options.IsolatedOption = False,
    allow_network: run_options.AllowNetworkOption = False,
    env_files: EnvFileOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run a project when its data, a schedule or a metric says so, and say so in the run's record.

    Goes on until Ctrl-C or SIGTERM, which end a run that goes on as they end `mlproj run`. With `--once` it
    ends with 0 if a run finished, 1 if it failed, 6 if its model was not let into Production, and 8 if there
    was nothing to do. What a watch saw last stands in the record of its last run, so it may be ended, killed
    and started again.
    """
    caller = wiring.current_folder()
    environ, secrets = with_env_files(context)
    request = read_request(context, caller, environ, secrets)
    wanted = Watch(
        name=name,
        request=request,
        on_data=on_data or bool(data),
        data=tuple(data or ()),
        schedules=(*map(read_every, every or ()), *map(read_cron, cron or ())),
        thresholds=tuple(map(read_threshold, on_metric or ())),
        of=_of(of, request, bool(on_metric)),
        delivery=_delivery(register, promote, archive_existing),
    )
    _refuse_aimless(wanted)
    pause, zone = seconds(poll), local_zone()
    tools = run_wiring.tools(environ, caller, store)
    with interruptible(), watching(wanted, tools, RegistryDesk(store), zone) as watcher:
        teller = _Teller(watcher, tools, store, as_json)
        if once:
            return teller.once()
        if not watcher.is_alone:
            raise _goes_on_already(watcher.watch)
        stopped = 0
        with contextlib.suppress(Interrupted):
            say(f"{watch_line(watcher.watch)}; Ctrl-C ends it")
            stopped = 128 + watch_on(watcher, teller.listener, pause)
    say("ended")
    return stopped


def _of(of: str | None, request: RunRequest, looked_at: bool) -> str:
    if of is not None and not looked_at:
        raise UsageError("`--of` says where a metric is looked for", hint="say which with `--on-metric`")
    if of is None and looked_at and request.experiment_id is not None:
        raise UsageError("`--on-metric` wants to know where", hint="name the experiment with `--of`")
    return of or ""


def _delivery(register: str | None, promote: Stage | None, archive_existing: bool) -> Delivery | None:
    if register is None:
        if promote is not None or archive_existing:
            raise UsageError("only what is registered is promoted", hint="name the model with `--register`")
        return None
    model, _, path = register.partition(":")
    if not model:
        raise UsageError(f"`{register}` names no model", hint="`--register NAME` or `NAME:PATH/OF/MODEL`")
    if promote not in (None, Stage.PRODUCTION, Stage.STAGING):
        raise UsageError(f"a new version is not promoted to {promote.value}", hint="Production or Staging")
    return Delivery(
        model=model, path=path.strip("/") or None, promote=promote, archive_existing=archive_existing
    )


def _refuse_aimless(watch: Watch) -> None:
    if not (watch.on_data or watch.schedules or watch.thresholds):
        raise UsageError(
            "nothing says when to run",
            hint="`--on-data`, `--every`, `--cron` or `--on-metric`; several may be given",
        )


def _goes_on_already(watch: Watch) -> Busy:
    return Busy(f"the watch `{watch.name}` goes on already", hint="end that one, or give this one a `--name`")


class _Teller:
    """Says what a watch does."""

    def __init__(self, watcher: Watcher, tools: Tools, store: str | None, as_json: bool) -> None:
        self._watcher, self._tools, self._store, self._as_json = watcher, tools, store, as_json

    @property
    def listener(self) -> Listener:
        return Listener(
            triggered=self._triggered,
            reporting=lambda: reporting(child_to_stderr=self._as_json),
            came=self._came,
            failed=self._failed,
        )

    def once(self) -> int:
        """Looks once, and returns what the command ends with."""
        if not self._watcher.is_alone:
            busy = _goes_on_already(self._watcher.watch)
            return self._did_nothing(f"nothing to do: {busy.message}", Round(failure=busy))
        came = self._watcher.round(self.listener, once=True)
        if came == Round():
            return self._did_nothing("nothing to do", came)
        self._came(came)
        if came.run is not None and (code := exit_code(came.run)):
            return code
        if came.failure is not None:
            return came.failure.exit_code
        promotion = None if came.delivered is None else came.delivered.promotion
        return NotPromoted.exit_code if promotion is not None and promotion.refusal is not None else 0

    def _did_nothing(self, message: str, came: Round) -> int:
        say(message)
        if self._as_json:
            self._print(round_document(self._watcher.watch, came, None))
        return NOTHING_TO_DO

    def _triggered(self, trigger: Trigger) -> None:
        for line in trigger_lines(trigger):
            say(line)

    def _came(self, came: Round) -> None:
        if came == Round():
            return
        if self._as_json:
            with contextlib.closing(self._tools.open_store()) as store:
                run = None if came.run is None else whole_document(came.run, store)
            self._print(round_document(self._watcher.watch, came, run))
        elif came.run is not None:
            for line in run_summary(came.run, None, self._store):
                say(line)
        for line in () if came.delivered is None else delivered_lines(came.delivered):
            say(line)
        if came.failure is not None:
            say(ended_by(came.failure).text)

    def _failed(self, error: MlprojError) -> None:
        ending = ended_by(error)
        say("\n".join(filter(None, (ending.before, ending.text))))
        if self._as_json:
            self._print(ending.document)

    def _print(self, document: object) -> None:
        """A document on a line of its own: there may be many."""
        with delivering():
            sys.stdout.write(json.dumps(plain(document), ensure_ascii=False) + "\n")
            sys.stdout.flush()
