"""`mlproj import`: bring a run in that somebody handed over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlproj import wiring
from mlproj.cli.documents import print_document
from mlproj.cli.options import JsonOption, StoreOption
from mlproj.cli.terminal import reporting, say
from mlproj.cli.words import counted
from mlproj.services.importing import bring_in
from mlproj.settings import limits

app = typer.Typer(rich_markup_mode=None, add_completion=False)

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A file that `mlproj export` wrote.")]


@app.command("import")
def import_bundle(
    bundle: BundleArgument,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> int:
    """Bring the run in a bundle into the store, under its own id.

    The whole bundle is checked first; where anything in it is not as it was written, nothing is brought in,
    and the command ends with 7. No code of it is run.
    """
    chosen = limits(os.environ)
    with reporting() as report:
        brought = bring_in(bundle, lambda: wiring.store_here(store), chosen, report)
    run = brought.run
    if as_json:
        document = {
            "run_id": run.run_id,
            "name": run.name,
            "record": run.record,
            "new": brought.new,
            "files": brought.files,
            "attached": brought.attached,
        }
        print_document({"schema": "mlproj/imported/1", **document})
        return 0
    what = "is brought in" if brought.new else "was there already"
    say(f"run `{run.name}` ({run.run_id[:8]}) {what}: {counted(brought.files, 'new file')}")
    return 0
