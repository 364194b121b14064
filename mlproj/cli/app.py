"""The command line as a whole: which commands there are, and how any of them ends.

A command's module is imported when the command is asked for, so that `mlproj --help` costs nothing else.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mlproj.cli.ending import ended_by
from mlproj.cli.loading import load
from mlproj.errors import OutputError, UsageError, did_you_mean
from mlproj.version import __version__

COMMANDS: dict[str, str] = {
    "run": "Run an entry point of a project, and record what ran",
    "watch": "Run a project when its data, a schedule or a metric says so",
    "check": "Say what is wrong with a project's files, and where",
    "init": "Write an MLproject for the code in a folder",
    "runs": "List recorded runs",
    "show": "Show everything known of a run",
    "logs": "Print what a run printed",
    "artifacts": "List or copy the files that a run left",
    "diff": "Tell what differs between two runs",
    "reproduce": "Do a recorded run again, and tell whether the same came of it",
    "export": "Hand a run over as one file",
    "import": "Bring a run in that somebody handed over",
    "push": "Have runs of this store at a server, too",
    "pull": "Have runs of a server in this store, too",
    "import-mlflow": "Bring in what MLflow kept: runs, models and all",
    "lineage": "Tell what something came from, and what came of it",
    "ui": "Show the store in a browser",
    "models": "Look at models, register them, and serve them",
    "rm": "Hide a run, or bring a hidden one back",
    "gc": "Take away hidden runs, and whatever nothing names",
    "prune": "Take away runs that a rule does not keep",
    "env": "List, build, lock and take away environments",
    "store": "Back up, restore or move the store, or its contents",
    "server": "Keep one history for several people, as a tracking server",
    "users": "Say who may use a server over the store, and what they may do",
    "tokens": "Make tokens for programs that use a server over the store",
    "webhooks": "Tell other programs of what happens in the store",
    "audit": "List what was done at a server over the store, and by whom",
    "attest": "Sign what was recorded of a run, or where the chain ends",
    "key": "Make keys to sign with, and look at them",
    "verify": "Check that what was recorded is still what was recorded",
    "doctor": "Tell what this machine can do for mlproj",
}
ALIASES = {"ls": "runs"}
_MODULES = {"import": "importing", "import-mlflow": "import_mlflow"}
"""Where a command is whose own name a module cannot have."""


class _Stopped(Exception):
    """Carries what ends a command from without past typer, which has one number and no word for each."""


class LazyGroup(TyperGroup):
    """A group whose help comes from COMMANDS, and whose commands are imported one at a time."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            if ctx.resilient_parsing:  # completion asks, and wants no complaint
                return None
            hint = did_you_mean(name, COMMANDS) or "`mlproj --help` lists the commands"
            raise UsageError(f"there is no command `{cmd_name}`", hint=hint)
        module = load(f"mlproj.cli.{_MODULES.get(name, name)}")
        command = typer.main.get_command(module.app)
        command.name = name
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise _Stopped from error

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _take(context: typer.Context, paths: list[Path] | None) -> list[Path] | None:
    if paths:
        load("mlproj.cli.env_file").take_for_all(context, paths)
    return paths


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlproj {__version__}")
        raise typer.Exit


@app.callback()
def mlproj(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    env_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--env-file",
            metavar="FILE",
            callback=_take,
            help="Variables, in dotenv's notation, for those that are not set; repeatable, the last wins.",
        ),
    ] = None,
) -> None:
    """Run machine learning projects, and know afterwards exactly what ran."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(UsageError.exit_code)


def invoke(arguments: Sequence[str]) -> int:
    """Runs the command line to its end and returns the exit code; nothing that fails escapes."""
    command = typer.main.get_command(app)
    try:
        outcome = command.main(args=list(arguments), prog_name="mlproj", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:
        cause = error.__cause__ if isinstance(error, _Stopped) else None
        ending = ended_by(cause or error)
        with contextlib.suppress(OutputError, OSError):
            # What was found comes before what is wrong with it, in a file that takes both, too.
            sys.stdout.flush()
        if ending.before:
            sys.stderr.write(ending.before + "\n")
        wanted = "--json" in arguments and not isinstance(error, OutputError)
        told = wanted and ending.document is not None and _is_delivered(ending.document)
        if ending.text and not told:
            sys.stderr.write(ending.text + "\n")
        return ending.code
    return outcome if isinstance(outcome, int) else 0


def _is_delivered(document: dict[str, object]) -> bool:
    """Prints a document, and says whether standard output took it."""
    try:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        sys.stdout.flush()
    except (OutputError, OSError):
        return False
    return True
