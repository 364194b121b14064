"""`mlproj run`: the options of `mlflow run` under their names, and what mlproj adds."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import run_wiring, wiring
from mlproj.cli import run_options
from mlproj.cli.documents import plan_document, print_document, project_document
from mlproj.cli.env_file import EnvFileOption, with_env_files
from mlproj.cli.loading import load
from mlproj.cli.options import (
    AsOfOption,
    JsonOption,
    ManagerOption,
    RefreshOption,
    ReuseOption,
    RevisionOption,
    StoreOption,
    UriArgument,
)
from mlproj.cli.pages.job import plan_page
from mlproj.cli.pages.project import project_page
from mlproj.cli.pages.summary import run_summary
from mlproj.cli.reusing import noting, reuse_document, tell_id
from mlproj.cli.run_request import read_request
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import reporting, say
from mlproj.cli.whole import whole_document
from mlproj.errors import RUN_FAILED, NotSupportedYet
from mlproj.model.events import Reused
from mlproj.model.run import Run, Status
from mlproj.services.request import RunRequest, Tools
from mlproj.services.run import plan as plan_run
from mlproj.services.run import run as carry_out

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    context: typer.Context,
    uri: UriArgument = ".",
    entry_point: run_options.EntryPointOption = "main",
    parameter: run_options.ParametersOption = None,
    version: RevisionOption = None,
    env_manager: ManagerOption = None,
    experiment_name: run_options.ExperimentNameOption = None,
    experiment_id: run_options.ExperimentIdOption = None,
    run_name: Annotated[
        str | None, typer.Option("--run-name", help="The run's name; else one is made up.")
    ] = None,
    docker_args: run_options.DockerArgumentsOption = None,
    backend: Annotated[str, typer.Option("--backend", "-b", help="Where to run: local.")] = "local",
    backend_config: Annotated[
        str | None,
        typer.Option("--backend-config", "-c", metavar="FILE", help="JSON, or a file of it, for a backend."),
    ] = None,
    storage_dir: run_options.StorageOption = None,
    run_id: Annotated[str | None, typer.Option("--run-id", hidden=True)] = None,
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
    refresh: RefreshOption = False,
    as_of: AsOfOption = None,
    reuse: ReuseOption = False,
    env_files: EnvFileOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and run nothing.")] = False,
    help_project: Annotated[
        bool, typer.Option("--help-project", help="Print the project's entry points and parameters.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run an entry point of a project, and record what ran.

    Ends with 0 if it finished, 1 if the entry point failed or ran out of time.
    """
    if backend != "local":
        raise NotSupportedYet(
            f"this version cannot run on the backend `{backend}` yet", hint="leave out `--backend`"
        )
    caller = wiring.current_folder()
    environ, secrets = with_env_files(context)
    tools = run_wiring.tools(environ, caller, store)
    request = read_request(context, caller, environ, secrets)
    if help_project:
        return _describe(request, tools, as_json)
    if backend_config and not as_json:
        say("note: `-c` means nothing to this project's environment, and is ignored")
    if dry_run:
        return _dry_run(request, tools, store, as_json)
    told = store if _is_typed(context, "store") else None  # the next command hears a variable, too
    return _run(request, tools, told, as_json)


def _is_typed(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _describe(request: RunRequest, tools: Tools, as_json: bool) -> int:
    with reporting() as report:
        # What finds fault with files is not needed by a run, and takes a while to import.
        project = load("mlproj.services.describe").describe(request, tools, report)
    if as_json:
        print_document(project_document(project))
    else:
        print_sheet(project_page(project))
    return 0


def _dry_run(request: RunRequest, tools: Tools, store: str | None, as_json: bool) -> int:
    reuse = load("mlproj.cli.foresight").Foresight(store) if request.reuse else None
    with reporting() as report:
        prepared = plan_run(request, tools, report, *(() if reuse is None else (reuse.look,)))
    if as_json:
        told = {} if reuse is None else {"reuse": reuse.document}
        print_document({**plan_document(prepared.plan, prepared.job), **told})
    else:
        print_sheet((*plan_page(prepared.plan, prepared.job), *(() if reuse is None else reuse.page)))
    return 0


def _run(request: RunRequest, tools: Tools, store: str | None, as_json: bool) -> int:
    """`store` is what the caller named, to be named again in what is told."""
    told: list[Reused] = []

    with reporting(child_to_stderr=as_json) as report:
        finished = carry_out(request, tools, noting(report, told))
    tell_id(finished)
    if as_json:
        reuse = {"reuse": reuse_document(told[0])} if told else {}
        print_document({**whole_document(finished, tools.open_store()), **reuse})
    else:
        for line in run_summary(finished, told[0] if told else None, store):
            say(line)
    return exit_code(finished)


def exit_code(run: Run) -> int:
    """What the command ends with: 1 for a failed run, 128 and the signal's number for an interrupted one."""
    if run.outcome is not None and run.outcome.interrupted is not None:
        return 128 + run.outcome.interrupted
    return 0 if run.status is Status.FINISHED else RUN_FAILED
