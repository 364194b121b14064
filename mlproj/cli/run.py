"""`mlproj run`: the options of `mlflow run` under their names, and what mlproj adds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlproj import run_wiring, wiring
from mlproj.cli.documents import plan_document, print_document, project_document
from mlproj.cli.env_file import EnvFileOption, named_in_env_files, with_env_files
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
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import reporting, say
from mlproj.cli.whole import whole_document
from mlproj.errors import RUN_FAILED, NotSupportedYet, UsageError
from mlproj.model.encoding import is_text
from mlproj.model.environment import Isolation
from mlproj.model.events import Reused
from mlproj.model.run import Run, Status
from mlproj.planning.parameters import parse_assignments
from mlproj.services.request import RunRequest, Tools
from mlproj.services.run import plan as plan_run
from mlproj.services.run import run as carry_out
from mlproj.spec.docker_arguments import parse_arguments
from mlproj.spec.duration import seconds
from mlproj.spec.instant import instant

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    context: typer.Context,
    uri: UriArgument = ".",
    entry_point: Annotated[
        str,
        typer.Option("--entry-point", "-e", metavar="NAME", help="The entry point, or a .py or .sh file."),
    ] = "main",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--param-list", "-P", metavar="NAME=VALUE", help="A parameter's value; repeatable."),
    ] = None,
    version: RevisionOption = None,
    env_manager: ManagerOption = None,
    experiment_name: Annotated[
        str | None,
        typer.Option(
            "--experiment-name", envvar="MLFLOW_EXPERIMENT_NAME", help="The experiment to record under."
        ),
    ] = None,
    experiment_id: Annotated[
        str | None,
        typer.Option("--experiment-id", envvar="MLFLOW_EXPERIMENT_ID", help="The same, by its id."),
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--run-name", help="The run's name; else one is made up.")
    ] = None,
    docker_args: Annotated[
        list[str] | None,
        typer.Option(
            "--docker-args",
            "-A",
            metavar="NAME[=VALUE]",
            help="An option of `docker run`, such as `gpus=all`, for a Docker project; repeatable.",
        ),
    ] = None,
    backend: Annotated[str, typer.Option("--backend", "-b", help="Where to run: local.")] = "local",
    backend_config: Annotated[
        str | None,
        typer.Option("--backend-config", "-c", metavar="FILE", help="JSON, or a file of it, for a backend."),
    ] = None,
    storage_dir: Annotated[
        Path | None,
        typer.Option(
            "--storage-dir",
            envvar="MLFLOW_TMP_DIR",
            help="Where to download `path` parameters given as URIs.",
        ),
    ] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", hidden=True)] = None,
    build_image: Annotated[
        bool, typer.Option("--build-image", help="Have an image made that holds the Docker project's code.")
    ] = False,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="PATH", help="A further file or folder to digest; repeatable."),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output", metavar="PATH", help="A further file or folder of the project to keep; repeatable."
        ),
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="A tag; repeatable.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="Stop the run after 90, 90s, 15m or 2h.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep", metavar="PATH", help="Snapshot this file although it is large or looks secret."
        ),
    ] = None,
    require_clean: Annotated[
        bool, typer.Option("--require-clean", help="Refuse to run anything but a clean git commit.")
    ] = False,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            "--tracking-uri",
            metavar="URI",
            help="The MLflow server to have the run at, too; else `MLFLOW_TRACKING_URI`, if it names one.",
        ),
    ] = None,
    no_tracking: Annotated[
        bool, typer.Option("--no-tracking", help="Take in nothing that the script logs by MLflow.")
    ] = False,
    script_tracking: Annotated[
        bool,
        typer.Option(
            "--script-tracking", help="Let the script log where its `set_tracking_uri` says, and not here."
        ),
    ] = False,
    no_hook: Annotated[
        bool,
        typer.Option(
            "--no-hook",
            help="Have nothing of ours in the script's Python, which mends MLflow and sees what is read.",
        ),
    ] = False,
    trace: Annotated[
        str,
        typer.Option(
            "--trace",
            metavar="HOW",
            envvar="MLPROJ_TRACE",
            help="See what is read: `python` programs do, `full` by `strace`, or `off`.",
        ),
    ] = "python",
    strict_inputs: Annotated[
        bool,
        typer.Option(
            "--strict-inputs",
            envvar="MLPROJ_STRICT_INPUTS",
            help="Fail a run that read data which nobody declared.",
        ),
    ] = False,
    isolated: Annotated[
        bool,
        typer.Option("--isolated", help="Without network, and seeing only what the record names."),
    ] = False,
    allow_network: Annotated[
        bool, typer.Option("--allow-network", help="Let an isolated run have the network nevertheless.")
    ] = False,
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
    if experiment_name is not None and experiment_id is not None:
        raise UsageError(
            "`--experiment-name` and `--experiment-id` exclude each other", hint="give one of them"
        )
    named = (
        ("--run-name", run_name),
        ("--experiment-name", experiment_name),
        ("--tag", " ".join(tags or ())),
    )
    for option, text in (*named, ("--output", " ".join(outputs or ()))):
        if text is not None and not is_text(text):
            raise UsageError(f"`{option}` is no text in UTF-8, and a record holds nothing else")
    caller = wiring.current_folder()
    environ, secrets = with_env_files(context)
    tools = run_wiring.tools(environ, caller, store)
    request = RunRequest(
        uri=uri,
        caller=caller,
        environ=environ,
        entry_point=entry_point,
        parameters=parse_assignments(tuple(parameter or ())),
        revision=version,
        environment_manager=env_manager,
        experiment=experiment_name,
        experiment_id=experiment_id,
        run_name=run_name,
        run_id=run_id,
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        tags=tuple(parse_assignments(tuple(tags or ()), option="--tag").items()),
        timeout=None if timeout is None else seconds(timeout),
        keep=tuple(keep or ()),
        storage=storage_dir,
        refresh=refresh,
        as_of=None if as_of is None else instant(as_of),
        require_clean=require_clean,
        experiment_given=_is_given(context, "experiment_name") or _is_given(context, "experiment_id"),
        tracking=not no_tracking,
        tracking_uri=tracking_uri,
        script_tracking=script_tracking,
        hook=not no_hook,
        parent=os.environ.get("MLPROJ_PARENT_RUN_ID") or os.environ.get("MLPROJ_RUN_ID"),
        secrets=secrets,
        docker_arguments=parse_arguments(docker_args or ()),
        build_image=build_image,
        isolation=_isolation(context, isolated, allow_network),
        trace=trace,
        strict_inputs=strict_inputs,
        reuse=reuse,
    )
    if help_project:
        return _describe(request, tools, as_json)
    if backend_config and not as_json:
        say("note: `-c` means nothing to this project's environment, and is ignored")
    if dry_run:
        return _dry_run(request, tools, store, as_json)
    told = store if _is_typed(context, "store") else None  # the next command hears a variable, too
    return _run(request, tools, told, as_json)


def _isolation(context: typer.Context, isolated: bool, allow_network: bool) -> Isolation | None:
    """What `--env-file` names is given to an isolated run, too: a person has said so."""
    if not isolated:
        if allow_network:
            raise UsageError(
                "`--allow-network` means nothing without `--isolated`", hint="other runs have the network"
            )
        return None
    return Isolation(network=allow_network, variables=named_in_env_files(context))


def _is_given(context: typer.Context, option: str) -> bool:
    """Whether a person gave the option. A run inside a run finds the outer one's in its environment."""
    source = context.get_parameter_source(option)
    if source is None or source.name == "DEFAULT":
        return False
    return source.name != "ENVIRONMENT" or "MLPROJ_RUN_ID" not in os.environ


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
