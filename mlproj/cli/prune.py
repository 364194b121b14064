"""`mlproj prune`: takes away runs that a rule does not keep."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.cleaning import DryRunOption, GraceOption, manner, tell
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting
from mlproj.services.cleaning import Retention
from mlproj.services.cleaning import prune as carry_out
from mlproj.spec.duration import seconds

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def prune(
    keep_last: Annotated[
        int | None, typer.Option("--keep-last", metavar="N", min=0, help="Keep the newest N runs.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Keep what is younger, as `30d`.")
    ] = None,
    keep_tagged: Annotated[bool, typer.Option("--keep-tagged", help="Keep runs with a tag.")] = False,
    experiment: Annotated[
        str | None, typer.Option("--experiment-name", help="Look at this one's runs alone.")
    ] = None,
    grace: GraceOption = "1h",
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take away, for good, the runs that no rule keeps, with what only they hold.

    A run stays if any of the rules given keeps it. Of each that goes a tombstone stays in the chain; try
    `--dry-run` first.
    """
    records, how = wiring.existing_store(store), manner(grace, dry_run)
    retention = Retention(
        keep_last=keep_last,
        older_than_s=None if older_than is None else seconds(older_than),
        keep_tagged=keep_tagged,
        experiment=experiment,
    )
    with reporting() as report:
        found = carry_out(records, retention, how, report)
    tell("mlproj/prune/1", found, how.grace_s, as_json)
    return 0
