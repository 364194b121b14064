"""`mlproj rm`: hide a run, as MLflow does; nothing that was recorded is lost."""

from __future__ import annotations

from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.options import StoreOption
from mlproj.cli.terminal import say

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def rm(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Ids, unique prefixes of them, or names.")
    ],
    restore: Annotated[bool, typer.Option("--restore", help="Bring hidden runs back.")] = False,
    store: StoreOption = None,
) -> int:
    """Hide runs, or bring hidden ones back.

    A hidden run is no longer listed; its record stays, and `mlproj verify` goes on checking it.
    """
    records = wiring.existing_store(store)
    found = [records.find(reference) for reference in runs]
    for run in found:
        records.hide(run.run_id, hidden=not restore)
        say(f"run `{run.name}` ({run.run_id[:8]}) is {'listed again' if restore else 'hidden'}")
    return 0
