"""`mlproj gc`: takes away hidden runs, and whatever nothing names."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.cleaning import DryRunOption, GraceOption, manner, tell
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting
from mlproj.services.cleaning import gc as collect
from mlproj.spec.duration import seconds

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def gc(
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Only runs hidden so long, as `30d`.")
    ] = None,
    grace: GraceOption = "1h",
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take away hidden runs for good, and whatever nothing names.

    Of each run a tombstone stays in the chain. What a run that goes on may want is left alone.
    """
    records, how = wiring.existing_store(store), manner(grace, dry_run)
    hidden_for = 0.0 if older_than is None else seconds(older_than)
    with reporting() as report:
        found = collect(records, how, report, hidden_for_s=hidden_for)
    tell("mlproj/gc/1", found, how.grace_s, as_json)
    return 0
