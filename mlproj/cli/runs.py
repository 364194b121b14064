"""`mlproj runs`: what was recorded, newest first or ranked; and records that a server has more for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document, run_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages.table import runs_table
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted
from mlproj.errors import StoreError
from mlproj.services.conditions import parse_condition
from mlproj.services.sync import Offices, Synced
from mlproj.services.sync import sync as carry_out
from mlproj.settings import limits
from mlproj.store_ports import RunQuery

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            metavar="CONDITION",
            help="Such as `metrics.rmse < 0.5` or `status = FAILED`; repeatable, all must hold.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="FIELD", help="Such as `metrics.rmse`; `-metrics.rmse` for descending."
        ),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment-name", help="Only runs of this one.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    deleted: Annotated[bool, typer.Option("--hidden", help="Hidden runs too.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """List recorded runs, newest first unless `--sort` says otherwise."""
    if context.invoked_subcommand is not None:
        return 0
    conditions = [parse_condition(text) for text in where or ()]
    if experiment is not None:
        conditions.append(parse_condition(f"experiment = {experiment!r}"))
    # One more than is shown tells whether there are any.
    wanted = None if everything else limit + 1
    query = RunQuery(conditions=tuple(conditions), sort=sort, limit=wanted, deleted=deleted)
    matching = wiring.existing_store(store).search(query)
    found = matching if everything else matching[:limit]
    if as_json:
        print_document({"schema": "mlproj/runs/1", "runs": [run_document(run) for run in found]})
    elif found:
        print_sheet([runs_table(found, sort=sort)])
        if len(matching) > len(found):
            say("hint: there are more: `--all` lists every one, `--limit` as many as you like")
    else:
        say("no runs here yet" if not conditions else "no run matches")
    return 0


@app.command()
def sync(
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Runs; else all that were not read to the end."),
    ] = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", metavar="URI", help="Where their server is now, if it has moved."),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Bring in what the server of a run holds, where that was away when the run ended.

    What comes is added to the record as amendments. Ends with 5 where a server could not be read.
    """
    offices = Offices(
        server=lambda uri: wiring.server_of(uri, os.environ, tracking_uri),
        tracking=wiring.tracking_of,
        limits=limits(os.environ),
    )
    with reporting() as report:
        found = carry_out(wiring.existing_store(store), references or (), offices, report)
    if as_json:
        print_document({"schema": "mlproj/sync/1", "runs": list(map(_synced_document, found))})
    else:
        _tell(found)
    return StoreError.exit_code if any(item.failure is not None for item in found) else 0


def _synced_document(item: Synced) -> dict[str, object]:
    error = None if item.failure is None else item.failure.message
    return {"run_id": item.run.run_id, "name": item.run.name, "added": item.added, "error": error}


def _tell(found: Sequence[Synced]) -> None:
    for item in found:
        run = f"run `{item.run.name}` ({item.run.run_id[:8]})"
        if item.failure is not None:
            say(f"{run} could not be read to the end: {item.failure.message}")
            if item.failure.hint:
                say(f"hint: {item.failure.hint}")
        elif item.added:
            say(f"{run} has what its server holds: {counted(item.added, 'addition')}")
        else:
            say(f"{run} had all that its server holds")
    if not found:
        say("no run here waits for what a server holds")
