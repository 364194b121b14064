"""`mlproj runs`: what was recorded, newest first or ranked."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document, run_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.pages import runs_table
from mlproj.cli.sheet import print_sheet
from mlproj.cli.terminal import say
from mlproj.ports import RunQuery
from mlproj.services.conditions import parse_condition

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def runs(
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
        print_sheet([runs_table(found, tree=sort is None)])
        if len(matching) > len(found):
            say("hint: there are more: `--all` lists every one, `--limit` as many as you like")
    else:
        say("no runs here yet" if not conditions else "no run matches")
    return 0
