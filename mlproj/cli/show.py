"""`mlproj show`: everything known of a run."""

from __future__ import annotations

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document, run_document
from mlproj.cli.options import JsonOption, RunArgument, StoreOption
from mlproj.cli.pages import run_page
from mlproj.cli.sheet import print_sheet

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def show(run: RunArgument = "last", store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Show everything known of a run."""
    found = wiring.existing_store(store).find(run)
    if as_json:
        print_document(run_document(found))
    else:
        print_sheet(run_page(found))
    return 0
