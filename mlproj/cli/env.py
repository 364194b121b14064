"""`mlproj env`: the environments that runs are given, listed, built, locked and taken away."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from msgspec.structs import replace

from mlproj import run_wiring, wiring
from mlproj.cli import options
from mlproj.cli.cleaning import DryRunOption
from mlproj.cli.documents import print_document
from mlproj.cli.env_file import EnvFileOption, with_env_files
from mlproj.cli.environments import (
    kept_document,
    kept_table,
    lock_document,
    pruned_document,
    say_locking,
    say_pruned,
)
from mlproj.cli.pages.job import environment_rows
from mlproj.cli.sheet import Section, print_sheet
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted, size
from mlproj.errors import ProjectError, StoreError, UsageError
from mlproj.model.digest import plain
from mlproj.model.moment import now
from mlproj.services.environment_building import build as build_environment
from mlproj.services.environment_building import lock as lock_environment
from mlproj.services.kept_environments import Rule, list_environments, remove, uses_in
from mlproj.services.kept_environments import prune as carry_out
from mlproj.services.locking import environment_state
from mlproj.services.request import RunRequest
from mlproj.spec.duration import seconds
from mlproj.spec.instant import instant
from mlproj.store_ports import RunStore

app = typer.Typer(
    help="List, build, lock and take away environments, of whatever kind.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_(store: options.StoreOption = None, as_json: options.JsonOption = False) -> int:
    """List the environments in the cache, the one that was used last first, with the runs that used them.

    Runs are those that the store here records, if there is one.
    """
    found = list_environments(wiring.environment_cache(os.environ), uses_in(_store(store)))
    if as_json:
        print_document({"schema": "mlproj/environments/1", "environments": list(map(kept_document, found))})
    elif found:
        print_sheet([kept_table(found, now())])
    else:
        say("no environment was built yet")
    return 0


@app.command()
def build(
    context: typer.Context,
    uri: options.UriArgument = ".",
    version: options.RevisionOption = None,
    env_manager: options.ManagerOption = None,
    as_of: options.AsOfOption = None,
    refresh: options.RefreshOption = False,
    env_files: EnvFileOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Build the environment of a project, as a run of it would, and run nothing."""
    request = replace(_request(context, uri, version, env_manager, as_of), refresh=refresh)
    with reporting() as report:
        tools = run_wiring.tools(request.environ, request.caller)
        state = environment_state(build_environment(request, tools, report))
    if as_json:
        print_document({"schema": "mlproj/environment/1", **plain(state)})
    elif state.key is None:
        say(f"nothing to build: {state.because}")
    else:
        say(f"the environment is built: {counted(state.packages, 'package')} ({state.because})")
        print_sheet([Section(rows=tuple(environment_rows(state)))])
    return 0


@app.command()
def lock(
    context: typer.Context,
    uri: options.UriArgument = ".",
    version: options.RevisionOption = None,
    env_manager: options.ManagerOption = None,
    as_of: options.AsOfOption = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Take the newest versions, instead of staying with the lock's.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with 3 if the lock is not current.")
    ] = False,
    env_files: EnvFileOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Write the lock of a project's environment into its folder, to be committed: a run takes it as it is.

    The versions of a lock that lies there stay where they are still what is asked for.
    """
    request = replace(_request(context, uri, version, env_manager, as_of), refresh=refresh)
    with reporting() as report:
        tools = run_wiring.tools(request.environ, request.caller)
        found = lock_environment(request, tools, report, check=check)
    if as_json:
        print_document(lock_document(found))
    else:
        say_locking(found)
    return 0 if found.written or found.file.is_current else ProjectError.exit_code


@app.command()
def rm(
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", help="Keys of environments, or unique beginnings."),
    ],
    as_json: options.JsonOption = False,
) -> int:
    """Remove environments. One that a run uses stays, and is an error; a later run builds what it needs."""
    gone = remove(wiring.environment_cache(os.environ), keys)
    if as_json:
        print_document({"schema": "mlproj/environments-removed/1", "keys": [item.key for item in gone]})
    else:
        for item in gone:
            say(f"removed {item.key[:12]} ({item.kind}, {size(item.size)})")
    return 0


@app.command()
def prune(
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="TIME", help="What was not used since, as `30d`."),
    ] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="What no run used that the store here records.")
    ] = False,
    dry_run: DryRunOption = False,
    store: options.StoreOption = None,
    as_json: options.JsonOption = False,
) -> int:
    """Remove environments by a rule, or by both, and what serves nobody: locks, half-built ones, stale files.

    One that is in use always stays. Without a rule, no environment goes.
    """
    records = _store(store)
    if unused and records is None:
        raise UsageError(
            "`--unused` asks the store which runs there were, and there is no store here",
            hint="name one with `--store`, or give `--older-than`",
        )
    rule = Rule(older_than_s=None if older_than is None else seconds(older_than), unused=unused)
    cache = wiring.environment_cache(os.environ)
    found = carry_out(cache, uses_in(records), rule, now=now(), dry_run=dry_run)
    if as_json:
        print_document(pruned_document(found))
    else:
        say_pruned(found)
    return 0


def _store(given: str | None) -> RunStore | None:
    """The store here, or None where there is none, which is told."""
    try:
        return wiring.existing_store(given)
    except StoreError as error:
        say(f"note: which runs there were is not known: {error.message}")
        return None


def _request(
    context: typer.Context, uri: str, version: str | None, env_manager: str | None, as_of: str | None
) -> RunRequest:
    return RunRequest(
        uri=uri,
        caller=wiring.current_folder(),
        environ=with_env_files(context)[0],
        revision=version,
        environment_manager=env_manager,
        as_of=None if as_of is None else instant(as_of),
    )
