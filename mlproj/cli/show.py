"""`mlproj show`: everything known of a run."""

from __future__ import annotations

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, RunArgument, StoreOption
from mlproj.cli.pages.run import run_page
from mlproj.cli.sheet import print_sheet
from mlproj.cli.whole import whole_document
from mlproj.services.datasets import datasets_of
from mlproj.services.models import models_of
from mlproj.services.series import series

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def show(run: RunArgument = "last", store: StoreOption = None, as_json: JsonOption = False) -> int:
    """Show everything known of a run."""
    opened = wiring.existing_store(store)
    found = opened.find(run)
    if as_json:
        print_document(whole_document(found, opened))
    else:
        page = run_page(
            found,
            series=series(found, opened.blobs),
            children=opened.children(found.run_id),
            models=models_of(found, opened),
            datasets=datasets_of(found, opened.blobs),
        )
        print_sheet(page)
    return 0
